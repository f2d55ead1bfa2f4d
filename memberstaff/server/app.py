"""The ASGI application: routes, lifespan and middleware around a schema and a host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from memberstaff.engine.schema import Schema
from memberstaff.metrics import is_shared
from memberstaff.server import avatars, log_writer, metrics
from memberstaff.server.allowed_hosts import AllowedHosts, misdirected
from memberstaff.server.connection_limiter import ConnectionLimiter, ConnectionLimits
from memberstaff.server.graphql_http import HttpEndpoint
from memberstaff.server.host import Host
from memberstaff.server.open_connections import OPEN_CONNECTIONS, OpenConnections, of_settings
from memberstaff.server.request_context import RequestContextMiddleware
from memberstaff.server.schema_file import SchemaFile
from memberstaff.server.strangers import Strangers
from memberstaff.server.uvicorn_websocket import SETTINGS
from memberstaff.server.web import BUILT, Site
from memberstaff.server.websocket_endpoint import SocketEndpoint
from memberstaff.settings import Settings

PATH = "/graphql"

CLIENT_HEADERS = (
    *("Authorization", "Content-Type", "X-Request-ID"),
    # Apollo's clients, and what other servers want of them against forged requests
    *("Apollographql-Client-Name", "Apollographql-Client-Version"),
    *("X-Apollo-Operation-Id", "X-Apollo-Operation-Name", "X-Apollo-Operation-Type"),
    *("Apollo-Require-Preflight", "GraphQL-Require-Preflight"),
    # Tracing: W3C, which OpenTelemetry uses, and Sentry
    *("Traceparent", "Tracestate", "Baggage", "Sentry-Trace"),
    # Event streams
    *("Cache-Control", "Last-Event-ID"),
    # Laravel Echo, from pages that use axios, jQuery or Laravel sessions
    *("X-CSRF-Token", "X-Requested-With", "X-Socket-ID"),
)
"""Request headers that front ends on other hosts may send."""

NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI's own would send query strings and the messages of exceptions: see docs/decisions/0035-traces.md."""

PREFLIGHT_SECONDS = 7_200
"""How long a browser need not ask again: as long as Chromium remembers at the most."""


class ServerApp(FastAPI):
    """A FastAPI application whose GraphQL endpoints bypass FastAPI's middleware and routing.

    Those were half of the cost of a cached response, and would hold several kilobytes of coroutines for each socket.
    """

    allowed_hosts: AllowedHosts
    misdirected: ASGIApp
    graphql: ASGIApp
    graphql_ws: ASGIApp
    settings: Settings
    limits: ConnectionLimits
    open_connections: OpenConnections
    websocket_mounts: dict[str, ASGIApp]
    """By path prefix."""

    def mount_websocket(self, prefix: str, endpoint: ASGIApp) -> None:
        """Serve WebSockets whose path starts with the prefix."""
        self.websocket_mounts[prefix] = RequestContextMiddleware(endpoint, self.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind != "lifespan" and not self.allowed_hosts.allows(scope):
            await self.misdirected(scope, receive, send)
            return
        path = "" if kind == "lifespan" else scope["path"].removeprefix(scope.get("root_path", ""))
        if path != PATH:
            prefixes = self.websocket_mounts if kind == "websocket" else ()
            found = next((prefix for prefix in prefixes if path.startswith(prefix)), None)
            await (self.websocket_mounts[found] if found else super().__call__)(scope, receive, send)
        elif kind == "http":
            await self.graphql(scope, receive, send)
        else:
            await self.graphql_ws(scope, receive, send)


def create_app(schema: Schema, host: Host, built: Path = BUILT) -> ServerApp:
    """The application that serves a schema at /graphql, health checks at /health, and the dashboard in `built`.

    Other routers may be added; the dashboard gets the paths that no route matches.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        try:
            async with host.running(), gauges_kept_updated():
                yield {SETTINGS: host.settings, OPEN_CONNECTIONS: app.open_connections}
        finally:
            log_writer.end()

    @asynccontextmanager
    async def gauges_kept_updated() -> AsyncIterator[None]:
        updating = asyncio.create_task(gauges.keep_updated()) if is_shared() and host.settings.metrics else None
        try:
            yield
        finally:
            if updating is not None:
                updating.cancel()
                await asyncio.wait({updating})

    cross_origin: dict[str, Any] = {
        "allow_origins": host.settings.allowed_origins,
        "allow_methods": ("GET", "POST"),
        "allow_headers": (*CLIENT_HEADERS, *host.settings.cors_headers),
        "expose_headers": ("Retry-After", "X-Request-ID"),
        "max_age": PREFLIGHT_SECONDS,
    }
    app = ServerApp(
        title="memberstaff",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        telemetry=NO_TELEMETRY,
        middleware=[
            Middleware(CORSMiddleware, **cross_origin),
            Middleware(RequestContextMiddleware, settings=host.settings),
        ],
    )
    app.settings, app.websocket_mounts = host.settings, {}
    app.limits = limits = ConnectionLimits(
        addresses=ConnectionLimiter(host.settings.max_sockets_per_address, "address_connections"),
        accounts=ConnectionLimiter(host.settings.max_sockets_per_account, "account_connections"),
    )
    app.open_connections = of_settings(host.settings)
    gauges = metrics.Gauges(host, app.open_connections)
    app.allowed_hosts = AllowedHosts(host.settings.allowed_hosts, host.settings.proxy_networks)
    app.misdirected = RequestContextMiddleware(misdirected, host.settings)
    strangers = Strangers(host)
    http = HttpEndpoint(schema, host, limits, strangers)
    app.graphql = CORSMiddleware(RequestContextMiddleware(http, host.settings), **cross_origin)
    app.graphql_ws = RequestContextMiddleware(SocketEndpoint(schema, host, limits, strangers), host.settings)

    app.router.default = Site(host.settings, built)
    app.router.add_route("/schema.graphql", SchemaFile(schema, host, strangers).respond, include_in_schema=False)
    app.include_router(avatars.router)
    if host.settings.metrics:
        app.include_router(metrics.router(gauges))

    @app.get("/health/live", include_in_schema=False)
    async def live() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        is_ready, detail = await host.readiness()
        return JSONResponse(
            {"status": "ok" if is_ready else "unavailable", **detail}, status_code=200 if is_ready else 503
        )

    return app
