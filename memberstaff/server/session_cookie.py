"""The cookie that keeps a browser logged in: a refresh token that scripts cannot read.

See docs/decisions/0011-web-sessions.md.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope
from strawberry.http.websocket_origin import is_same_origin

NAME = "memberstaff_refresh"


class SessionCookie:
    """The cookie in a request, and the Set-Cookie header of its response."""

    def __init__(self, *, token: str | None, path: str, secure: bool) -> None:
        self.token = token
        """The refresh token in the request."""
        self.header: str | None = None
        """The response's Set-Cookie header; None to leave the cookie as it is."""
        self._path = path
        self._secure = secure

    def set(self, token: str, *, max_age: int) -> None:
        """Set the cookie; `max_age` is in seconds."""
        self.header = self._serialize(token, max_age)

    def clear(self) -> None:
        """Delete the cookie."""
        self.header = self._serialize("", 0)

    def _serialize(self, value: str, max_age: int) -> str:
        secure = "; Secure" if self._secure else ""
        return f"{NAME}={value}; HttpOnly; SameSite=Strict; Path={self._path}; Max-Age={max_age}{secure}"


def session_cookie(scope: Scope) -> SessionCookie | None:
    """The cookie of an HTTP request; None for a cross-origin request, which may neither use nor set it."""
    headers = Headers(scope=scope)
    if not is_same_origin_request(headers):
        return None
    # Behind a proxy that terminates TLS the scheme is http, but the page's origin shows https.
    secure = scope["scheme"] == "https" or headers.get("origin", "").startswith("https://")
    token = cookie_parser(headers.get("cookie", "")).get(NAME)
    return SessionCookie(token=token or None, path=scope["path"], secure=secure)


def is_same_origin_request(headers: Headers) -> bool:
    """Whether a request is same-origin, or does not come from a page."""
    origin = headers.get("origin")
    if origin is None or is_same_origin(origin, headers.get("host")):
        return True
    # A proxy may have changed Host. Browsers set this header, and pages cannot.
    return headers.get("sec-fetch-site") == "same-origin"
