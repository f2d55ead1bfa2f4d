"""The connection behind a request or a socket: the client's address, token and request id."""

from __future__ import annotations

import contextvars
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope

from memberstaff import origin, tracing
from memberstaff.addresses import networks_of
from memberstaff.errors import RequestError
from memberstaff.server.client_address import (
    UNKNOWN,
    Networks,
    canonical_address,
    forwarded_address,
    is_trusted,
)
from memberstaff.server.device_cookie import DeviceCookie
from memberstaff.server.session_cookie import SessionCookie

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
"""The X-Request-IDs accepted from a proxy; they are written to the log and to error messages."""

OnEnd = Callable[[int, str], None]


@dataclass(eq=False, slots=True, weakref_slot=True)
class Connection:
    """An HTTP request, or a WebSocket."""

    address: str
    """The client's address; X-Forwarded-For is trusted only from `trusted_proxies`."""

    request_id: str
    """Identifies it in the log and in error messages; sent back as X-Request-ID."""

    authorization: str | None = None
    """The bearer token, without "Bearer"."""

    user_agent: str | None = None
    """What the client says of itself, as the audit log stores it."""

    resume: dict[str, str] = field(default_factory=dict)
    """From `connection_init`: by operation id, the feed cursor that replaces its `after`."""

    socket: bool = False
    """Whether this is a WebSocket, shared by its operations."""

    account_id: int | None = None
    """Of its last valid access token, as the token says; not checked against the database."""

    stranger: RequestError | None = None
    """Why an HTTP request has no valid access token; None if it has one."""

    cookie: SessionCookie | None = field(default=None, repr=False)
    """Set for requests from pages of this host; None for sockets and streams, which cannot set a cookie."""

    traceparent: str | None = None
    """The trace (W3C) that it continues, where traces are sent: from its headers, or a socket's `connection_init`."""

    span: Any = field(default=None, repr=False)
    """Of a request to GraphQL, if this process sends traces: a `tracing.spans.Request`."""

    device: DeviceCookie | None = field(default=None, repr=False)
    """Set when `cookie` is."""

    on_end: OnEnd | None = field(default=None, repr=False)
    """How `end` closes a socket or a stream; None for other requests, which run to completion."""

    has_left: Callable[[], bool] = field(default=lambda: False, repr=False)
    """Whether the client of an HTTP request has disconnected, so that nobody would read the answer."""

    @property
    def network(self) -> str:
        """What counts as one client: the address, or its IPv6 /64."""
        return networks_of(self.address)[0][0]

    @property
    def device_value(self) -> str | None:
        """What the device's cookie says, if there is one."""
        return self.device.value if self.device is not None else None

    def set_on_end(self, on_end: OnEnd) -> Callable[[], None]:
        """Set what `end` calls; returns how to unset it."""
        self.on_end = on_end

        def unset() -> None:
            self.on_end = None

        return unset

    def continue_trace(self, traceparent: object) -> None:
        """Have a socket's operations continue this trace, if it says one."""
        if isinstance(traceparent, str):
            self.traceparent = traceparent

    def context(self) -> contextvars.Context | None:
        """The context of an operation of a socket, in its trace; None for the present one."""
        return tracing.spans.continuing(self.traceparent) if tracing.on else None

    def end(self, code: int, reason: str) -> None:
        """Close a socket with this close code, or end a stream, when access has ended; never raises or waits.

        After 4401 graphql-ws gives up, after 4403 it reconnects. Other requests are not affected.
        """
        if self.on_end is not None:
            self.on_end(code, reason)


def connection(scope: Scope, trusted: Networks) -> Connection:
    """The connection of an ASGI scope, not yet authenticated."""
    headers = Headers(scope=scope)
    peer = canonical_address(scope["client"][0] if scope.get("client") else UNKNOWN)
    through_proxy = is_trusted(peer, trusted)
    offered = headers.get("x-request-id", "") if through_proxy else ""
    return Connection(
        address=forwarded_address(peer, headers.getlist("x-forwarded-for"), trusted) if through_proxy else peer,
        request_id=offered if REQUEST_ID.fullmatch(offered) else secrets.token_hex(8),
        authorization=bearer(headers.get("authorization")),
        user_agent=origin.user_agent(headers.get("user-agent")),
        socket=scope["type"] == "websocket",
        traceparent=headers.get("traceparent") if tracing.on else None,
    )


def bearer(header: str | None) -> str | None:
    """The token in an Authorization header, "Bearer TOKEN" (RFC 6750), in upper or lower case."""
    scheme, _, token = (header or "").strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
