"""Which names this server answers to.

A page of another site can make its own name resolve to this server (DNS rebinding), and is then of the same origin. Its
requests name that site in `Host`, which a page cannot change.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Collection
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from memberstaff.server.client_address import UNKNOWN, Networks, canonical_address, is_trusted

HOST = re.compile(r"(?P<bracketed>\[[0-9a-fA-F:.]+\])(:\d*)?|(?P<name>[^\s:/?#@\[\],]+)(:\d*)?")
"""RFC 9110, section 7.2."""

LOOPBACK = ("localhost", "*.localhost")
"""Names that resolve to the visitor's own machine."""

MISDIRECTED = (
    "This server does not answer to the name in the address. Whoever runs it can add the name to "
    "MEMBERSTAFF_ALLOWED_HOSTS.\n"
)


class AllowedHosts:
    """The names in a setting, those of this machine, and IP addresses, which are nobody's name.

    A name that begins with `*.` stands for all below it.
    """

    def __init__(self, names: Collection[str], proxies: Networks = ()) -> None:
        own = socket.gethostname().lower()
        allowed = {name.lower() for name in (*names, *LOOPBACK, own, f"{own.partition('.')[0]}.local")}
        self._names = frozenset(name for name in allowed if not name.startswith("*."))
        self._suffixes = tuple(name[1:] for name in allowed if name.startswith("*."))
        self._proxies = proxies

    def allows(self, scope: Scope) -> bool:
        """Whether a request names this server: in Host, and in X-Forwarded-Host if a trusted proxy has sent it.

        Both, since a proxy may put its own name in the first, and a page's own words in the second. A request without
        Host is none of a browser's.
        """
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) > 1:
            return False
        if self._proxies and is_trusted(canonical_address((scope.get("client") or [UNKNOWN])[0]), self._proxies):
            hosts += [part.strip() for line in headers.getlist("x-forwarded-host") for part in line.split(",")]
        return all(map(self.allows_host, hosts))

    def allows_host(self, host: str) -> bool:
        """Whether a host, perhaps with a port, is one of ours."""
        found = HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"]
        if name is None or _is_ip(name):
            return True
        name = name.lower().removesuffix(".")
        return name in self._names or name.endswith(self._suffixes)


def _is_ip(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


async def misdirected(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application that refuses a request to another name."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
    else:
        await PlainTextResponse(MISDIRECTED, 421)(scope, receive, send)
