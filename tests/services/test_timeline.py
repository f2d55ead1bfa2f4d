"""Another timeline of PostgreSQL begins another epoch, before anything is read from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest
from sqlalchemy import func, make_url, select
from structlog.testing import capture_logs

from memberstaff import metrics
from memberstaff.access import COMMAND_LINE
from memberstaff.db import timeline as timelines
from memberstaff.db.database import Database
from memberstaff.db.installation import new_epoch
from memberstaff.db.migrate import migrate
from memberstaff.db.tables import installation
from memberstaff.errors import Unavailable
from tests.databases import OTHERS_ENDED, UTC_ZONE, Databases, Engine, connected

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])

LAST_YEAR = 1_768_000_000_000
PID = select(func.pg_backend_pid())


@pytest.fixture
async def past(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection past the application, to a database whose epoch began long ago."""
    async with connected(database_url) as connection:
        await connection.execute("UPDATE installation SET epoch = $1, timeline = NULL", LAST_YEAR)
        yield connection


@asynccontextmanager
async def process(url: str, **options: Any) -> AsyncIterator[Database]:
    """A process that has not connected yet."""
    database = Database(url, zone=UTC_ZONE, answer_seconds=60, **options)
    yield database
    await database.close()


async def history(database: Database) -> tuple[int, int | None]:
    """Epoch and timeline."""
    async with database.read() as reading:
        row = await reading.row(select(installation.c.epoch, installation.c.timeline))
    assert row is not None
    return row.epoch, row.timeline


async def test_the_first_connection_notes_the_timeline_and_begins_no_epoch(
    past: asyncpg.Connection, database_url: str
) -> None:
    async with process(database_url) as database:
        assert await history(database) == (LAST_YEAR, 1)
        assert (database.timeline.epoch, database.timeline.followed) == (LAST_YEAR, True)


async def test_on_another_timeline_an_epoch_begins_before_anything_is_read(
    past: asyncpg.Connection, database_url: str
) -> None:
    await past.execute("UPDATE installation SET timeline = 7")
    now = await past.fetchval("SELECT (1000 * extract(epoch FROM clock_timestamp()))::bigint")
    async with process(database_url) as database:
        with capture_logs() as logs:
            epoch, timeline = await history(database)
        assert timeline == 1
        assert now <= epoch <= now + 3_600_000
        assert [(line["epoch"], line["timeline"], line["timeline_before"]) for line in logs] == [(epoch, 1, 7)]


async def test_an_epoch_that_a_failover_begins_is_higher_than_one_from_a_clock_that_was_ahead(
    past: asyncpg.Connection, database_url: str
) -> None:
    await past.execute("UPDATE installation SET epoch = 9000000000000, timeline = 7")
    async with process(database_url) as database:
        assert await history(database) == (9_000_000_000_001, 1)


async def test_of_many_connections_that_find_another_timeline_one_begins_an_epoch(
    past: asyncpg.Connection, database_url: str
) -> None:
    await past.execute("UPDATE installation SET epoch = 9000000000000, timeline = 7")
    async with process(database_url) as one, process(database_url) as other:
        found = await asyncio.gather(*(history(database) for database in (one, other) for _ in range(5)))
    assert set(found) == {(9_000_000_000_001, 1)}


async def test_a_process_learns_of_an_epoch_from_its_next_connection_and_replaces_those_before(
    past: asyncpg.Connection, database_url: str
) -> None:
    rises: list[int] = []
    async with process(database_url, pool_size=2, on_epoch=lambda: rises.append(1)) as database:
        async with database.read() as before:
            old = await before.scalar(PID)
            await past.execute("UPDATE installation SET epoch = epoch + 5")
            assert await history(database) == (LAST_YEAR + 5, 1)
        assert (database.timeline.rises, rises) == (1, [1])
        async with database.read() as one, database.read() as other:
            assert old not in {await one.scalar(PID), await other.scalar(PID)}


async def test_a_process_that_hears_of_a_later_epoch_connects_anew(past: asyncpg.Connection, database_url: str) -> None:
    async with process(database_url, pool_size=1) as database:
        async with database.read() as before:
            old = await before.scalar(PID)
        database.timeline.doubt()
        async with database.read() as after:
            assert await after.scalar(PID) != old


async def test_a_connection_that_was_being_made_when_a_later_epoch_was_heard_of_is_replaced_too(
    past: asyncpg.Connection, database_url: str
) -> None:
    waits = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with process(database_url, pool_size=1) as database, connected(database_url) as holder:
        await holder.execute("BEGIN; UPDATE installation SET epoch = epoch")
        reading = asyncio.create_task(pid(database))
        while (waiting := await past.fetchval(waits)) is None:
            await asyncio.sleep(0.01)
        database.timeline.doubt()
        await holder.execute("ROLLBACK")
        assert await reading != waiting


async def pid(database: Database) -> int:
    """Of the session that is read with."""
    async with database.read() as reading:
        return int(await reading.scalar(PID))


def refused() -> float:
    """Connections, so far."""
    return metrics.REGISTRY.get_sample_value("memberstaff_database_connections_refused_total") or 0.0


async def test_a_history_that_a_process_has_seen_the_end_of_is_not_read_until_it_is_said_to_be_meant(
    past: asyncpg.Connection, database_url: str
) -> None:
    async with process(database_url, pool_size=1) as database:
        await past.execute("UPDATE installation SET epoch = epoch + 5")
        assert await history(database) == (LAST_YEAR + 5, 1)
        await past.execute("UPDATE installation SET epoch = epoch - 5")
        before = refused()
        await past.execute(OTHERS_ENDED)
        with capture_logs() as logs:
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await history(database)
        assert refused() > before
        [reason] = [line["reason"] for line in logs if "reason" in line]
        assert reason == (
            f"Its history has epoch {LAST_YEAR}, and this server has seen {LAST_YEAR + 5}: it is an old primary, or a "
            "restored backup. If it is the one to go on with, run `memberstaff new-epoch`."
        )
        async with process(database_url) as command, command.write() as work:
            work.caller = COMMAND_LINE
            epoch = await new_epoch(work)
        assert await history(database) == (epoch, 1)


@pytest.mark.parametrize("found_by_another", [False, True])
async def test_a_higher_timeline_is_gone_on_with_also_if_its_standby_had_not_heard_of_the_last_epoch(
    past: asyncpg.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch, found_by_another: bool
) -> None:
    """And its clock is behind: by the clock alone its epoch would be an old one."""
    ahead = 9_000_000_000_000
    async with process(database_url, pool_size=1) as database, process(database_url) as another:
        await past.execute("UPDATE installation SET epoch = $1", ahead)
        assert await history(database) == (ahead, 1)
        await past.execute("UPDATE installation SET epoch = $1", LAST_YEAR)
        await past.execute(OTHERS_ENDED)
        monkeypatch.setattr(timelines, "_TIMELINE", "SELECT 2")
        if found_by_another:
            epoch, timeline = await history(another)
            assert (LAST_YEAR < epoch < ahead, timeline) == (True, 2)
        with suppress(Unavailable):
            await history(database)  # whose connection was ended
        assert await history(database) == (ahead + 1, 2)
        assert database.timeline.rises == 1


async def test_a_commit_on_an_old_primary_is_not_acknowledged_once_a_later_epoch_is_known(
    past: asyncpg.Connection, database_url: str
) -> None:
    announced: list[object] = []
    async with process(database_url, after_commit=announced.append) as database:
        with pytest.raises(Unavailable) as unknown:
            async with database.write() as work:
                work.announce_roster(LAST_YEAR, 1)
                await past.execute("UPDATE installation SET epoch = epoch + 5")
                await history(database)
        assert unknown.value.extensions["applied"] is None
        assert announced == []


async def test_behind_a_pooler_each_transaction_is_compared(past: asyncpg.Connection, database_url: str) -> None:
    """Its sessions come and go behind a connection that stays."""
    async with process(database_url, pool_size=1, pgbouncer=True) as database:
        assert await history(database) == (LAST_YEAR, 1)
        await past.execute("UPDATE installation SET timeline = 7")
        with pytest.raises(Unavailable):
            await history(database)
        epoch, timeline = await history(database)
        assert (epoch > LAST_YEAR, timeline) == (True, 1)


async def test_a_server_that_does_not_tell_its_timeline_is_used_all_the_same(
    databases: Databases, engine: Engine
) -> None:
    async with databases.empty(engine) as url, connected(url) as owner:
        async with process(url) as installer:
            await migrate(installer.engine)
        await owner.execute("CREATE ROLE timeless LOGIN")
        try:
            await owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO timeless")
            await owner.execute("REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC")
            own = make_url(url).set(username="timeless").render_as_string(hide_password=False)
            with capture_logs() as logs:
                async with process(own) as database:
                    _, timeline = await history(database)
                    assert (timeline, database.timeline.followed) == (None, False)
            assert [line["reason"] for line in logs] == ["permission denied for function pg_walfile_name"]
        finally:
            await owner.execute("DROP OWNED BY timeless; DROP ROLE timeless")
