"""What every request passes: it gets a name and an address, its answer safe headers, the log one line."""

from __future__ import annotations

import json
import logging
import time

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memberstaff.server.connection import Connection, connection
from memberstaff.settings import Settings

log = logging.getLogger("memberstaff.request")
KEY = "memberstaff.connection"

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of answers that do not say otherwise; the dashboard's pages do."""


def connection_of(scope: Scope) -> Connection:
    """The connection that RequestContextMiddleware has described."""
    found: Connection = scope[KEY]
    return found


class RequestContextMiddleware:
    """The outermost layer but CORS: nothing raised inside gets past it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and see to its answer."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        here = scope[KEY] = connection(scope, self.settings.proxy_networks)
        began = time.perf_counter()
        status: int | None = None

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] in {"http.response.start", "websocket.accept"}:
                status = message.get("status", 101)
                headers = MutableHeaders(raw=list(message.get("headers", [])))
                headers["X-Request-ID"] = here.request_id
                if message["type"] == "http.response.start":
                    for name, value in SAFE.items():
                        headers.setdefault(name, value)
                message["headers"] = headers.raw
            elif message["type"] == "websocket.close" and status is None:
                status = 403
            await send(message)

        # Not its context manager, which would cost a generator for as long as a socket lives.
        bound = structlog.contextvars.bind_contextvars(request_id=here.request_id)
        try:
            await self.app(scope, receive, sending)
        except Exception:
            log.exception("a request failed")
            if scope["type"] == "http" and status is None:
                await _sorry(here.request_id, sending)
        finally:
            log.info(
                "request",
                extra={
                    "method": scope.get("method", "WEBSOCKET"),
                    # As it came, percent-encoded: a decoded path can hold line breaks. No query string.
                    "path": scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0],
                    "status": status,
                    "ms": round((time.perf_counter() - began) * 1000, 1),
                    "address": here.address,
                },
            )
            structlog.contextvars.reset_contextvars(**bound)


async def _sorry(request_id: str, send: Send) -> None:
    message = f"Something went wrong on our side; the reference is {request_id}."
    body = json.dumps({"errors": [{"message": message, "extensions": {"code": "INTERNAL"}}]}).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 500,
            "headers": [(b"content-type", b"application/json; charset=utf-8")],
        }
    )
    await send({"type": "http.response.body", "body": body})
