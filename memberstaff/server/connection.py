"""Who is on the other end of a request or a socket."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import Scope

from memberstaff.server.client_address import Networks, forwarded_address, is_trusted, plain_address
from memberstaff.server.session_cookie import SessionCookie

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
"""What an X-Request-ID of a proxy may look like; it ends up in our log and in error messages."""

UNKNOWN = "unknown"
"""The address of a client that the server cannot name (a Unix socket)."""

Ending = Callable[[int, str], None]


@dataclass(eq=False, slots=True, weakref_slot=True)
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

    def endable(self, ending: Ending) -> Callable[[], None]:
        """Let `end` call this; answers how to take that back."""
        self.ending = ending

        def forget() -> None:
            self.ending = None

        return forget

    def end(self, code: int, reason: str) -> None:
        """End a socket with this close code, or an event stream, soon and from the outside; never raises.

        For an access that has ended: 4401 makes graphql-ws give up, 4403 makes it connect anew. A plain
        request is left alone.
        """
        if self.ending is not None:
            self.ending(code, reason)


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
