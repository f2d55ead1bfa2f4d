"""Where in a day's log a subscriber begins, and what it is sent from there: from memory, or else from the log."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete

from memberstaff.access import COMMAND_LINE
from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import Status
from memberstaff.db.database import Database
from memberstaff.db.installation import new_epoch
from memberstaff.db.tables import attendance_revision
from memberstaff.errors import RestartRequired
from memberstaff.live.feed import Feed
from tests.services.boards import held
from tests.services.school import TODAY, School
from tests.statements import statements

MOST = 3
"""Changes that are replayed."""
RECENT = 2
"""Changes that a day begins with in memory."""


@pytest.fixture
def feed_settings() -> dict[str, int]:
    return {"recent_changes": RECENT, "max_replay": MOST}


async def mark_often(school: School, times: int) -> None:
    """Positions 1, 2, 3 …, of Amina."""
    for number in range(1, times + 1):
        await school.mark("Amina", Status.LATE, note=f"No. {number}")


async def test_a_cursor_stands_for_its_position(school: School, feed: Feed) -> None:
    await mark_often(school, 3)
    async with feed.watch(TODAY) as watched:
        for position in range(4):
            assert await feed.start(watched, str(Cursor(feed.epoch, TODAY, position))) == position


async def test_without_a_cursor_it_is_where_the_day_stands_now_whatever_was_heard(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        await mark_often(school, 2)
        assert await feed.start(watched, None) == 2


async def test_a_cursor_that_another_process_has_given_is_known_to_the_database(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        await mark_often(school, 2)
        assert watched.position == 0
        assert await feed.start(watched, str(Cursor(feed.epoch, TODAY, 2))) == 2


async def test_a_cursor_ahead_of_the_days_last_change_leads_nowhere(school: School, feed: Feed) -> None:
    await mark_often(school, 2)
    async with feed.watch(TODAY) as watched:
        with pytest.raises(RestartRequired, match="ahead of the day's last change"):
            await feed.start(watched, str(Cursor(feed.epoch, TODAY, 3)))


async def test_a_cursor_of_another_day_leads_nowhere(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        with pytest.raises(RestartRequired, match="belongs to 2026-01-11, not to 2026-01-12"):
            await feed.start(watched, str(Cursor(feed.epoch, TODAY - timedelta(days=1), 0)))


async def test_a_cursor_of_another_epoch_leads_nowhere(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        with pytest.raises(RestartRequired, match="restored from a backup"):
            await feed.start(watched, str(Cursor(1, TODAY, 0)))
        watched.check()


async def test_a_cursor_of_an_epoch_that_this_process_has_not_heard_of_has_everybody_begin_anew(
    school: School, feed: Feed
) -> None:
    async with feed.watch(TODAY) as watched:
        async with school.work(COMMAND_LINE) as work:
            epoch = await new_epoch(work)
        cursor = str(Cursor(epoch, TODAY, 0))
        with pytest.raises(RestartRequired, match="restored from a backup"):
            await feed.start(watched, cursor)
        async with feed.watch(TODAY) as anew:
            assert await feed.start(anew, cursor) == 0


async def test_a_cursor_with_more_changes_after_it_than_are_replayed_leads_nowhere(school: School, feed: Feed) -> None:
    await mark_often(school, MOST + 1)
    async with feed.watch(TODAY) as watched:
        assert await feed.start(watched, str(Cursor(feed.epoch, TODAY, 1))) == 1
        with pytest.raises(RestartRequired, match="more than 3 changes since this cursor"):
            await feed.start(watched, str(Cursor(feed.epoch, TODAY, 0)))


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("text", ["", "7", "bm90IGEgY3Vyc29y", "x" * 10_000])
async def test_a_text_that_is_no_cursor_leads_nowhere(school: School, feed: Feed, text: str) -> None:
    async with feed.watch(TODAY) as watched:
        with pytest.raises(RestartRequired, match="not a feed cursor"):
            await feed.start(watched, text)


async def test_recent_changes_come_from_memory(school: School, database: Database, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        await mark_often(school, 5)
        await feed.refresh()
        with statements(database) as sent:
            changes = await feed.changes_after(watched, 3, feed.epoch)
        assert [(change.position, change.note) for change in changes] == [(4, "No. 4"), (5, "No. 5")]
        assert sent == []


async def test_older_changes_come_from_the_log_page_by_page(school: School, feed: Feed) -> None:
    await mark_often(school, 6)
    async with feed.watch(TODAY) as watched:
        pages = []
        position = 0
        while position < 6:
            changes = await feed.changes_after(watched, position, feed.epoch, limit=2)
            pages.append([change.position for change in changes])
            position = changes[-1].position
        assert pages == [[1, 2], [3, 4], [5, 6]]


async def test_a_change_that_comes_while_the_log_is_read_follows_it(
    school: School, database: Database, feed: Feed
) -> None:
    await mark_often(school, 5)
    async with feed.watch(TODAY) as watched:
        with held(database, "FROM attendance_revision") as reading:
            older = asyncio.ensure_future(feed.changes_after(watched, 0, feed.epoch))
            await reading.read.wait()
            await school.mark("Björn", Status.LATE)
            feed.on_notification(school.notifications[-1])
            reading.go.set()
            assert [change.position for change in await older] == [1, 2, 3, 4, 5]
        assert [change.position for change in await feed.changes_after(watched, 5, feed.epoch)] == [6]


async def test_a_reader_of_older_changes_is_told_when_the_log_is_another_one(
    school: School, database: Database, feed: Feed
) -> None:
    await mark_often(school, 5)
    async with feed.watch(TODAY) as watched:
        epoch = feed.epoch
        async with school.work(COMMAND_LINE) as work:
            await new_epoch(work)
        watched.check()  # nobody has said so
        with pytest.raises(RestartRequired, match="restored from a backup"):
            await feed.changes_after(watched, 0, epoch)


@pytest.mark.parametrize("gone", [[1], [2], [1, 2, 3, 4, 5]], ids=["the first", "one between", "all"])
async def test_older_changes_that_are_no_longer_kept_are_not_skipped(
    school: School, feed: Feed, gone: list[int]
) -> None:
    await mark_often(school, 5)
    async with feed.watch(TODAY) as watched:
        async with school.work() as work:
            await work.write(delete(attendance_revision).where(attendance_revision.c.position.in_(gone)))
        with pytest.raises(RestartRequired, match="no longer available"):
            await feed.changes_after(watched, 0, feed.epoch)


async def test_followers_are_counted_by_day(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched, feed.watch(TODAY - timedelta(days=1)) as yesterday:
        watched.followers += 2
        yesterday.followers += 1
        assert (feed.followers(TODAY), feed.subscriptions, feed.watched_days) == (2, 3, 2)
    assert (feed.followers(TODAY), feed.subscriptions, feed.watched_days) == (0, 0, 0)
