"""Which names, and addresses of origins and identity providers, an installation may be given."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

HOST = re.compile(r"(?!-)[a-z0-9_-]+(\.[a-z0-9_-]+)*")
"""A name, punycode included, or an IPv4 address; no wildcard, which browsers never send."""


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
        return (parts.scheme == "https" and bool(host)) or (parts.scheme == "http" and _is_loopback(host))
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
