"""A migration takes as long as it takes, and one that was killed is no obstacle to the next."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from memberstaff.db.database import Database
from memberstaff.db.migrate import Interrupted, migrate, newest_revision
from tests.databases import UTC_ZONE, Databases, connected
from tests.newer_release import NEXT, newer_release
from tests.services.command_line import environment

pytestmark = [pytest.mark.parametrize("engine", ["postgresql"]), pytest.mark.usefixtures("engine")]

IN_A_TRANSACTION = """
def upgrade():
    op.execute("SELECT pg_sleep(0.3)")
"""
WITHOUT_ONE = """
def upgrade():
    with op.get_context().autocommit_block():
        op.execute("SELECT pg_sleep(0.3)")
"""


@pytest.fixture
async def url(databases: Databases) -> AsyncIterator[str]:
    """A migrated database, whose tables may be altered."""
    async with databases.empty("postgresql") as empty:
        database = Database(empty, zone=UTC_ZONE)
        await migrate(database.engine)
        await database.close()
        yield empty


async def revision(url: str) -> str:
    async with connected(url) as connection:
        found: str = await connection.fetchval("SELECT version_num FROM alembic_version")
    return found


async def test_a_role_s_time_out_of_statements_is_not_for_migrations(url: str, tmp_path: Path) -> None:
    """But for an index behind PgBouncer, where no session is the migration's own."""
    async with connected(url) as owner:
        await owner.execute(f"ALTER DATABASE {make_url(url).database} SET statement_timeout = '100ms'")
    direct = Database(url, zone=UTC_ZONE, pool_size=2)
    pooled = Database(url, zone=UTC_ZONE, pool_size=2, pgbouncer=True)
    first = f"{int(newest_revision()) + 1:04}"
    with newer_release(tmp_path / "next", IN_A_TRANSACTION, WITHOUT_ONE):
        with pytest.raises(Interrupted, match="with an address that leads to PostgreSQL itself"):
            await migrate(pooled.engine)
        assert await revision(url) == first
        await migrate(direct.engine)
        assert await revision(url) == newest_revision() > first
    async with direct.read() as reading:
        assert await reading.scalar(text("SHOW statement_timeout")) == "0"
    async with pooled.read() as reading:
        assert await reading.scalar(text("SHOW statement_timeout")) == "100ms"
    await direct.close()
    await pooled.close()


BY_ITSELF = """
import asyncio, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from memberstaff.db import migrate
from memberstaff.db.database import Database

migrate.HERE = Path(sys.argv[1])
asyncio.run(migrate.migrate(Database(sys.argv[2], zone=ZoneInfo("UTC"), pool_size=2).engine))
"""
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.mark.parametrize("last_before", [-4, -1], ids=["that alters a table", "that builds an index"])
async def test_after_a_migration_that_was_killed_in_the_middle_the_next_one_goes_on(
    url: str, tmp_path: Path, last_before: int
) -> None:
    folder = tmp_path / "next"
    with newer_release(folder):
        database = Database(url, zone=UTC_ZONE, pool_size=2)
        await migrate(database.engine, f"{int(NEXT) + last_before:04}")
        async with connected(url) as other, connected(url) as observer:
            await other.execute("BEGIN; LOCK TABLE attendance IN ROW EXCLUSIVE MODE")  # as a mark does
            command = [sys.executable, "-c", BY_ITSELF, str(folder), url]
            process = await asyncio.create_subprocess_exec(*command, env=environment(url))
            while not await observer.fetchval(WAITING):
                assert process.returncode is None
            process.kill()
            await process.wait()
        await migrate(database.engine)
        assert await revision(url) == NEXT
        async with connected(url) as other:
            assert await other.fetchval("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
        await database.close()
