"""What is called an outage, so that it is waited for and tried again; a statement that is wrong never is."""

from __future__ import annotations

import asyncio
import sqlite3
import threading

import asyncpg
import pytest
from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from memberstaff.db import sqlite
from memberstaff.db.database import Database
from memberstaff.db.outage import is_outage, outages
from memberstaff.db.timeline import Timeline
from memberstaff.errors import Unavailable
from memberstaff.notify.notification import Notification
from tests.databases import UTC_ZONE, Databases
from tests.freezing import line_to
from tests.infrastructure.postgres import Postgres, PostgresServer
from tests.infrastructure.process import free_port
from tests.waiting import WAIT_SECONDS, until

AWAY = "The database does not answer. Try again in a moment."
ONLY_POSTGRES = pytest.mark.parametrize("engine", ["postgresql"])
ONLY_SQLITE = pytest.mark.parametrize("engine", ["sqlite"])


async def ask(database: Database, *statements: str) -> None:
    """Send these in one reading."""
    async with database.read() as reading:
        for statement in statements:
            await reading.scalar(text(statement))


async def alter(database: Database, statement: str) -> None:
    """Change a table, as a migration does, and keep it."""
    async with database.write() as work:
        await work.write(text(statement))


async def still_answers(database: Database) -> bool:
    async with database.read() as reading:
        return bool(await reading.scalar(text("SELECT 1")) == 1)


def raising(sqlstate: str) -> str:
    """A statement during which PostgreSQL finds this condition."""
    return f"DO $$ BEGIN RAISE EXCEPTION 'found' USING ERRCODE = '{sqlstate}'; END $$"


PASSES = [
    *("08000", "08006"),  # the connection
    "25P03",  # idle in a transaction for too long
    *("40001", "40P01"),  # serialization, deadlock
    *("53100", "53200", "53300"),  # disk, memory, connections
    "55P03",  # a lock that could not be had in time
    *("57014", "57P01", "57P02", "57P03"),  # cancelled, shutting down, crashed, starting up
    "58030",  # input and output
    "XX000",  # PostgreSQL's own mistake
]
STAYS = ["0A000", "22P02", "23503", "23505", "25006", "25P02", "42501", "42601", "42P01", "55000", "55006", "P0001"]


@ONLY_POSTGRES
async def test_a_statement_whose_types_a_migration_has_changed_is_prepared_anew(database: Database) -> None:
    await alter(database, "CREATE TABLE probe AS SELECT 1 AS number")
    await ask(database, "SELECT number FROM probe")
    await alter(database, "ALTER TABLE probe ALTER number TYPE bigint")
    with pytest.raises(Unavailable):
        await ask(database, "SELECT number FROM probe")
    await ask(database, "SELECT number FROM probe")


@ONLY_POSTGRES
async def test_a_condition_that_passes_is_an_outage_and_one_that_would_be_found_again_is_not(
    database: Database,
) -> None:
    found: dict[type[Exception], list[str]] = {Unavailable: [], DBAPIError: []}
    for sqlstate in (*PASSES, *STAYS):
        try:
            await ask(database, raising(sqlstate))
        except Unavailable as refused:
            assert refused.message == AWAY
            found[Unavailable].append(sqlstate)
        except DBAPIError as failed:
            assert not is_outage(failed)
            found[DBAPIError].append(sqlstate)
        assert await still_answers(database)
    assert found == {Unavailable: PASSES, DBAPIError: STAYS}


@pytest.mark.parametrize("statement", ["SELECT 1 FROM nowhere", "SELECT nothing FROM staff", "SELEKT 1"])
async def test_a_statement_that_is_wrong_is_no_outage(database: Database, statement: str) -> None:
    with pytest.raises(DBAPIError) as failed:
        await ask(database, statement)
    assert not is_outage(failed.value)


async def test_a_row_that_breaks_a_rule_is_no_outage(database: Database) -> None:
    day = text("INSERT INTO attendance_day (date, working) VALUES ('2026-01-12', true)")
    with pytest.raises(IntegrityError):
        async with database.write() as work:
            await work.write(day)
            await work.write(day)


async def test_an_error_that_is_not_the_databases_is_no_outage(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.read():
            raise ZeroDivisionError
    assert not is_outage(ZeroDivisionError())


@ONLY_POSTGRES
async def test_a_statement_that_takes_too_long_is_an_outage(database: Database) -> None:
    with pytest.raises(Unavailable):
        await ask(database, "SELECT set_config('statement_timeout', '1', true)", "SELECT pg_sleep(5)")


@ONLY_POSTGRES
async def test_a_lock_that_is_not_had_in_time_is_an_outage(database: Database) -> None:
    async with database.write() as work:
        await work.write(text("LOCK TABLE staff"))
        with pytest.raises(Unavailable):
            await ask(database, "SELECT set_config('lock_timeout', '1', true)", "SELECT count(*) FROM staff")


@ONLY_POSTGRES
async def test_a_connection_that_the_server_ends_is_an_outage_until_the_reading_ends(database: Database) -> None:
    answered = []
    with pytest.raises(Unavailable):  # also when all of its statements were caught
        async with database.read() as reading:
            for statement in ("SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1", "SELECT 1"):
                with pytest.raises(Unavailable):
                    answered.append(await reading.scalar(text(statement)))
    assert answered == []
    assert await still_answers(database)


LAST_WORDS = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
FAREWELL = b"E" + (4 + len(LAST_WORDS)).to_bytes(4) + LAST_WORDS


@ONLY_POSTGRES
async def test_a_connection_whose_end_is_told_and_still_to_come_is_an_outage(database_url: str) -> None:
    async with line_to(database_url) as line:
        database = Database(line.url, zone=UTC_ZONE, pool_size=1)
        assert await still_answers(database)
        await line.say_last(FAREWELL)
        with pytest.raises(Unavailable):
            await still_answers(database)
        told = []
        with pytest.raises(Unavailable):
            async with database.write() as work:
                await work.scalar(text("SELECT 1"))
                await line.say_last(FAREWELL)
                for _ in range(2):
                    with pytest.raises(Unavailable) as failed:
                        await work.scalar(text("SELECT 1"))
                    told.append(failed.value.extensions)
        assert told == [{"retryAfter": 1, "applied": False}] * 2
        assert await still_answers(database)
        await database.close()


@ONLY_POSTGRES
async def test_a_connection_whose_end_is_told_while_it_is_made_is_an_outage(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line_to(database_url) as line:
        database = Database(line.url, zone=UTC_ZONE, pool_size=1)
        follow = Timeline.follow

        async def follow_to_the_end(timeline: Timeline, connection: asyncpg.Connection) -> int:
            await line.say_last(FAREWELL)
            return await follow(timeline, connection)

        with monkeypatch.context() as ending, pytest.raises(Unavailable):
            ending.setattr(Timeline, "follow", follow_to_the_end)
            await still_answers(database)
        assert await still_answers(database)
        await database.close()


@ONLY_POSTGRES
async def test_a_commit_without_an_answer_is_an_outage_of_unknown_outcome_and_announced_to_nobody(
    database_url: str,
) -> None:
    """Whether it was stored cannot be told: whoever tries again must know that it may have been."""
    announced: list[Notification] = []
    database = Database(database_url, zone=UTC_ZONE, after_commit=announced.append)
    with pytest.raises(Unavailable) as failed:
        async with database.write() as work:
            work.announce_roster(5, 1)
            process = await work.scalar(text("SELECT pg_backend_pid()"))
            await ask(database, f"SELECT pg_terminate_backend({process}, 5000)")
    assert failed.value.extensions == {"retryAfter": 1, "applied": None}
    assert announced == []
    assert await still_answers(database)
    await database.close()


async def test_a_connection_that_does_not_come_free_in_time_is_an_outage(database_url: str) -> None:
    engine = create_async_engine(database_url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    async with engine.connect():
        with pytest.raises(Unavailable), outages():
            await engine.connect()
    await engine.dispose()


@ONLY_SQLITE
async def test_a_locked_file_is_an_outage(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MILLISECONDS", 1)
    database = Database(database_url, zone=UTC_ZONE)
    other = sqlite3.connect(str(make_url(database_url).database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        async with database.write():
            pytest.fail("There is one writer at a time.")
    async with database.read() as reading:
        with pytest.raises(Unavailable):  # here it is a statement that finds the lock
            await reading.scalar(text("UPDATE installation SET roster_version = roster_version RETURNING 1"))
    other.execute("ROLLBACK")
    other.close()
    async with database.write() as work:
        assert await work.scalar(text("SELECT 1")) == 1
    await database.close()


@ONLY_SQLITE
async def test_whoever_waits_for_other_writers_of_a_process_does_not_wait_for_all_of_them(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memberstaff.db.database.BUSY_MILLISECONDS", 1)
    database = Database(database_url, zone=UTC_ZONE)
    async with database.write():
        with pytest.raises(Unavailable) as unavailable:
            async with asyncio.timeout(WAIT_SECONDS), database.write():
                pytest.fail("There is one writer at a time.")
    assert unavailable.value.extensions == {"retryAfter": 1, "applied": False}
    async with database.write() as writing:
        assert await writing.scalar(text("SELECT 1")) == 1
    await database.close()


@ONLY_SQLITE
async def test_a_connection_that_is_closed_and_stopped_at_once_leaves_nobody_waiting(database_url: str) -> None:
    database = Database(database_url, zone=UTC_ZONE)
    async with database.engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        closing = asyncio.create_task(driver.close())
        await asyncio.sleep(0)
        driver.stop()  # as SQLAlchemy does when its wait for `close` is cancelled
        await asyncio.wait_for(closing, WAIT_SECONDS)
        await connection.invalidate()
    await database.close()


async def refused(url: str | URL) -> str:
    """What whoever reads or writes is told, where no transaction can begin."""
    address = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    database = Database(address, zone=UTC_ZONE)
    messages = set()
    for way in (database.read, database.write):
        with pytest.raises(Unavailable) as unavailable:
            async with way():
                pytest.fail("Nothing should have begun.")
        messages.add(unavailable.value.message)
    await database.close()
    [message] = messages
    return message


async def test_a_port_where_nobody_listens_is_an_outage() -> None:
    assert await refused(f"postgresql+asyncpg://somebody@127.0.0.1:{free_port()}/memberstaff") == AWAY


async def test_a_file_in_a_folder_that_is_not_there_is_an_outage(databases: Databases) -> None:
    before = set(threading.enumerate())
    async with databases.fresh("sqlite") as url:
        address = make_url(url)
        assert await refused(address.set(database=f"{address.database}.d/memberstaff.db")) == AWAY
    await until(lambda: before >= set(threading.enumerate()))  # aiosqlite's last words need a loop that still runs


async def test_a_database_or_a_role_that_does_not_exist_is_an_outage(postgres_server: Postgres) -> None:
    """As after a restore that is not finished: a statement that has not begun is not to blame."""
    url = make_url(postgres_server.create_database())
    assert await refused(url.set(database="nowhere")) == AWAY
    assert await refused(url.set(username="nobody_of_this_name", password="")) == AWAY
    postgres_server.drop_database(url.render_as_string(hide_password=False))


@pytest.fixture
async def guarded(own_postgres: PostgresServer) -> URL:
    """A database that asks the role `marker` for its password."""
    url = own_postgres.create_database()
    database = Database(url, zone=UTC_ZONE)
    async with database.read() as reading:
        rules = await reading.scalar(text("SELECT current_setting('hba_file')"))
        own = make_url(url).username
    async with database.write() as work:
        await work.write(text("CREATE ROLE marker LOGIN PASSWORD 'right'"))
        lines = f"(VALUES ('local all {own} trust'), ('local all all scram-sha-256'))"
        await work.write(text(f"COPY {lines} TO '{rules}'"))
        await work.write(text("SELECT pg_reload_conf()"))
    await database.close()
    return make_url(url).set(username="marker")


async def test_a_wrong_password_is_an_outage_since_one_is_sometimes_changed_on_one_side_first(guarded: URL) -> None:
    assert await refused(guarded.set(password="wrong")) == AWAY
    database = Database(guarded.set(password="right").render_as_string(hide_password=False), zone=UTC_ZONE)
    assert await still_answers(database)
    await database.close()
