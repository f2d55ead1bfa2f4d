"""Joins the schema to the application: what a server process loads, by the string "schema.asgi:serve_alone"."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from memberstaff.access import Caller
from memberstaff.application import Application
from memberstaff.changes import Change
from memberstaff.engine.limits import Limits
from memberstaff.engine.request import OperationRequest
from memberstaff.engine.response_cache import CachePolicy, ResponseCache
from memberstaff.engine.schema import Schema
from memberstaff.errors import RequestError
from memberstaff.fanout.byte_lru import ByteLRU
from memberstaff.pusher.mount import mount
from memberstaff.server import app as server
from memberstaff.server.connection import Connection
from memberstaff.server.host import limits_of
from memberstaff.settings import Settings, load
from schema.context import Context
from schema.ids import global_id
from schema.root import make_schema

CACHE_POLICY = CachePolicy(
    field="attendanceDay",
    argument="date",
    types=frozenset(
        {
            "AttendanceDay",
            "DaySummary",
            "AttendanceConnection",
            "AttendanceEdge",
            "Attendance",
            "AttendanceRevisionConnection",
            "AttendanceRevisionEdge",
            "AttendanceRevision",
            "PageInfo",
            "Staff",
        }
    ),
    excluded=frozenset({("Staff", "attendance")}),
)
"""Whatever these types show depends on the day, the roster and the caller's role; `Staff.attendance` on other days."""


class GraphQLHost:
    """The application as the server asks for it."""

    def __init__(self, application: Application, schema: Schema) -> None:
        self.application = application
        self.schema = schema
        self.responses = ResponseCache(schema, ByteLRU(application.settings.response_cache_bytes), CACHE_POLICY)

    @property
    def settings(self) -> Settings:
        """Of the application."""
        return self.application.settings

    def context(self, connection: Connection, operation_id: str | None) -> Context:
        """A fresh context for one operation."""
        return Context(self.application, connection, operation_id)

    async def cached_response(self, context: Context, request: OperationRequest) -> bytes | None:
        """The answer to a query whose answers are cached; None for what has to be executed, perhaps to be refused."""
        try:
            return await self.responses.response(context, request)
        except RequestError:
            return None

    async def authenticate(self, connection: Connection) -> Caller:
        """Who holds the connection's token; raises Unauthenticated."""
        return await self.application.admit(connection, connection.authorization)

    async def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether requests can be served."""
        return await self.application.readiness()

    def gauges(self) -> Mapping[str, tuple[float, str]]:
        """What this process does at this moment."""
        return {
            **self.application.gauges(),
            "response_cache_bytes": (self.responses.cache.bytes, "Memory of cached answers."),
            "response_cache_hits": (self.responses.cache.hits, "Requests that were given a cached answer."),
            "document_cache_bytes": (self.schema.documents.bytes, "Memory of parsed documents, at most."),
        }

    def running(self) -> AbstractAsyncContextManager[None]:
        """Everything that lives as long as the process."""
        return self.application.running()


def create_app(application: Application | None = None) -> Any:
    """The ASGI application; without arguments it reads its settings from the environment.

    Raises InvalidSettings.
    """
    application = application or Application(load())
    settings = application.settings
    schema = make_schema(limits_of(settings), suggestions=settings.introspection or settings.demo)
    app = server.create_app(schema, GraphQLHost(application, schema))
    mount(app, application, ids=_ids, account_id=lambda number: global_id("Account", number))
    return app


def _ids(change: Change) -> tuple[str, str]:
    return global_id("Attendance", change.staff_id, change.date), global_id("Staff", change.staff_id)


def serve_alone() -> Any:
    """`create_app` for a process that does nothing else, where garbage is looked for less often.

    What is alive now stays, so no collection looks at it again: while thousands of boards connect, looking at the
    schema and the libraries took a third of the time.
    """
    app = create_app()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    return app


def export_sdl() -> str:
    """The schema in GraphQL's own language, sorted: what schema.graphql holds."""
    return make_schema(Limits(), in_order=True).as_str().rstrip() + "\n"
