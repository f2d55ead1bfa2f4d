"""What is sent of all days: each change once, in the order in which it was heard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import Change, Status
from memberstaff.db.database import Database
from memberstaff.live.all_days import AllDays
from memberstaff.live.sources import BATCH_BYTES, AllDaysChanges
from tests.databases import Engine
from tests.services.boards import NEVER, running
from tests.services.school import TODAY, School
from tests.services.sourced import after, mark_all

YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def engine() -> Engine:
    """What is made of the log; how it is read is for test_all_days.py to show on both."""
    return "sqlite"


@pytest.fixture
async def days(database: Database) -> AsyncIterator[AllDays]:
    """The stream of all days, which hears only what its test tells it."""
    days = AllDays(database, poll_seconds=NEVER)
    async with running(days.run):
        yield days


def rendered(cursor: Cursor, change: Change) -> bytes:
    """Name, date and position, after some padding."""
    return b" " * BATCH_BYTES + f"{change.staff_name} {cursor.date} {cursor.position}".encode()


def rendered_briefly(cursor: Cursor, change: Change) -> bytes:
    return rendered(cursor, change).strip()


async def test_the_changes_of_all_days_come_in_the_order_in_which_they_were_heard(
    school: School, days: AllDays
) -> None:
    source = AllDaysChanges(days, rendered_briefly)
    async with source.open() as position:
        assert await source.start("whatever it was") == position
        await school.mark("Amina", Status.LATE)
        await school.mark("Björn", Status.LATE, on=YESTERDAY)
        await school.mark("Chloé", Status.LATE)
        for notification in school.notifications:
            days.on_notification(notification)
        assert await after(source, position) == (
            position + 3,
            ["Amina 2026-01-12 1", "Björn 2026-01-11 1", "Chloé 2026-01-12 2"],
        )
        assert await source.start(None) == position + 3


async def test_a_batch_of_all_days_is_closed_when_it_is_large_enough(school: School, days: AllDays) -> None:
    source = AllDaysChanges(days, rendered)
    async with source.open() as position:
        await mark_all(school)
        for notification in school.notifications:
            days.on_notification(notification)
        for number, name in enumerate(school.people, start=1):
            reached, [text] = await after(source, position + number - 1)
            assert (reached, text.strip()) == (position + number, f"{name} 2026-01-12 {number}")
