"""A client's address behind proxies (X-Forwarded-For)."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

UNKNOWN = "unknown"
"""The address of a client on a Unix socket."""

Networks = Collection[IPv4Network | IPv6Network]


def forwarded_address(peer: str, forwarded: list[str], trusted: Networks) -> str:
    """The rightmost address that is not a trusted proxy's: a client can forge those to the left of it."""
    address = peer
    for entry in reversed([part.strip() for line in forwarded for part in line.split(",") if part.strip()]):
        if (known := _parse(entry)) is None:
            break
        address = str(known)
        if not is_trusted(address, trusted):
            break
    return address


def is_trusted(address: str, networks: Networks) -> bool:
    """Whether the address is in one of the networks."""
    if not networks:
        return False
    known = _parse(address)
    return known is not None and any(known in network for network in networks)


def canonical_address(address: str) -> str:
    """An address in canonical form, IPv4-mapped IPv6 as IPv4; returned as it is if it cannot be parsed."""
    if ":" not in address:  # IPv4, as the socket module spells it
        return address
    known = _parse(address)
    return address if known is None else str(known)


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    host = address
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        known = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return known.ipv4_mapped or known if isinstance(known, IPv6Address) else known
