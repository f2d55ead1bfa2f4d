"""Runs Alembic from code: there is no alembic.ini to find, and the settings name the database."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from memberstaff.db.deadline import answered_within

HERE = Path(__file__).parent / "migrations"

MIGRATION_SECONDS = 86_400.0
"""For all of one: the database's host may die without a word."""

# An advisory lock, so that nodes starting together migrate one after the other. Any number will do.
_LOCK = 5_370_114_628_991_001


def config(connection: Connection) -> Config:
    """Alembic's configuration for an open connection."""
    configuration = Config()
    configuration.set_main_option("script_location", str(HERE))
    configuration.attributes["connection"] = connection
    return configuration


async def migrate(engine: AsyncEngine, revision: str = "head") -> None:
    """Upgrade the tables to this release, or to `revision`, within a day."""

    def upgrade(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        command.upgrade(config(connection), revision)

    async with engine.connect() as connection:
        connection = await connection.execution_options(memberstaff_writes=True)
        driver_connection = (await connection.get_raw_connection()).driver_connection
        ends = connection.dialect.name == "postgresql"
        with answered_within(MIGRATION_SECONDS, driver_connection) if ends else nullcontext():
            async with connection.begin():
                await connection.run_sync(upgrade)


@cache
def newest_revision() -> str | None:
    """The revision that this release expects; reading it from the files costs milliseconds."""
    return ScriptDirectory(str(HERE)).get_current_head()


async def is_current(engine: AsyncEngine) -> bool:
    """Whether the tables are exactly this release's."""

    def check(connection: Connection) -> bool:
        return MigrationContext.configure(connection).get_current_revision() == newest_revision()

    async with engine.connect() as connection:
        return await connection.run_sync(check)
