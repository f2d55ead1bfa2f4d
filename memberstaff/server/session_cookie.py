"""The cookie that keeps a browser logged in: a refresh token that scripts cannot read.

See docs/decisions/0011-web-sessions.md. The functions are for any cookie of ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import Scope
from strawberry.http.websocket_origin import is_same_origin

NAME = "memberstaff_refresh"


class SessionCookie:
    """The cookie in a request, and the Set-Cookie header of its response."""

    def __init__(self, *, tokens: Sequence[str], path: str, secure: bool) -> None:
        self.token = tokens[0] or None if len(tokens) == 1 else None
        """The refresh token in the request."""
        self.ambiguous = len(tokens) > 1
        """Whether there were several, of which none is used: a host beside ours may have set one of them."""
        self.header: str | None = None
        """The response's Set-Cookie header; None to leave the cookie as it is."""
        self._path = path
        self._secure = secure

    def set(self, token: str, *, max_age: int) -> None:
        """Set the cookie; `max_age` is in seconds."""
        self.header = serialize(NAME, token, path=self._path, max_age=max_age, secure=self._secure)

    def clear(self) -> None:
        """Delete the cookie."""
        self.set("", max_age=0)


def session_cookie(scope: Scope) -> SessionCookie | None:
    """The cookie of an HTTP request; None for a cross-origin request, which may neither use nor set it."""
    headers = Headers(scope=scope)
    if not is_same_origin_request(headers):
        return None
    secure = is_over_tls(scope)
    tokens = cookies_named(headers, full_name(NAME, secure=secure))
    return SessionCookie(tokens=tokens, path=scope["path"], secure=secure)


def full_name(name: str, *, secure: bool) -> str:
    """A cookie's name in the headers. Only this host can set one with the prefix, and only over TLS (RFC 6265bis)."""
    return f"__Host-{name}" if secure else name


def serialize(name: str, value: str, *, path: str, max_age: int, secure: bool) -> str:
    """A Set-Cookie header; `max_age` is in seconds. Over TLS the cookie is for all paths, as its prefix demands."""
    attributes = f"HttpOnly; SameSite=Strict; Path={'/' if secure else path}; Max-Age={max_age}"
    return f"{full_name(name, secure=secure)}={value}; {attributes}{'; Secure' if secure else ''}"


def cookies_named(headers: Headers, name: str) -> list[str]:
    """The values of all cookies with exactly this name. Several were set by several hosts, or for several paths.

    Stricter than `http.cookies`: nothing but spaces and tabs is trimmed, since a browser that is offered a name behind
    another kind of space takes it for another name, and does not hold it to the rules of its prefix.
    """
    pairs = (pair.strip(" \t").partition("=") for header in headers.getlist("cookie") for pair in header.split(";"))
    return [value for found, equals, value in pairs if found == name and equals]


def is_over_tls(scope: Scope) -> bool:
    """Whether the page was loaded over https. A proxy may end TLS before us, but the page's origin shows it."""
    return scope["scheme"] == "https" or Headers(scope=scope).get("origin", "").startswith("https://")


def is_same_origin_request(headers: Headers) -> bool:
    """Whether a request is same-origin, or does not come from a page."""
    origin = headers.get("origin")
    if origin is None or is_same_origin(origin, headers.get("host")):
        return True
    # A proxy may have changed Host. Browsers set this header, and pages cannot.
    return headers.get("sec-fetch-site") == "same-origin"
