"""Names and addresses: which an installation may be given, and which networks a client's belongs to."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

ENCODED = "characters of a password such as / : @ # are written as %2F, %3A, %40, %23"
"""What to say of an address that is none."""
HOST = re.compile(r"(?!-)[a-z0-9_-]+(\.[a-z0-9_-]+)*")
"""A name, punycode included, or an IPv4 address; no wildcard, which browsers never send."""

IPV6_NETWORKS = {64: 1, 56: 2, 48: 4}
"""What a customer can be given, and how many customers' allowance each has. A /64 alone has 2⁶⁴ addresses, and whoever
has a /48 has 65,536 of them."""


def networks_of(address: str) -> tuple[tuple[str, int], ...]:
    """The networks that count as one client, narrowest first, each with its share: how many allowances it has.

    An IPv4 address, also in IPv6's form, and what is no address count by themselves.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return ((address, 1),)
    if not isinstance(parsed, IPv6Address):
        return ((str(parsed), 1),)
    if parsed.ipv4_mapped is not None:
        return ((str(parsed.ipv4_mapped), 1),)
    return tuple(
        (str(IPv6Network((int(parsed), length), strict=False)), share) for length, share in IPV6_NETWORKS.items()
    )


def is_host_pattern(text: str) -> bool:
    """Whether it is a host's name, or `*.` and a name of two parts or more: `*.example` would be nobody's own."""
    name = text.lower()
    below = name.removeprefix("*.")
    return HOST.fullmatch(below) is not None and (below == name or "." in below)


def is_origin(text: str) -> bool:
    """Whether it is written as browsers send it; any other spelling would never match."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not (HOST.fullmatch(host) or _is_ipv6(host)):
        return False
    shown = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    return text == f"{parts.scheme}://{shown}{'' if port in {None, default} else f':{port}'}"


def _is_ipv6(host: str) -> bool:
    try:
        return ip_address(host).version == 6
    except ValueError:
        return False


def is_private(address: str) -> bool:
    """Whether nobody between us and an address can change what it answers."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        if parts.port == 0 or parts.username is not None or address != address.strip():
            return False
        return (parts.scheme == "https" and bool(host)) or (parts.scheme == "http" and is_loopback(host))
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its address or as localhost."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
