"""The dashboard, the playground and their files: what the build has written beside this module."""

from __future__ import annotations

import hashlib
import stat
from mimetypes import guess_type
from pathlib import Path

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from memberstaff.settings import Settings

BUILT = Path(__file__).parent / "web"

NO_PAGES = frozenset({"app", "assets", "avatars", "broadcasting", "graphql", "health", "metrics"})
"""First segments of paths that are no pages of the dashboard, whatever follows."""

POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'; img-src 'self'"
)
"""'self' covers workers and this host's WebSocket too. The last part is to be continued."""
PLAYGROUND_POLICY = f"{POLICY} data:; font-src 'self' data:; style-src 'self' 'unsafe-inline'"

PAGE = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
NO_PLAYGROUND, HAS_PLAYGROUND = (b'<meta name="memberstaff-playground" content="%s"' % word for word in (b"off", b"on"))
"""What the dashboard's page says of it, as built and as served where there is one; its menu goes by that."""

FOREVER = "public, max-age=31536000, immutable"

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
"""Not left to the machine: with `nosniff`, a browser runs no script that is called anything else."""

NOT_BUILT = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>memberstaff: the dashboard is not built</title>
<h1>The dashboard is not built</h1>
<p>The API runs, at <code>/graphql</code>; only its pages are missing.</p>
<p>In a checkout, stop this server and start it with <code>./dev run</code>: that builds them, and says why if it
cannot. Anywhere else, install memberstaff from a wheel, which carries them; <code>./dev wheel</code> makes one.</p>
</html>
"""


class Site:
    """An ASGI application for every path that no route has taken."""

    def __init__(self, settings: Settings, built: Path = BUILT) -> None:
        self.built = built
        self.files = StaticFiles(directory=built, check_dir=False)
        self.has_playground = settings.demo if settings.playground is None else settings.playground
        self.policy = " ".join([POLICY, *settings.image_origins])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; refuse a socket."""
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        response = await self.respond(scope["method"], path, Headers(scope=scope))
        await response(scope, receive, send)

    async def respond(self, method: str, path: str, headers: Headers) -> Response:
        """The answer for a path, which may be anything that a client can send."""
        first, *rest = path.removeprefix("/").split("/")
        is_file = "." in path
        is_playground = first == "graphiql"
        if (first in NO_PAGES or (is_playground and any(rest))) and not (first == "assets" and is_file):
            return PlainTextResponse("There is nothing here.\n", 404)
        if is_playground and not self.has_playground:
            return PlainTextResponse("The playground is off; MEMBERSTAFF_PLAYGROUND=true turns it on.\n", 404)
        if method not in {"GET", "HEAD"}:
            return PlainTextResponse("This is read with GET.\n", 405, {"Allow": "GET, HEAD"})
        if is_file:
            return await anyio.to_thread.run_sync(self.file, path, headers)
        if is_playground:
            return await anyio.to_thread.run_sync(self.page, "graphiql/index.html", PLAYGROUND_POLICY, headers)
        return await anyio.to_thread.run_sync(self.page, "index.html", self.policy, headers)

    def page(self, name: str, policy: str, headers: Headers) -> Response:
        """An HTML page; asked for again each time, and sent when it has changed."""
        own = {**PAGE, "Content-Security-Policy": policy}
        try:
            text = (self.built / name).read_bytes()
        except FileNotFoundError:
            return HTMLResponse(NOT_BUILT, 503, {**own, "Cache-Control": "no-store"})
        if self.has_playground:
            text = text.replace(NO_PLAYGROUND, HAS_PLAYGROUND)
        own["ETag"] = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
        return self.unless_known(HTMLResponse(text, headers=own), headers)

    def file(self, path: str, headers: Headers) -> Response:
        """A file of the build, packed when the client can unpack it and the build has packed it."""
        missing = PlainTextResponse("There is nothing here.\n", 404)
        parts = path.removeprefix("/").split("/")
        suffix = Path(parts[-1]).suffix
        if not {"", ".", ".."}.isdisjoint(parts) or suffix in {".html", ".gz"}:
            return missing
        own = {
            "Cache-Control": FOREVER if parts[0] == "assets" else "no-cache",
            "Content-Security-Policy": self.policy,  # of a script, it is the policy of the worker that runs it
            "Vary": "Accept-Encoding",
        }
        media = TYPES.get(suffix) or guess_type(path)[0]
        for ending, encoding in ((".gz", "gzip"), ("", "")):
            if encoding not in headers.get("accept-encoding", ""):
                continue
            try:
                full_path, status = self.files.lookup_path("/".join(parts) + ending)
            except (OSError, ValueError):  # too long, or with characters that no file's name can have
                return missing
            if status is not None and stat.S_ISREG(status.st_mode):
                if encoding:
                    own["Content-Encoding"] = encoding
                found = FileResponse(full_path, headers=own, media_type=media, stat_result=status)
                return self.unless_known(found, headers)
        return missing

    def unless_known(self, response: Response, headers: Headers) -> Response:
        """The response, or that the client's copy is still good, with the same headers: they take the copy's place."""
        if not self.files.is_not_modified(response.headers, headers):
            return response
        kept = {name: value for name, value in response.headers.items() if not name.startswith("content-l")}
        return Response(status_code=304, headers=kept)
