"""Serves the dashboard, the playground, the reference and their assets, which the build puts next to this module."""

from __future__ import annotations

import hashlib
import os
import stat
from email.utils import formatdate
from mimetypes import guess_type
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from memberstaff.settings import Settings

BUILT = Path(__file__).parent / "web"

NOT_PAGES = frozenset({"app", "assets", "avatars", "broadcasting", "graphql", "health", "metrics"})
"""First segments of paths that are never pages of the dashboard."""

POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'; img-src 'self'"
)
"""'self' covers workers and this host's WebSocket too. More image origins may be appended."""
PLAYGROUND_POLICY = f"{POLICY} data:; font-src 'self' data:; style-src 'self' 'unsafe-inline'"

PAGE = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
NOT_SERVED, SERVED = (b'<meta name="memberstaff-%%s" content="%s"' % word for word in (b"off", b"on"))
"""A meta tag as built, and as served when there is a page of that name to link to: the playground, the reference."""

IMMUTABLE = "public, max-age=31536000, immutable"

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
"""Independent of the machine's MIME types: with `nosniff`, browsers refuse scripts of any other type."""

_is_not_modified = StaticFiles(check_dir=False).is_not_modified

PIECE = 65_536
"""Bytes of a file that are sent at a time: so much is buffered for a slow client, over TLS too."""


class OwnPage(NamedTuple):
    """A page that is not the dashboard's, and is not served to everybody."""

    name: str
    file: str
    policy: str
    disabled: str


OWN_PAGES = {
    "graphiql": OwnPage(
        "playground",
        "graphiql/index.html",
        PLAYGROUND_POLICY,
        "The playground is disabled. Enable it with MEMBERSTAFF_PLAYGROUND=true.\n",
    ),
    "reference": OwnPage(
        "reference",
        "reference/index.html",
        POLICY,
        "The reference is disabled. It is there with the playground (MEMBERSTAFF_PLAYGROUND=true), where everybody may "
        "read the schema (MEMBERSTAFF_INTROSPECTION=true).\n",
    ),
}
"""By the path's first segment."""

NOT_BUILT = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>memberstaff: the dashboard is not built</title>
<h1>The dashboard is not built</h1>
<p>The API is running at <code>/graphql</code>; only the pages are missing.</p>
<p>In a checkout, stop this server and start it with <code>./dev run</code>, which builds them. Elsewhere, install
memberstaff from a wheel, which includes them; <code>./dev wheel</code> builds one.</p>
</html>
"""


class BuiltFile(Response):
    """A file of the build, sent from memory: an open file would cost a descriptor for as long as a client is slow."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        size = len(self.body)
        for start in range(0, max(size, 1), PIECE):
            piece = self.body[start : start + PIECE]
            await send({"type": "http.response.body", "body": piece, "more_body": start + PIECE < size})


class Site:
    """The ASGI application for paths that no route matches."""

    def __init__(self, settings: Settings, built: Path = BUILT) -> None:
        self.built = built
        self.files = StaticFiles(directory=built, check_dir=False)
        playground = settings.demo if settings.playground is None else settings.playground
        self.served = {"playground": playground, "reference": playground and settings.introspects_to_anybody}
        self.policy = " ".join([POLICY, *settings.image_origins])
        self.contents: dict[str, tuple[int, bytes]] = {}
        """The build's files that were asked for, 11 MB at most, each with the time of its last change."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        response = await self.respond(scope["method"], path, Headers(scope=scope))
        await response(scope, receive, send)

    async def respond(self, method: str, path: str, headers: Headers) -> Response:
        """The response for a path, which is not trusted."""
        first, *rest = path.removeprefix("/").split("/")
        is_file = "." in path
        own_page = OWN_PAGES.get(first)
        if (first in NOT_PAGES or (own_page and any(rest))) and not (first == "assets" and is_file):
            return PlainTextResponse("Not found.\n", 404)
        if own_page and not self.served[own_page.name]:
            return PlainTextResponse(own_page.disabled, 404)
        if method not in {"GET", "HEAD"}:
            return PlainTextResponse("Method not allowed. Use GET.\n", 405, {"Allow": "GET, HEAD"})
        if is_file:
            return await anyio.to_thread.run_sync(self.file, path, headers)
        if own_page:
            return await anyio.to_thread.run_sync(self.page, own_page.file, own_page.policy, headers)
        return await anyio.to_thread.run_sync(self.page, "index.html", self.policy, headers)

    def page(self, name: str, policy: str, headers: Headers) -> Response:
        """An HTML page, which browsers revalidate each time."""
        own = {**PAGE, "Content-Security-Policy": policy}
        try:
            text = (self.built / name).read_bytes()
        except FileNotFoundError:
            return HTMLResponse(NOT_BUILT, 503, {**own, "Cache-Control": "no-store"})
        for page, is_served in self.served.items():
            if is_served:
                text = text.replace(NOT_SERVED % page.encode(), SERVED % page.encode())
        own["ETag"] = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
        return or_not_modified(HTMLResponse(text, headers=own), headers)

    def file(self, path: str, headers: Headers) -> Response:
        """A file of the build, gzipped if the client accepts it and the build has a gzipped copy."""
        missing = PlainTextResponse("Not found.\n", 404)
        parts = path.removeprefix("/").split("/")
        suffix = Path(parts[-1]).suffix
        if not {"", ".", ".."}.isdisjoint(parts) or suffix in {".html", ".gz"}:
            return missing
        own = {
            "Cache-Control": IMMUTABLE if parts[0] == "assets" else "no-cache",
            "Content-Security-Policy": self.policy,  # a worker's policy is that of its script
            "Vary": "Accept-Encoding",
        }
        media = TYPES.get(suffix) or guess_type(path)[0]
        for ending, encoding in ((".gz", "gzip"), ("", "")):
            if encoding not in headers.get("accept-encoding", ""):
                continue
            try:
                full_path, status = self.files.lookup_path("/".join(parts) + ending)
            except (OSError, ValueError):  # too long, or not a valid file name
                return missing
            if status is not None and stat.S_ISREG(status.st_mode):
                if encoding:
                    own["Content-Encoding"] = encoding
                own["ETag"] = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
                own["Last-Modified"] = formatdate(status.st_mtime, usegmt=True)
                content = self.content(full_path, status)
                return or_not_modified(BuiltFile(content, headers=own, media_type=media), headers)
        return missing

    def content(self, full_path: str, status: os.stat_result) -> bytes:
        """What a file contains, shared by all who are sent it."""
        changed_at, content = self.contents.get(full_path, (-1, b""))
        if changed_at != status.st_mtime_ns:
            content = Path(full_path).read_bytes()
            self.contents[full_path] = status.st_mtime_ns, content
        return content


def or_not_modified(response: Response, headers: Headers) -> Response:
    """The response, or 304 with its headers if the client's copy is current."""
    if not _is_not_modified(response.headers, headers):
        return response
    cache_headers = {name: value for name, value in response.headers.items() if not name.startswith("content-l")}
    return Response(status_code=304, headers=cache_headers)
