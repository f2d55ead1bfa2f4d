"""What a failover has lost is counted by every process that had heard of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from memberstaff.attendance.rules import Mark
from memberstaff.changes import Status
from memberstaff.db.database import Database
from memberstaff.live import lost_changes as losing
from memberstaff.live.lost_changes import LostChanges
from memberstaff.notify import codec
from memberstaff.notify.codec import decode, encode
from tests.databases import UTC_ZONE, connected
from tests.services.boards import running
from tests.services.school import School
from tests.waiting import until

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])

FAILED_OVER = """
DELETE FROM attendance_revision; DELETE FROM attendance; UPDATE attendance_day SET position = 0;
UPDATE installation SET timeline = 0
"""
"""To a standby that has heard of no mark."""


@asynccontextmanager
async def heard(url: str, school: School) -> AsyncIterator[tuple[Database, LostChanges]]:
    """A process that has heard of all that was announced."""
    database = Database(url, zone=UTC_ZONE, answer_seconds=60, on_epoch=lambda: lost.request())
    lost = LostChanges(database)
    async with database.read():
        pass
    for notification in school.notifications:
        lost.remember(decode(encode(notification)))
    try:
        yield database, lost
    finally:
        await database.close()


async def fail_over(url: str, *databases: Database) -> None:
    async with connected(url) as connection:
        await connection.execute(FAILED_OVER)
    for database in databases:
        await database.engine.dispose()


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("marked_again", [0, 1, 3])
async def test_of_a_bulk_mark_each_change_is_counted_whoever_has_its_position_now(
    school: School, database_url: str, monkeypatch: pytest.MonkeyPatch, marked_again: int, by_name: bool
) -> None:
    monkeypatch.setattr(codec, "MOST_CHANGES", 2)
    if by_name:
        await school.bulk(*(Mark(person, status=Status.PRESENT) for person in school.people.values()))
    else:
        await school.fill(Status.PRESENT)
    assert [len(decode(encode(each)).changes) for each in school.notifications] == [2]
    async with heard(database_url, school) as (database, lost):
        await fail_over(database_url, database, school.database)
        for name in sorted(school.people, reverse=True)[:marked_again]:
            await school.mark(name, Status.LATE)
        async with database.read():  # which requests the comparison
            pass
        async with running(lost.run):
            await until(lambda: lost.lost > 0)
        assert lost.lost == 3


async def test_an_error_while_they_are_compared_leaves_them_to_be_compared_again(
    school: School, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await school.mark("Amina", Status.LATE)
    async with heard(database_url, school) as (database, lost):
        await fail_over(database_url, database)
        with monkeypatch.context() as patched:
            patched.setattr(losing, "_select_at", lambda _: broken())
            async with database.read():
                pass
            with pytest.raises(ZeroDivisionError):
                await lost.run()
        async with running(lost.run):
            await until(lambda: lost.lost == 1)


def broken() -> None:
    raise ZeroDivisionError
