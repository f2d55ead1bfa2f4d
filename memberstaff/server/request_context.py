"""Middleware for every request: its id and client address, headers that every response has, and a log line."""

from __future__ import annotations

import json
import logging
import time

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected

from memberstaff import metrics, origin
from memberstaff.engine.masking import internal_error
from memberstaff.server.connection import Connection, connection
from memberstaff.server.refusals import FOR_NOW, RETRY_SECONDS
from memberstaff.settings import Settings

log = logging.getLogger("memberstaff.request")
KEY = "memberstaff.connection"

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of responses that do not set them; the dashboard's pages do."""

ROUTES = {
    "graphql": "graphql",
    "broadcasting": "echo",
    "health": "health",
    "metrics": "metrics",
    "avatars": "avatar",
    "schema.graphql": "schema",
}
"""Of HTTP requests in the metrics, by the first segment of the path; all others are pages."""

STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
"""ASGI messages with the headers of a response."""

HSTS = "max-age=31536000"
"""Of responses over TLS (RFC 6797). Without subdomains, which are not ours; a proxy that ends TLS adds its own."""


def connection_of(scope: Scope) -> Connection:
    """The request's connection, set by RequestContextMiddleware."""
    found: Connection = scope[KEY]
    return found


class RequestContextMiddleware:
    """The outermost middleware but CORS: it answers an exception with an INTERNAL error."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        here = scope[KEY] = connection(scope, self.settings.proxy_networks)
        began = time.perf_counter()
        status: int | None = None

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] in STARTS:
                status = message.get("status", 101)
                observe(scope, status, began)
                if here.span is not None:
                    here.span.answered(status)
                headers = MutableHeaders(raw=list(message.get("headers", [])))
                headers["X-Request-ID"] = here.request_id
                if message["type"] != "websocket.accept":
                    for name, value in SECURITY_HEADERS.items():
                        headers.setdefault(name, value)
                    if scope["scheme"] == "https":
                        headers["Strict-Transport-Security"] = HSTS
                    if status in FOR_NOW:
                        headers.setdefault("Retry-After", str(RETRY_SECONDS))
                message["headers"] = headers.raw
            elif message["type"] == "websocket.close" and status is None:
                status = 403
                observe(scope, status, began)
            await send(message)

        # Not structlog's context manager: a generator for as long as the socket lives.
        bound = structlog.contextvars.bind_contextvars(request_id=here.request_id)
        try:
            with origin.coming_from(origin.Origin(here.address, here.user_agent)):
                await self.app(scope, receive, send_with_headers)
        except ClientDisconnected:
            raise  # a socket's, before it was accepted: uvicorn expects it
        except Exception:
            log.exception("Request failed")
            if scope["type"] == "http" and status is None:
                await _send_internal_error(here.request_id, send_with_headers)
        finally:
            if here.span is not None:
                here.span.left()
            log.info(
                "request",
                extra={
                    "method": scope.get("method", "WEBSOCKET"),
                    # Percent-encoded, since a decoded path can contain line breaks; without the query string.
                    "path": scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0],
                    "status": status,
                    "ms": round((time.perf_counter() - began) * 1000, 1),
                    "address": here.address,
                },
            )
            structlog.contextvars.reset_contextvars(**bound)


def observe(scope: Scope, status: int, began: float) -> None:
    """Observe how long a request took until its answer begins."""
    if not metrics.observed:
        return
    segment = scope["path"].removeprefix(scope.get("root_path", "")).strip("/").partition("/")[0]
    route = ROUTES.get(segment, "page") if scope["type"] == "http" else "echo" if segment == "app" else "socket"
    outcome = "answered" if status < 400 else "refused" if status < 500 else "failed"
    metrics.REQUEST_DURATION.labels(route, outcome).observe(time.perf_counter() - began)


async def _send_internal_error(request_id: str, send: Send) -> None:
    error = internal_error(request_id)
    metrics.ERRORS.labels(error.code.value).inc()
    body = json.dumps({"errors": [{"message": error.message, "extensions": {"code": error.code.value}}]}).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 500,
            "headers": [(b"content-type", b"application/json; charset=utf-8")],
        }
    )
    await send({"type": "http.response.body", "body": body})
