"""Makes SQLite give the same guarantees as PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event

_WRITES = "memberstaff_writes"

BUSY_MILLISECONDS = 10_000
"""How long a writer waits for another process's transaction before it fails."""


def write_option() -> dict[str, bool]:
    """The execution option that makes a connection's transaction a write transaction."""
    return {_WRITES: True}


def prepare_sqlite(engine: Engine) -> None:
    """Make every connection begin its transactions explicitly, commit durably, and enforce foreign keys.

    Python's driver sends no BEGIN before a SELECT, so a snapshot would not be one; and upgrading a deferred
    transaction to a write fails at once with "database is locked", whatever the timeout.
    """

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # NORMAL may lose an acknowledged commit in a power failure
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
