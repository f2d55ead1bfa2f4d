"""The engine with its pool, and the two ways to use it: a reading, and a unit of work that ends with its COMMIT."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import QueuePool, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from memberstaff import metrics, tracing
from memberstaff.changes import Visibility
from memberstaff.db import deadline, hosts
from memberstaff.db.clock import Clock, utc_now
from memberstaff.db.outage import outages, unreachable
from memberstaff.db.pool import NOT_REPLICATED, check_commit, watch_connections
from memberstaff.db.sqlite import BUSY_MILLISECONDS, prepare_sqlite, serving, write_option
from memberstaff.db.stalled import ended_after_waiting
from memberstaff.db.timeline import CHECK, Timeline
from memberstaff.db.work import Reading, Work
from memberstaff.notify.notification import Notification
from memberstaff.tracing import OFF

if TYPE_CHECKING:
    from opentelemetry.trace import Span

NOTHING_MORE = Visibility()
CLOSE_SECONDS = 10.0
"""Until a command's connections are given up that the server does not close."""


_ENDS = metrics.STATEMENT_DURATION.labels("end")


class Database:
    """The engine, and the two ways to use it: `read` and `write`.

    `after_commit` is called with the notification of each committed work, so that this module need not know who
    listens, and `on_epoch` when a failover has begun another epoch. They must neither block nor raise. `answer_seconds`
    bounds each wait for PostgreSQL: for a connection, a lock, a statement, a COMMIT; without it, as for imports, a
    statement may take an hour. With `pgbouncer`, in transaction mode, nothing is left in a session, and each
    transaction compares the timeline, since connections outlive a failover.
    """

    def __init__(
        self,
        url: str,
        *,
        zone: ZoneInfo,
        pool_size: int = 10,
        answer_seconds: float | None = None,
        pgbouncer: bool = False,
        after_commit: Callable[[Notification], None] = lambda _notification: None,
        on_epoch: Callable[[], None] = lambda: None,
        clock: Clock = utc_now,
        visibility: Visibility = NOTHING_MORE,
    ) -> None:
        self._zone = zone
        self.visibility = visibility
        self._clock = clock
        self._after_commit = after_commit
        address = make_url(url)
        self.is_sqlite = address.get_backend_name() == "sqlite"
        self._answer_seconds = None if self.is_sqlite else answer_seconds or deadline.COMMAND_ANSWER_SECONDS
        self._close_seconds = answer_seconds or CLOSE_SECONDS
        self.timeline = Timeline(on_epoch)
        arguments: dict[str, Any] = {}
        if not self.is_sqlite:
            arguments = deadline.connection_arguments(answer_seconds, pgbouncer=pgbouncer)
            arguments |= hosts.connection_arguments(address, self.timeline)
        self.engine: AsyncEngine = create_async_engine(
            address,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=answer_seconds or 10,
            connect_args=arguments,
            hide_parameters=True,  # errors are logged, and a failed statement's parameters are notes and names
        )
        self._checks_timeline = pgbouncer
        # SQLite has one writer at a time. Queueing here is fair; its own busy handler sleeps and retries.
        self._writer = asyncio.Lock() if self.is_sqlite else None
        if self._answer_seconds is None:
            prepare_sqlite(self.engine.sync_engine)
        else:
            watch_connections(self.engine.sync_engine, self._answer_seconds, self.timeline)

    def serving(self) -> AbstractContextManager[None]:
        """Keep `migrate` from copying SQLite's tables for as long as the block lasts."""
        file = self.engine.url.database
        return serving(file) if self.is_sqlite and file and file != ":memory:" else nullcontext()

    def now(self) -> datetime:
        """The current instant, by the clock that this database's work uses."""
        return self._clock()

    def _terms(self) -> dict[str, Any]:
        return {
            "now": self._clock(),
            "zone": self._zone,
            "visibility": self.visibility,
            "answer_seconds": self._answer_seconds,
        }

    @property
    def connections_used(self) -> int:
        """Connections of the pool that are in use."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    @asynccontextmanager
    async def read(self, *, shared: bool = False) -> AsyncIterator[Reading]:
        """A read-only snapshot; leave it soon, since it holds a connection. Raises Unavailable.

        Several tasks may read from it; `shared` if they are given up one by one.
        """
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self._traced("read"), outages():
            async with AsyncExitStack() as stack:
                connection = await self._begin(stack, options)
                reading = Reading(connection, shared=shared, **self._terms())
                try:
                    yield reading
                finally:
                    await reading.end()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Work]:
        """A transaction: committed and then announced when the block ends, rolled back when it raises.

        Raises Unavailable, with `applied` False when nothing of it was stored, and None when the answer to the COMMIT
        was lost, or a failover may lose it.
        """
        with self._traced("write") as span, outages(applied=None):
            waiting = ended_after_waiting(self.engine, self._answer_seconds)
            async with waiting, self._turn_to_write(), AsyncExitStack() as stack:
                connection = await self._begin(stack, write_option(), applied=False)
                work = Work(connection, **self._terms())
                work.span = span
                try:
                    with outages(applied=False):
                        yield work
                        await work.log_access_changes()
                finally:
                    await work.end()
                info = connection.info
                info.pop(NOT_REPLICATED, None)
            check_commit(info, self.timeline)
        if work.notification is not None:
            self._after_commit(work.notification)

    def _traced(self, kind: str) -> AbstractContextManager[Span | None]:
        """The span of a transaction, to read or to write, if this is traced."""
        return tracing.spans.transaction("sqlite" if self.is_sqlite else "postgresql", kind) if tracing.on else OFF

    @asynccontextmanager
    async def _turn_to_write(self) -> AsyncIterator[None]:
        """The writer of this process, on SQLite. Raises Unavailable when those before it take too long.

        Otherwise each of them would wait in turn, while another process has the file locked.
        """
        if self._writer is None:
            yield
            return
        with unreachable(applied=False):
            async with asyncio.timeout(BUSY_MILLISECONDS / 1000):
                with metrics.timed(metrics.LOCK_WAIT):
                    await self._writer.acquire()
        try:
            yield
        finally:
            self._writer.release()

    async def _begin(
        self, stack: AsyncExitStack, options: Mapping[str, Any], **extensions: bool | None
    ) -> AsyncConnection:
        """A connection in a transaction, which ends with the stack. Raises Unavailable, whatever the reason."""
        with unreachable(**extensions):
            connection = await stack.enter_async_context(self.engine.connect())
            connection = await connection.execution_options(**options)
            transaction = await connection.begin()
            if self._checks_timeline and self.timeline.followed:
                await self._check_timeline(connection)

        async def end(*error: Any) -> None:
            # The block's own error says more than a rollback that finds the same connection dead.
            failed = suppress(SQLAlchemyError, OSError) if error[0] is not None else nullcontext()
            answered = deadline.connection_answered_within(self._answer_seconds, connection)
            with failed, answered, metrics.timed(_ENDS):
                await transaction.__aexit__(*error)

        stack.push_async_exit(end)
        return connection

    async def _check_timeline(self, connection: AsyncConnection) -> None:
        """Let go of a connection that a pooler has led to another primary; the next one begins an epoch there."""
        with deadline.connection_answered_within(self._answer_seconds, connection):
            found = (await connection.exec_driver_sql(CHECK)).one()
        if not found.current or found.epoch != connection.info["epoch"]:
            await connection.invalidate()
            metrics.DATABASE_CONNECTIONS_REFUSED.inc()
            raise ConnectionError("This connection leads to another epoch than it began with.")

    async def close(self) -> None:
        """Close every connection; the driver waits for PostgreSQL to close its side, which a frozen one never does."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._close_seconds):
                await self.engine.dispose()
