"""The cookie that keeps a browser logged in: its refresh token, where no script of a page can read it.

See docs/decisions/0011-web-sessions.md.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope
from strawberry.http.websocket_origin import is_same_origin

NAME = "memberstaff_refresh"


class SessionCookie:
    """What the request's browser keeps, and what it is told to keep: at most one thing, the last that was said."""

    def __init__(self, *, token: str | None, path: str, secure: bool) -> None:
        self.token = token
        """The refresh token that came with the request."""
        self.header: str | None = None
        """The answer's Set-Cookie; None when the browser keeps what it has."""
        self._path = path
        self._secure = secure

    def keep(self, token: str, *, seconds: int) -> None:
        """Let the browser keep this refresh token for so long."""
        self.header = self._written(token, seconds)

    def clear(self) -> None:
        """Let the browser forget what it keeps."""
        self.header = self._written("", 0)

    def _written(self, value: str, seconds: int) -> str:
        secure = "; Secure" if self._secure else ""
        return f"{NAME}={value}; HttpOnly; SameSite=Strict; Path={self._path}; Max-Age={seconds}{secure}"


def session_cookie(scope: Scope) -> SessionCookie | None:
    """The cookie of a request over HTTP; None for a page of another host, which may neither use nor set it."""
    headers = Headers(scope=scope)
    if not is_own_page(headers):
        return None
    # A page that came over https proves it where a proxy in front of this server speaks http to it.
    secure = scope["scheme"] == "https" or headers.get("origin", "").startswith("https://")
    token = cookie_parser(headers.get("cookie", "")).get(NAME)
    return SessionCookie(token=token or None, path=scope["path"], secure=secure)


def is_own_page(headers: Headers) -> bool:
    """Whether a request comes from a page of this host, or from no page at all."""
    origin = headers.get("origin")
    if origin is None or is_same_origin(origin, headers.get("host")):
        return True
    # The browser says so, and no page can: a proxy has given us another Host than the page's.
    return headers.get("sec-fetch-site") == "same-origin"
