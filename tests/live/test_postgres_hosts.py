"""One address with several hosts: after a failover marking goes on, and nobody has changed a setting."""

from __future__ import annotations

import asyncio
import pwd
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import make_url, text

from memberstaff.db.database import Database
from memberstaff.db.migrate import migrate
from memberstaff.errors import Unavailable
from tests.clock import TODAY
from tests.databases import UTC_ZONE
from tests.front_ends import MARK
from tests.infrastructure import postgres
from tests.infrastructure.postgres import USER, PostgresServer
from tests.infrastructure.process import is_root, running
from tests.installation import Installation, install
from tests.waiting import WAIT_SECONDS, until


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary, and a standby that follows it."""
    for name, value in {"wal_level": "replica", "max_wal_senders": "4"}.items():
        monkeypatch.setitem(postgres.TUNING, name, value)
    with running(PostgresServer()) as primary:
        standby = PostgresServer()
        user = pwd.getpwnam("nobody").pw_uid if is_root() else None
        copy = ["-D", standby.folder / "data", "-h", primary.folder, "-U", USER, "-R", "-X", "stream", "-c", "fast"]
        subprocess.run(
            [str(word) for word in (standby.binaries / "pg_basebackup", *copy)],
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            cwd=standby.folder,
            check=True,
        )
        with running(standby):
            yield primary, standby


async def mark_at_last(installation: Installation, name: str) -> None:
    """As often as it takes."""
    target = {"staffDate": {"staffId": installation.staff[name], "date": TODAY}}
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            answer: Any = await installation.marker.send(MARK, input={"target": target, "status": "LATE"})
            if "errors" not in answer:
                assert answer["data"]["updateAttendance"]["errors"] == []
                return
            assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


def address_of(url: str, *servers: PostgresServer) -> str:
    """Of a database that is on all of these servers."""
    hosts = [f"{server.folder}:5432" for server in servers]
    return make_url(url).set(host=None, port=None, query={"host": hosts}).render_as_string(hide_password=False)


async def migrated(primary: PostgresServer) -> str:
    """The address of a new database."""
    url = await asyncio.to_thread(primary.create_database)
    database = Database(url, zone=UTC_ZONE)
    await migrate(database.engine)
    await database.close()
    return url


async def all_passed_on(primary: PostgresServer, standby: PostgresServer) -> None:
    """Wait until the standby has all that is committed."""
    position = primary.run("SELECT pg_current_wal_insert_lsn()::text")
    await until(lambda: standby.run(f"SELECT pg_last_wal_replay_lsn() >= '{position}'") == "True")


async def test_marking_goes_on_at_the_standby_that_was_promoted(pair: tuple[PostgresServer, PostgresServer]) -> None:
    primary, standby = pair
    async with install(address_of(await migrated(primary), *pair), database_seconds=5) as office:
        await office.marker.mark(office.staff["Amina"], TODAY, status="LATE")
        await all_passed_on(primary, standby)
        primary.crash()
        assert (await office.http.get("/health/ready")).json()["database"] == "unreachable"
        standby.run("SELECT pg_promote()")
        await mark_at_last(office, "Björn")
        answer = await office.viewer.ask(
            "query Day($date: Date) { attendanceDay(date: $date) { summary { late } } }", date=TODAY
        )
        assert answer["attendanceDay"]["summary"]["late"] == 2


async def test_an_old_primary_that_lives_on_keeps_nobody_from_the_new_one(
    pair: tuple[PostgresServer, PostgresServer],
) -> None:
    old, new = pair
    url = await migrated(old)
    database = Database(address_of(url, *pair), zone=UTC_ZONE, pool_size=1, answer_seconds=5)

    async def server() -> str:
        """Of the server that is read."""
        async with database.read() as reading:
            return str(await reading.scalar(text("SHOW unix_socket_directories")))

    assert await server() == str(old.folder)
    await all_passed_on(old, new)
    new.run("SELECT pg_promote()")
    other = Database(address_of(url, new, old), zone=UTC_ZONE)  # a process that begins the epoch there
    async with other.read():
        database.timeline.doubt()  # of which this one hears by Redis
    await other.close()
    assert await server() == str(new.folder)
    assert database.timeline.epoch == other.timeline.epoch
    new.crash()
    for _ in range(3):
        with pytest.raises(Unavailable):
            await server()  # the old one answers, and is not believed
    await asyncio.to_thread(new.start)
    assert await server() == str(new.folder)
    await database.close()
