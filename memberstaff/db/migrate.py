"""Runs Alembic from code: there is no alembic.ini to find, and the settings name the database.

Releases run side by side while they are exchanged. So a migration only adds, a process serves with any tables that are
at least its own, and what older processes could not show, keep or enforce comes with `finish`, after which they do not
serve any more: docs/decisions/0031-side-by-side.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from memberstaff.db.deadline import answered_within
from memberstaff.db.sqlite import is_served, write_option

HERE = Path(__file__).parent / "migrations"

OPTIONS = {
    "render_as_batch": True,  # SQLite alters a table by copying it
    "transaction_per_migration": True,
}
"""Alembic's, for each context."""
MIGRATION_SECONDS = 86_400.0
"""For all of one: the database's host may die without a word."""
LOCK_TIMEOUT = "2s"
"""For a lock on a table: whoever uses the table waits behind a migration that waits."""
ATTEMPTS = 10
"""To get the locks, which whoever uses a table may have for longer."""
RETRY_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 0.5
"""Between two looks whether another node still migrates."""
SIDE_BY_SIDE_SINCE = "0009"
"""The first revision that knows which processes may serve. Up to it nothing serves while tables are migrated."""

_NO_LOCK = {"55P03", "40P01"}
"""SQLSTATEs: lock_timeout, and a deadlock."""
_CANCELLED = "57014"
"""SQLSTATE of statement_timeout, and of an administrator's pg_cancel_backend."""
# An advisory lock, so that nodes starting together migrate one after the other. Any number will do.
_LOCK = 5_370_114_628_991_001


# PostgreSQL has transaction_timeout from 17 on.
_LIFT = text("SELECT set_config(name, '0', true) FROM pg_settings WHERE name = ANY(:names)")


class Compatibility(StrEnum):
    """Whether this release may serve with a database's tables, in the words of `/health/ready`."""

    COMPATIBLE = "well"
    NOT_MIGRATED = "not migrated"
    TOO_NEW = "finished for a later release"


class Incompatible(Exception):
    """A release cannot serve with the database's tables."""

    def __init__(self, compatibility: Compatibility) -> None:
        super().__init__(
            "The database was finished for a later release with `memberstaff migrate --finish`. Install that one."
            if compatibility is Compatibility.TOO_NEW
            else "The database's schema is not that of this release. Run `memberstaff migrate` first."
        )


class Interrupted(Exception):
    """A migration could not be done now; the message says what to do. Those before it are done."""


def config(connection: Connection) -> Config:
    """Alembic's configuration for an open connection."""
    configuration = Config()
    configuration.set_main_option("script_location", str(HERE))
    configuration.attributes["connection"] = connection
    return configuration


async def migrate(engine: AsyncEngine, revision: str = "head") -> None:
    """Upgrade the tables to this release, or to `revision`, within a day; leaves those of a later release alone.

    New tables, and those beside which no earlier release serves, are finished too. On PostgreSQL each migration is a
    transaction of its own, so that none keeps another's locks, and the engine needs two connections: one holds the lock
    against other nodes. Raises Interrupted.
    """

    def upgrade(connection: Connection) -> None:
        if (_revision(connection) or "") < newest_revision():
            _leave_autobegun(connection)
            if connection.dialect.name == "sqlite" and is_served(connection.engine.url.database or ""):
                raise Interrupted(
                    "A server has the database open, and SQLite is upgraded stopped: stop it, copy the file, and run "
                    "`memberstaff migrate` again."
                )
            command.upgrade(config(connection), revision)

    async with _alone(engine) as connection:
        before = await connection.run_sync(_revision) or ""
        await _patiently(connection, upgrade)
        if before < SIDE_BY_SIDE_SINCE and revision == "head":
            await _patiently(connection, _finish)


async def finish(engine: AsyncEngine) -> None:
    """End the time in which releases before this one may serve; the tables must have been migrated.

    Runs `finish` of each migration that has one, unless that was done; what has begun can be repeated. Raises
    Interrupted.
    """
    async with _alone(engine) as connection:
        await _patiently(connection, _finish)


def _finish(connection: Connection) -> None:
    least = _least_revision(connection) or ""
    _leave_autobegun(connection)
    context = MigrationContext.configure(connection, opts=OPTIONS)
    for script in reversed([*ScriptDirectory(str(HERE)).walk_revisions()]):
        if script.revision <= least or script.revision < SIDE_BY_SIDE_SINCE:
            continue
        with context.begin_transaction(_per_migration=True), Operations.context(context):
            if hasattr(script.module, "finish"):
                script.module.finish()
            connection.execute(text("UPDATE installation SET least_revision = :it"), {"it": script.revision})


@cache
def newest_revision() -> str:
    """The revision that this release expects; reading it from the files costs milliseconds."""
    newest = ScriptDirectory(str(HERE)).get_current_head()
    assert newest is not None
    return newest


async def compatibility(engine: AsyncEngine) -> Compatibility:
    """Whether this release may serve: the tables are at least its own, and were not finished for a later one."""

    def check(connection: Connection) -> Compatibility:
        if (_revision(connection) or "") < newest_revision():
            return Compatibility.NOT_MIGRATED
        if (_least_revision(connection) or "") > newest_revision():
            return Compatibility.TOO_NEW
        return Compatibility.COMPATIBLE

    async with engine.connect() as connection:
        return await connection.run_sync(check)


def _revision(connection: Connection) -> str | None:
    """Of the tables. Revisions are numbers of four digits, so that those of later releases can be compared too."""
    return MigrationContext.configure(connection).get_current_revision()


def _least_revision(connection: Connection) -> str | None:
    """The least that a process must know to serve; None: any since SIDE_BY_SIDE_SINCE."""
    least: str | None = connection.scalar(text("SELECT least_revision FROM installation"))
    return least


@asynccontextmanager
async def _alone(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection to migrate with, while no other node does.

    On SQLite it is in a transaction, which is all; on PostgreSQL in none, and whatever it begins waits for no lock
    longer than LOCK_TIMEOUT, and takes as long as it takes, also if the role's statements may not.
    """
    async with engine.connect() as connection:
        connection = await connection.execution_options(**write_option())
        if connection.dialect.name != "postgresql":
            async with connection.begin():
                yield connection
            return

        @event.listens_for(connection.sync_connection, "begin")
        def bound(begun: Connection) -> None:
            begun.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            begun.execute(_LIFT, {"names": ["statement_timeout", "transaction_timeout"]})

        driver_connection = (await connection.get_raw_connection()).driver_connection
        with answered_within(MIGRATION_SECONDS, driver_connection):
            async with _locked(engine):
                yield connection


@asynccontextmanager
async def _locked(engine: AsyncEngine) -> AsyncIterator[None]:
    """The lock of whoever migrates, in a transaction of another connection.

    It asks again and again: a node that waited for the lock would have a snapshot, for whose end CREATE INDEX
    CONCURRENTLY waits.
    """
    while True:
        async with engine.begin() as connection:
            if await connection.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}):
                await connection.execute(_LIFT, {"names": ["transaction_timeout"]})
                # The last one: what a SELECT has read would be kept, and CREATE INDEX CONCURRENTLY wait for it.
                await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                yield
                return
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def _patiently(connection: AsyncConnection, work: Callable[[Connection], None]) -> None:
    """Do it, and again when a lock was not to be had: what was committed is not done anew. Raises Interrupted."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await connection.run_sync(work)
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            if state == _CANCELLED:
                raise Interrupted(
                    "PostgreSQL has cancelled a statement of a migration; those before it are done. If the role has a "
                    "statement_timeout, it holds behind PgBouncer for an index that is built beside marks: run "
                    "`memberstaff migrate` again with an address that leads to PostgreSQL itself, and without "
                    "MEMBERSTAFF_DATABASE_PGBOUNCER."
                ) from error
            if state not in _NO_LOCK:
                raise
            if attempt == ATTEMPTS:
                raise Interrupted(
                    f"A migration has tried {ATTEMPTS} times to lock a table, for {LOCK_TIMEOUT} each, and others were "
                    "using it all the time; those before it are done, and nothing of this one. Run `memberstaff "
                    "migrate` again when there is less to do: an import, a backup or a forgotten transaction "
                    "(pg_stat_activity tells) keeps tables for long."
                ) from error
            await connection.rollback()
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


def _leave_autobegun(connection: Connection) -> None:
    """End the transaction that a SELECT began, on PostgreSQL, or Alembic would leave each COMMIT to us."""
    if connection.dialect.name == "postgresql":
        connection.rollback()
