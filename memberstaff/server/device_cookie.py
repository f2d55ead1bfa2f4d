"""The cookie of a known device, which scripts cannot read: see docs/decisions/0019-logins.md.

It is no credential, and is not needed to log in.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Scope

from memberstaff.server.session_cookie import cookies_named, full_name, is_over_tls, serialize

NAME = "memberstaff_device"
MAX_AGE = 400 * 86_400
"""Seconds: the longest that browsers keep a cookie. Each login begins it anew."""


class DeviceCookie:
    """The cookie in a request, and the Set-Cookie header of its response."""

    def __init__(self, value: str | None, *, secure: bool) -> None:
        self.value = value
        """The cookie in the request."""
        self.header: str | None = None
        """The response's Set-Cookie header; None to leave the cookie as it is."""
        self._secure = secure

    def set(self, value: str) -> None:
        """Set the cookie."""
        self.header = serialize(NAME, value, path="/", max_age=MAX_AGE, secure=self._secure)


def device_cookie(scope: Scope) -> DeviceCookie:
    """The cookie of an HTTP request. Over https no other host can have set it (`__Host-`); of two, none is believed."""
    secure = is_over_tls(scope)
    values = cookies_named(Headers(scope=scope), full_name(NAME, secure=secure))
    return DeviceCookie(values[0] if len(values) == 1 else None, secure=secure)
