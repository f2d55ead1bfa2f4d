"""Releases run side by side on one database, until it is finished for the later one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError

from memberstaff import application
from memberstaff.application import Application
from memberstaff.db import migrate as migrating
from memberstaff.db.database import Database
from memberstaff.db.migrate import (
    SIDE_BY_SIDE_SINCE,
    Compatibility,
    Incompatible,
    Interrupted,
    compatibility,
    finish,
    migrate,
    newest_revision,
)
from memberstaff.db.tables import installation
from memberstaff.settings import Settings
from tests.databases import UTC_ZONE, Databases, Engine, connected
from tests.newer_release import MIGRATIONS, NEXT, newer_release
from tests.services.command_line import memberstaff, said


@pytest.fixture
async def url(databases: Databases, engine: Engine) -> AsyncIterator[str]:
    """A migrated database, whose tables may be altered."""
    async with databases.empty(engine) as empty:
        database = Database(empty, zone=UTC_ZONE)
        await migrate(database.engine)
        await database.close()
        yield empty


@pytest.fixture
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url, zone=UTC_ZONE)
    yield database
    await database.close()


@pytest.fixture
async def unfinished(databases: Databases, engine: Engine) -> AsyncIterator[Database]:
    """A database beside which an earlier release may still serve."""
    async with databases.empty(engine) as empty:
        database = Database(empty, zone=UTC_ZONE)
        await migrate(database.engine, SIDE_BY_SIDE_SINCE)
        await migrate(database.engine)
        yield database
        await database.close()


async def revision(database: Database) -> str:
    async with database.read() as reading:
        found: str = await reading.scalar(text("SELECT version_num FROM alembic_version"))
    return found


async def least(database: Database) -> str | None:
    async with database.read() as reading:
        found: str | None = await reading.scalar(select(installation.c.least_revision))
    return found


def serving(url: str) -> Application:
    return Application(
        Settings(database_url=url, broadcast_url="memory://", secret_key="a secret for tests that is long enough")
    )


async def test_a_process_starts_and_is_ready_beside_a_database_of_a_later_release(
    url: str, opened: Database, tmp_path: Path
) -> None:
    with newer_release(tmp_path / "next"):
        assert await compatibility(opened.engine) is Compatibility.NOT_MIGRATED
        await migrate(opened.engine)
        assert await compatibility(opened.engine) is Compatibility.COMPATIBLE
    assert await compatibility(opened.engine) is Compatibility.COMPATIBLE
    old = serving(url)
    async with old.running():
        assert (await old.readiness())[0]


async def test_migrating_with_an_earlier_release_leaves_the_tables_of_a_later_one_alone(
    url: str, opened: Database, tmp_path: Path
) -> None:
    with newer_release(tmp_path / "next"):
        await migrate(opened.engine)
    done = memberstaff("migrate", url=url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "The database is up to date.\n", "")
    assert await revision(opened) == NEXT


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_sqlite_is_not_migrated_beside_a_server(url: str, opened: Database, tmp_path: Path) -> None:
    refused = "A server has the database open, and SQLite is upgraded stopped: stop it, copy the file, and run"
    with newer_release(tmp_path / "next"):
        newer = newest_revision()
    async with serving(url).running():
        done = memberstaff("migrate", url=url)
        assert (done.returncode, done.stdout, done.stderr) == (0, "The database is up to date.\n", "")
        with newer_release(tmp_path / "next"), pytest.raises(Interrupted, match=refused):
            await migrate(opened.engine)
    assert await revision(opened) == newest_revision() < newer
    with newer_release(tmp_path / "next"):
        await migrate(opened.engine)
    assert await revision(opened) == newer


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_database_that_was_finished_is_for_its_own_release_and_later_ones(
    url: str, opened: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "READINESS_FRESH_SECONDS", 0)
    old = serving(url)
    async with old.running():
        with newer_release(tmp_path / "next"):
            await migrate(opened.engine)
        assert (await old.readiness())[0]
        with newer_release(tmp_path / "next"):
            await finish(opened.engine)
            await finish(opened.engine)
            assert await compatibility(opened.engine) is Compatibility.COMPATIBLE
        assert await old.readiness() == (False, {"database": "finished for a later release", "live": "well"})
    with pytest.raises(Incompatible, match="was finished for a later release"):
        async with serving(url).running():
            pass
    assert await least(opened) == NEXT
    for arguments in (("migrate",), ("migrate", "--finish"), ("account", "list")):
        done = memberstaff(*arguments, url=url)
        assert (done.returncode, " ".join(done.stderr.split())) == (
            1,
            "The database was finished for a later release with `memberstaff migrate --finish`. Install that one.",
        )
    assert await least(opened) == NEXT


async def test_new_tables_are_finished_since_no_earlier_release_serves_beside_them(opened: Database) -> None:
    assert await least(opened) == newest_revision()


async def test_finishing_says_what_it_has_done_and_can_be_repeated(unfinished: Database) -> None:
    assert await least(unfinished) is None
    for _ in range(2):
        done = memberstaff("migrate", "--finish", url=unfinished.engine.url.render_as_string(hide_password=False))
        assert (done.returncode, " ".join(done.stdout.split())) == (
            0,
            "The database is up to date. Processes of earlier releases are no longer ready.",
        )
        assert await least(unfinished) == newest_revision()


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_what_earlier_releases_cannot_enforce_is_refused_by_the_database_until_it_is_finished(
    opened: Database, tmp_path: Path
) -> None:
    hire = "INSERT INTO account (display_name, role, created_at) VALUES ('Ada', 'AUDITOR', now())"
    with newer_release(tmp_path / "next"):
        await migrate(opened.engine)
        with pytest.raises(DBAPIError, match="ck_account_role"):
            async with opened.engine.begin() as connection:
                await connection.execute(text(hire))
        await finish(opened.engine)
        async with opened.engine.begin() as connection:
            await connection.execute(text(hire))


@pytest.mark.parametrize("engine", ["postgresql"])
@pytest.mark.parametrize(
    ("column", "value", "check"), [("left_at", "now()", "no_times"), ("reason_id", "1", "no_reason")]
)
async def test_what_earlier_releases_would_lose_is_refused_by_the_database_until_it_is_finished(
    unfinished: Database, column: str, value: str, check: str
) -> None:
    columns = f"date, staff_id, status, version, position, updated_at, {column}"
    mark = f"INSERT INTO attendance ({columns}) VALUES ('2026-01-12', 1, 'LATE', 1, 1, now(), {value})"

    async def refused() -> str:
        with pytest.raises(DBAPIError) as told:
            async with unfinished.engine.begin() as connection:
                await connection.execute(text(mark))
        return str(told.value)

    assert f"ck_attendance_{check}" in await refused()
    await finish(unfinished.engine)
    assert "fk_attendance_" in await refused()  # nobody is there, and no check


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_two_nodes_that_migrate_at_once_do_not_wait_for_each_other_s_index(url: str, tmp_path: Path) -> None:
    nodes = [Database(url, zone=UTC_ZONE, pool_size=2) for _ in range(2)]
    with newer_release(tmp_path / "next"):
        await asyncio.gather(*(migrate(node.engine) for node in nodes))
    async with nodes[0].engine.connect() as connection:
        indexes = await connection.run_sync(lambda found: inspect(found).get_indexes("attendance"))
    assert "ix_attendance_seated_at" in {index["name"] for index in indexes}
    for node in nodes:
        await node.close()


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_migration_does_not_wait_long_for_a_lock_behind_which_everybody_would_wait(
    url: str, opened: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_TIMEOUT", "20ms")
    monkeypatch.setattr(migrating, "RETRY_SECONDS", 0.01)
    with newer_release(tmp_path / "next"):
        async with connected(url) as other:
            await other.execute("BEGIN; LOCK TABLE attendance IN ACCESS SHARE MODE")
            assert said(await asyncio.to_thread(memberstaff, "migrate", url=url)) == (
                "A migration has tried 10 times to lock a table, for 20ms each, and others were using it all the time; "
                "those before it are done, and nothing of this one. Run `memberstaff migrate` again when there is less "
                "to do: an import, a backup or a forgotten transaction (pg_stat_activity tells) keeps tables for long."
            )
            monkeypatch.setattr(migrating, "ATTEMPTS", 10_000)
            migrated = asyncio.create_task(migrate(opened.engine))
            done, _ = await asyncio.wait({migrated}, timeout=0.2)
            assert not done
        await migrated
    assert await revision(opened) == NEXT


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_migration_that_fails_leaves_those_before_it_done(
    databases: Databases, engine: Engine, tmp_path: Path
) -> None:
    broken = MIGRATIONS[0].replace('"attendance"', '"nothing"')
    async with databases.empty(engine) as empty:
        database = Database(empty, zone=UTC_ZONE)
        with newer_release(tmp_path / "next", broken), suppress(DBAPIError):
            await migrate(database.engine)
        assert await revision(database) == newest_revision()
        await database.close()


def test_revisions_are_numbers_that_can_be_compared_with_those_of_later_releases() -> None:
    files = sorted(path.name for path in (migrating.HERE / "versions").glob("*.py"))
    assert [name[:5] for name in files] == [f"{number:04}_" for number in range(1, len(files) + 1)]
    assert newest_revision() == files[-1][:4]
