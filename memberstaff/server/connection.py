"""Who is on the other end, and what the shell asks of the application that it serves."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Protocol

from starlette.datastructures import Headers
from starlette.types import Scope

from memberstaff.access import Caller
from memberstaff.engine.request import OperationRequest
from memberstaff.fanout.subscriber_group import Listener
from memberstaff.server.session_cookie import SessionCookie
from memberstaff.settings import Settings

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
"""What an X-Request-ID of a proxy may look like; it ends up in our log and in error messages."""

UNKNOWN = "unknown"
"""The address of a client that the server cannot name (a Unix socket)."""

Networks = Iterable[IPv4Network | IPv6Network]
Ending = Callable[[int, str], None]


@dataclass(eq=False)
class Connection:
    """One HTTP request, or one socket for as long as it lives."""

    address: str
    """The client's address; X-Forwarded-For is believed only from the networks of `trusted_proxies`."""

    request_id: str
    """Names it in the log and in error messages; sent back as X-Request-ID."""

    authorization: str | None = None
    """The bearer token, without the word Bearer."""

    resume: dict[str, str] = field(default_factory=dict)
    """Of `connection_init`: from operation id to the feed cursor that takes the place of its `after`."""

    socket: bool = False
    """Whether this is a WebSocket, whose operations share it."""

    cookie: SessionCookie | None = field(default=None, repr=False)
    """The browser's, for a plain request from a page of this host; a socket or a stream cannot set one."""

    ending: Ending | None = field(default=None, repr=False)
    """How the shell ends it; None while nothing can be ended (a plain request runs to its end)."""

    def end(self, code: int, reason: str) -> None:
        """End a socket with this close code, or an event stream, soon and from the outside; never raises.

        For an access that has ended: 4401 makes graphql-ws give up, 4403 makes it connect anew. A plain
        request is left alone.
        """
        if self.ending is not None:
            self.ending(code, reason)


class Context(Protocol):
    """What one operation runs with; its class is the application's business."""

    async def close(self) -> None:
        """Give back what the operation held; awaited once, however the operation ended."""


class Host(Protocol):
    """What the shell serves."""

    @property
    def settings(self) -> Settings:
        """How this installation runs."""

    def context(self, connection: Connection, operation_id: str | None) -> Any:
        """A fresh `Context` for one operation; the id is None for a request over HTTP."""

    async def answer(self, context: Any, request: OperationRequest) -> bytes | None:
        """The cached answer to a query, as JSON; None for any other operation. Never raises RequestError."""

    async def join(self, context: Any, request: OperationRequest, listener: Listener) -> Callable[[], None] | None:
        """Let a subscriber listen to the group of its equals; answers how it leaves, or None when it has none.

        Raises RequestError when the subscriber may not, or cannot be served from where it wants to begin.
        """

    async def authenticate(self, connection: Connection) -> Caller:
        """Who holds the connection's token; raises Unauthenticated."""

    async def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether requests can be served, and what that rests on."""

    def measures(self) -> Mapping[str, tuple[float, str]]:
        """What this process does at this moment: value and meaning by name."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Everything that lives as long as the process."""


def connection(scope: Scope, trusted: Networks) -> Connection:
    """The connection that an ASGI scope describes, before anybody has authenticated."""
    headers = Headers(scope=scope)
    peer = plain_address(scope["client"][0] if scope.get("client") else UNKNOWN)
    through_proxy = is_trusted(peer, trusted)
    offered = headers.get("x-request-id", "") if through_proxy else ""
    return Connection(
        address=forwarded_address(peer, headers.getlist("x-forwarded-for"), trusted) if through_proxy else peer,
        request_id=offered if REQUEST_ID.fullmatch(offered) else secrets.token_hex(8),
        authorization=bearer(headers.get("authorization")),
        socket=scope["type"] == "websocket",
    )


def bearer(header: str | None) -> str | None:
    """The token in an Authorization header: "Bearer TOKEN", the word in any case."""
    scheme, _, token = (header or "").strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def forwarded_address(peer: str, forwarded: list[str], trusted: Networks) -> str:
    """The nearest address of the chain that is not one of our proxies: those further left may be invented."""
    address = peer
    for entry in reversed([part.strip() for line in forwarded for part in line.split(",") if part.strip()]):
        if (known := _parse(entry)) is None:
            break
        address = str(known)
        if not is_trusted(address, trusted):
            break
    return address


def is_trusted(address: str, networks: Networks) -> bool:
    """Whether the address lies in one of the networks."""
    known = _parse(address)
    return known is not None and any(known in network for network in networks)


def plain_address(address: str) -> str:
    """An address in its usual spelling; IPv4 that arrived in IPv6's clothes is IPv4."""
    known = _parse(address)
    return address if known is None else str(known)


@lru_cache(4_096)
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
