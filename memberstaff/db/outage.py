"""Telling an outage of the database from a statement that is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, DisconnectionError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from memberstaff import metrics
from memberstaff.errors import Unavailable

OUTAGES = (
    "08",  # connection exception
    "25P03",  # idle_in_transaction_session_timeout
    "40",  # transaction rollback: deadlock, serialization failure
    "53",  # insufficient resources: too many connections, disk full
    "55P03",  # lock_not_available: lock_timeout
    "57",  # operator intervention: shutdown, crash, statement_timeout, starting up
    "58030",  # io_error
    "XX000",  # internal_error; XX001 and XX002 are corrupt data
)
"""Beginnings of PostgreSQL's SQLSTATEs after which the same statement may succeed a moment later."""

RETRY_SECONDS = 1

SQLITE_OUTAGES = ("database is locked", "database table is locked", "unable to open database file", "disk i/o error")


@contextmanager
def outages(**extensions: bool | None) -> Iterator[None]:
    """Raise Unavailable for an error of the database that says nothing about the statement, and others as they are.

    The extensions are those of the error, such as `applied`.
    """
    try:
        yield
    except (SQLAlchemyError, OSError) as error:  # a refused connection is an OSError, and so is a time-out
        if not is_outage(error):
            raise
        raise _unavailable(extensions) from error


@contextmanager
def unreachable(**extensions: bool | None) -> Iterator[None]:
    """Raise Unavailable for any error: where no transaction can begin, no statement is to blame."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise _unavailable(extensions) from error


def _unavailable(extensions: Mapping[str, bool | None]) -> Unavailable:
    metrics.DATABASE_UNAVAILABLE.inc()
    return Unavailable("The database does not answer. Try again in a moment.", RETRY_SECONDS, **extensions)


def is_outage(error: BaseException) -> bool:
    """Whether the database, not the statement, is what failed."""
    if isinstance(error, OSError | PoolTimeout | DisconnectionError | PendingRollbackError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated or isinstance(error.orig, OSError):
        return True
    if isinstance(error.orig, AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError):
        return True  # a migration has changed a type; SQLAlchemy prepares the statement anew from now on
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(OUTAGES)
    return any(words in str(error.orig).lower() for words in (*SQLITE_OUTAGES, "connection is closed"))
