"""Makes SQLite give the same guarantees as PostgreSQL."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, event

log = structlog.get_logger(__name__)

_WRITES = "memberstaff_writes"

_SERVED = "-served"

BUSY_MILLISECONDS = 10_000
"""How long a writer waits for another process's transaction before it fails."""


def write_option() -> dict[str, bool]:
    """The execution option that makes a connection's transaction a write transaction."""
    return {_WRITES: True}


def prepare_sqlite(engine: Engine) -> None:
    """Make every connection begin its transactions explicitly, commit durably, and enforce foreign keys.

    Python's driver sends no BEGIN before a SELECT, so a snapshot would not be one; and upgrading a deferred
    transaction to a write fails at once with "database is locked", whatever the timeout.

    A new file can be read by its owner alone, whatever the umask: it holds notes, addresses and password hashes. SQLite
    gives its -wal and -shm the same mode. One that everybody can read is left as it is, with a warning.
    """
    _warn_of_readers(engine.url.database or "")

    @event.listens_for(engine, "do_connect")
    def _create_unread_by_others(_dialect: Any, _record: Any, arguments: list[Any], _options: dict[str, Any]) -> None:
        file = arguments[0]
        if file != ":memory:" and not os.path.exists(file):  # noqa: PTH110 - SQLite's own words for a path
            with suppress(OSError):  # SQLite says better what is wrong
                os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        if hasattr(connection.driver_connection, "stop"):  # aiosqlite, from 0.22.1 on
            _stop_once(connection.driver_connection)
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


@contextmanager
def serving(file: str) -> Iterator[None]:
    """Have `is_served` say so for as long as the block lasts, or the process.

    The lock is on a file beside the database's: to open and close that itself would release the locks of SQLite.
    """
    with ExitStack() as stack:
        with suppress(OSError):  # no place for it, or a file system without such locks
            opened = stack.enter_context(os.fdopen(os.open(file + _SERVED, os.O_CREAT | os.O_RDWR, 0o600)))
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield


def is_served(file: str) -> bool:
    """Whether a process serves the database in this file."""
    with suppress(FileNotFoundError), open(file + _SERVED, "rb") as opened:  # noqa: PTH123 - SQLite's own words for a path
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _warn_of_readers(file: str) -> None:
    with suppress(OSError):
        if Path(file).stat().st_mode & stat.S_IROTH:
            log.warning("The database's file is readable for every user; make it yours alone (chmod 600)", file=file)


def _stop_once(driver_connection: Any) -> None:
    """Have the thread of a connection stopped once, however often it is told to.

    SQLAlchemy stops a connection whose `close` is cancelled, and aiosqlite's `close` then waits, after its own `stop`,
    for the answer of a thread that has ended.
    """
    stop, ended = driver_connection.stop, None

    def once() -> Any:
        nonlocal ended
        if ended is None:
            ended = stop()
        return ended

    driver_connection.stop = once
