"""An end to each conversation with PostgreSQL: a server that hangs looks to its driver like one that thinks.

asyncpg's own time-out asks the server to cancel, and then waits for it without an end. So a connection that does not
answer in time is cut here, and whoever waits for it gets the error of a lost connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from memberstaff import metrics

log = structlog.get_logger(__name__)

APPLICATION_NAME = "memberstaff"
"""Of all connections, in `pg_stat_activity`."""
COMMAND_IDLE_SECONDS = 10.0
"""Between two statements of a command: one that was stopped with Ctrl-Z within an import would keep its locks."""
COMMAND_ANSWER_SECONDS = 3600.0
"""For a statement of a command, such as an import; the database's host may have died without a word."""


@contextmanager
def answered_within(seconds: float, driver_connection: Any) -> Iterator[None]:
    """Cut asyncpg's connection when the block takes longer."""
    timer = asyncio.get_running_loop().call_later(seconds, _cut, driver_connection, seconds)
    try:
        yield
    finally:
        timer.cancel()


def connection_answered_within(seconds: float | None, connection: AsyncConnection) -> AbstractContextManager[None]:
    """`answered_within` for a connection of the pool; no bound without `seconds`, as for SQLite."""
    pooled = None if connection.invalidated else connection.sync_connection
    if seconds is None or pooled is None:
        return nullcontext()
    return answered_within(seconds, pooled.connection.driver_connection)


def connection_arguments(seconds: float | None, *, pgbouncer: bool = False) -> dict[str, Any]:
    """Arguments for `asyncpg.connect`, which make the server give up its side too.

    It ends a transaction whose process has stopped and still holds the day's lock, also that of a command, whose
    statements may take an hour; and it notices a peer that has gone without a word.

    PgBouncer refuses such parameters, which belong to the role then (docs/postgresql.md). With `pool_mode =
    transaction` each transaction may have another session, so nothing may be prepared under a name: what one session
    knows the next does not, and what nobody closes stays.
    """
    timeout = {} if seconds is None else {"timeout": seconds}
    if pgbouncer:
        unprepared = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        return {**timeout, **unprepared, "server_settings": {"application_name": APPLICATION_NAME}}
    idle = COMMAND_IDLE_SECONDS if seconds is None else seconds
    parameters = {
        "application_name": APPLICATION_NAME,
        "idle_in_transaction_session_timeout": _milliseconds(idle),
        "tcp_user_timeout": _milliseconds(2 * idle),
        "tcp_keepalives_idle": "5",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
    }
    if seconds is None:
        parameters["statement_timeout"] = "0"  # also where the role has one
    else:
        # A wait for a lock ends before its connection would be cut, which could be used again.
        parameters["lock_timeout"] = _milliseconds(0.8 * seconds)
        parameters["statement_timeout"] = _milliseconds(2 * seconds)
    return {**timeout, "server_settings": parameters}


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


def _cut(driver_connection: Any, seconds: float) -> None:
    metrics.DATABASE_CONNECTIONS_CUT.inc()
    log.warning("database_connection_cut", unanswered_seconds=seconds)
    driver_connection.terminate()
