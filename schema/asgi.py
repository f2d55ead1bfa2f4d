"""The ASGI application: connects schema and application. Server processes load `serve_alone` by name."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from prometheus_client import Gauge

from memberstaff import metrics
from memberstaff.access import Caller
from memberstaff.application import Application
from memberstaff.changes import Change
from memberstaff.engine.limits import Limits
from memberstaff.engine.request import OperationRequest
from memberstaff.engine.response_cache import CachedResponse, CachePolicy, ContentCoding, ResponseCache
from memberstaff.engine.schema import Schema
from memberstaff.errors import RequestError
from memberstaff.fanout.byte_lru import ByteLRU
from memberstaff.pusher.mount import mount
from memberstaff.server import app as server
from memberstaff.server.connection import Connection
from memberstaff.server.host import limits_of
from memberstaff.settings import Settings, load

from .context import Context
from .ids import global_id
from .root import make_schema

COLLECTED_AFTER = (10_000, 5, 10)
"""The collector's thresholds. A collection of young objects frees 10,000 at most, and one of the next generation looks
at 50,000: others wait for 20 ms. At 50,000 and a million, a client that sent documents, or opened connections, had them
wait for 160. One of all objects begins after 500,000 and when a quarter of them is new, as Python has it: what has
lived for a moment and knows itself, such as a connection or a document, is freed by nothing else."""

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
            "Reason",
            "Staff",
        }
    ),
    excluded=frozenset({("Staff", "attendance")}),
)
"""These types depend only on the day, the roster and the caller's role; `Staff.attendance` depends on other days."""


class GraphQLHost:
    """The application as the server's `Host`."""

    def __init__(self, application: Application, schema: Schema) -> None:
        self.application = application
        self.schema = schema
        self.responses = ResponseCache(schema, ByteLRU(application.settings.response_cache_bytes), CACHE_POLICY)

    @property
    def settings(self) -> Settings:
        return self.application.settings

    def context(self, connection: Connection, operation_id: str | None) -> Context:
        return Context(self.application, connection, operation_id)

    async def cached_response(
        self, context: Context, request: OperationRequest, coding: ContentCoding | None
    ) -> CachedResponse | None:
        try:
            return await self.responses.response(context, request, coding)
        except RequestError:
            return None  # executing it reports the error

    async def authenticate(self, connection: Connection) -> Caller:
        return await self.application.admit(connection, connection.authorization)

    def admission(self, connection: Connection) -> AbstractAsyncContextManager[None]:
        account_id = connection.account_id
        return nullcontext() if account_id is None else self.application.admission.turn(account_id)

    async def stranger(self, connection: Connection) -> RequestError | None:
        try:
            connection.account_id = (await self.application.accounts.claims(connection.authorization)).account_id
        except RequestError as error:
            return error.with_traceback(None)
        return None

    def session_of(self, token: str) -> str | None:
        accounts = self.application.accounts
        return accounts.session_of(token) or accounts.session_named_by(token)

    def device_of(self, cookie: str | None) -> str | None:
        return self.application.accounts.device_of(cookie)

    async def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        return await self.application.readiness()

    def gauges(self) -> Mapping[Gauge, float]:
        return {
            **self.application.gauges(),
            metrics.RESPONSE_CACHE_BYTES: self.responses.cache.bytes,
            metrics.DOCUMENT_CACHE_BYTES: self.schema.documents.bytes,
        }

    def running(self) -> AbstractAsyncContextManager[None]:
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
    """`create_app` for a process of its own, with the garbage collector tuned.

    Objects that exist now live as long as the process, so they are frozen: while thousands of boards connected,
    collections that traversed the schema and the libraries took a third of the time.
    """
    app = create_app()
    tune_collector()
    return app


def tune_collector() -> None:
    """Leave what exists now to itself, and collect what comes after it in short collections."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


def export_sdl() -> str:
    """The content of schema.graphql."""
    return make_schema(Limits()).as_str()
