"""Ending transactions whose process was stopped between two messages of one statement.

asyncpg prepares a statement with Parse, Describe and Flush, and executes it with Bind, Execute and Sync. A process that
is stopped in between leaves its session `active`, waiting for its client: PostgreSQL then applies neither
`idle_in_transaction_session_timeout`, since the session is not idle, nor `statement_timeout`, which it ignores while it
reads from the client. (`transaction_timeout`, of version 17, would end long imports as well.) So whoever has waited for
a lock in vain ends such sessions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from memberstaff import metrics
from memberstaff.db.deadline import APPLICATION_NAME, answered_within
from memberstaff.errors import Unavailable

log = structlog.get_logger(__name__)

LOCK_NOT_AVAILABLE = "55P03"

# Only writers hold locks that others wait for, and only they have a transaction id. The selected columns are computed
# for what all conditions let through; a function among the conditions might be called first.
_END = text(
    """SELECT pid, pg_terminate_backend(pid) AS ended FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = :application AND pg_has_role(usesysid, 'USAGE')
    AND state = 'active' AND wait_event_type = 'Client' AND backend_xid IS NOT NULL
    AND state_change < clock_timestamp() - make_interval(secs => :seconds)"""
)


@asynccontextmanager
async def ended_after_waiting(engine: AsyncEngine, seconds: float | None) -> AsyncIterator[None]:
    """When the block has waited for a lock in vain, end those who may hold it and have been stopped.

    They have said nothing for half of `seconds`, which is less than the block has waited: it may have begun before they
    were stopped. Enter it before the transaction, so that its connection can be used again. Raises what the block
    raises.
    """
    try:
        yield
    except Unavailable as error:
        if seconds is not None and _waited_for_lock(error.__cause__):
            with suppress(SQLAlchemyError, OSError):
                await _end(engine, seconds)
        raise


def _waited_for_lock(error: BaseException | None) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE


async def _end(engine: AsyncEngine, seconds: float) -> None:
    async with engine.connect() as connection:
        pooled = await connection.get_raw_connection()
        with answered_within(seconds, pooled.driver_connection):
            found = await connection.execute(_END, {"application": APPLICATION_NAME, "seconds": seconds / 2})
            if processes := [row.pid for row in found if row.ended]:
                metrics.STALLED_TRANSACTIONS_ENDED.inc(len(processes))
                log.warning("stalled_transactions_ended", postgresql_pids=processes)
