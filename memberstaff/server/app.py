"""The ASGI application: routes, lifespan and middleware around a schema and a host."""

from __future__ import annotations

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
from memberstaff.server import avatars, metrics
from memberstaff.server.connection_limiter import ConnectionLimiter, ConnectionLimits
from memberstaff.server.graphql_http import HttpEndpoint
from memberstaff.server.host import Host
from memberstaff.server.request_context import RequestContextMiddleware
from memberstaff.server.uvicorn_websocket import SETTINGS
from memberstaff.server.web import BUILT, Site
from memberstaff.server.websocket_endpoint import SocketEndpoint
from memberstaff.settings import Settings

PATH = "/graphql"


class Shell(FastAPI):
    """FastAPI, whose layers serve everything but GraphQL.

    They do nothing for it: of a kept answer they were half of the cost, and for a socket each of them would hold a
    coroutine for as long as it lives, several kilobytes in all.
    """

    graphql: ASGIApp
    sockets: ASGIApp
    settings: Settings
    limits: ConnectionLimits
    other_sockets: dict[str, ASGIApp]
    """By the beginning of their path."""

    def add_sockets(self, prefix: str, endpoint: ASGIApp) -> None:
        """Serve the sockets whose path begins so."""
        self.other_sockets[prefix] = RequestContextMiddleware(endpoint, self.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, a socket or the lifespan."""
        kind = scope["type"]
        path = "" if kind == "lifespan" else scope["path"].removeprefix(scope.get("root_path", ""))
        if path != PATH:
            found = kind == "websocket" and next((each for each in self.other_sockets if path.startswith(each)), None)
            await (self.other_sockets[found] if found else super().__call__)(scope, receive, send)
        elif kind == "http":
            await self.graphql(scope, receive, send)
        else:
            await self.sockets(scope, receive, send)


def create_app(schema: Schema, host: Host, built: Path = BUILT) -> Shell:
    """The application that serves a schema on /graphql, and beside it /health, and the pages that were built.

    Other routers may be added to it; what no route takes is the dashboard's.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with host.running():
            yield {SETTINGS: host.settings}

    # Echo adds the last three to the requests of pages that use axios, jQuery or a session of Laravel's.
    headers = ["Authorization", "Content-Type", "X-Request-ID", "X-CSRF-Token", "X-Requested-With", "X-Socket-ID"]
    cross_origin: dict[str, Any] = {
        "allow_origins": list(host.settings.allowed_origins),
        "allow_methods": ["GET", "POST"],
        "allow_headers": headers,
        "expose_headers": ["X-Request-ID"],
    }
    app = Shell(
        title="memberstaff",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        middleware=[
            Middleware(CORSMiddleware, **cross_origin),
            Middleware(RequestContextMiddleware, settings=host.settings),
        ],
    )
    app.settings, app.other_sockets = host.settings, {}
    app.limits = limits = ConnectionLimits(
        addresses=ConnectionLimiter(host.settings.max_sockets_per_address),
        accounts=ConnectionLimiter(host.settings.max_sockets_per_account),
    )
    http = HttpEndpoint(schema, host, limits)
    app.graphql = CORSMiddleware(RequestContextMiddleware(http, host.settings), **cross_origin)
    app.sockets = RequestContextMiddleware(SocketEndpoint(schema, host, limits), host.settings)

    app.router.default = Site(host.settings, built)
    app.include_router(avatars.router)
    if host.settings.metrics:
        app.include_router(metrics.router(host))

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
