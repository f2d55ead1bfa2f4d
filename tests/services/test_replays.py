"""Messages that were recorded and published again, or say what the database does not: they cost one check a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from memberstaff.access import COMMAND_LINE
from memberstaff.changes import DayProgress, Status
from memberstaff.db.database import Database
from memberstaff.db.installation import new_epoch
from memberstaff.errors import RestartRequired
from memberstaff.live.all_days import AllDays
from memberstaff.live.feed import Feed
from memberstaff.live.watched_day import WatchedDay
from memberstaff.notify import throttle
from memberstaff.notify.codec import MISSED
from memberstaff.notify.notification import Notification
from tests.services.boards import NEVER, rename, running
from tests.services.school import CALENDAR, TODAY, School
from tests.statements import statements
from tests.waiting import WAIT_SECONDS, until

FLOOD, ROUNDS = 500, 10
CHECK = "FROM installation LEFT OUTER JOIN attendance_day"
"""Occurs once in each reading of the watched days."""
TOTAL = "coalesce(sum(attendance_day.position)"
"""Occurs once in each reading of all days."""


@pytest.fixture(autouse=True)
def one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second in which a message may have the database asked once lasts as long as the test."""
    monkeypatch.setattr(throttle, "CHECK_SECONDS", NEVER)


def bulk(school: School) -> Notification:
    """What is published again: an old notification with many changes."""
    [notification] = school.notifications
    school.notifications.clear()
    return notification


async def names(feed: Feed, watched: WatchedDay, after: int) -> list[str | None]:
    """Whose records have changed after a position."""
    async with asyncio.timeout(WAIT_SECONDS):
        return [change.staff_name for change in await feed.changes_after(watched, after, feed.epoch)]


async def flood(school: School, hear: Callable[[Notification], None], notification: Notification) -> None:
    """Publish it again and again; between the rounds there is time for a reading."""
    for _ in range(ROUNDS):
        for _ in range(FLOOD // ROUNDS):
            hear(notification)
        await school.position()


Forgery = Callable[[Notification], Notification]


def in_day(**values: Any) -> Forgery:
    """The notification, with other numbers of its day."""
    return lambda sent: replace(sent, days=tuple(replace(day, **values) for day in sent.days))


FORGERIES: dict[str, Forgery] = {
    "repeated": lambda sent: sent,
    "nothing that is understood": lambda _: MISSED,
    "another epoch": lambda sent: replace(sent, epoch=1),
    "a position far ahead": in_day(position=2**62),
    "a position far ahead, without changes": lambda sent: replace(in_day(position=2**62)(sent), changes=()),
    "changes far ahead": lambda sent: replace(
        in_day(position=2**62)(sent), changes=tuple(replace(change, position=2**62) for change in sent.changes)
    ),
    "a version far ahead": in_day(day_version=2**62),
    "a roster far ahead": lambda sent: replace(sent, roster_version=2**62),
    "an old roster": lambda sent: replace(sent, roster_version=0),
}


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("recent_changes", [0, 100])
@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
async def test_a_flood_costs_a_watched_day_one_check_delivers_nothing_and_hides_nothing(
    school: School, database: Database, forgery: Forgery, recent_changes: int
) -> None:
    feed = Feed(database, poll_seconds=NEVER, recent_changes=recent_changes, max_replay=100)
    await school.mark("Amina", Status.LATE)
    sent = bulk(school)
    async with running(feed.run), feed.watch(TODAY) as watched:
        with statements(database) as asked:
            await flood(school, feed.on_notification, forgery(sent))
            await until(lambda: any(CHECK in statement for statement in asked))
            await school.mark("Björn", Status.LATE)
            feed.on_notification(bulk(school))
            assert watched.position == 2  # at once, without a reading
            feed.on_notification(forgery(sent))
        assert sum(CHECK in statement for statement in asked) == 1
        assert await names(feed, watched, 1) == ["Björn"]
        await feed.refresh()
        assert (watched.position, watched.since(2)) == (2, ())
        # What is so only now is told, though a message had claimed more.
        before = await feed.next_state(watched, None)
        await rename(school, "Amina", "Amina B.")
        async with school.work(COMMAND_LINE) as work:
            await CALENDAR.set_locked(work, TODAY, locked=True, reason=None)
        await feed.refresh()
        assert await feed.next_state(watched, before) == (DayProgress(TODAY, 2, 1), before[1] + 1)  # type: ignore[index]


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
async def test_a_flood_costs_the_stream_of_all_days_one_check_delivers_nothing_and_hides_nothing(
    school: School, database: Database, forgery: Forgery
) -> None:
    stream = AllDays(database, poll_seconds=NEVER)
    await school.mark("Amina", Status.LATE)
    sent = bulk(school)
    async with running(stream.run), stream.watch() as position:
        with statements(database) as asked:
            await flood(school, stream.on_notification, forgery(sent))
            await until(lambda: any(TOTAL in statement for statement in asked))
            await school.mark("Björn", Status.LATE)
            stream.on_notification(bulk(school))
            assert [change.staff_name for change in await stream.after(position)] == ["Björn"]
            stream.on_notification(forgery(sent))
        assert sum(TOTAL in statement for statement in asked) == 1
        assert stream.position == position + 1


async def test_what_is_announced_and_confirmed_is_read_at_once_each_time(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        for number, name in enumerate(("Amina", "Björn", "Chloé")):
            await school.mark(name, Status.LATE)
            feed.on_notification(replace(bulk(school), changes=()))
            assert await names(feed, watched, number) == [name]


async def test_once_an_announcement_is_confirmed_again_the_next_is_read_at_once(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        await school.mark("Amina", Status.LATE)
        sent = bulk(school)
        feed.on_notification(in_day(position=2**62)(sent))
        await feed.refresh()
        await school.mark("Björn", Status.LATE)
        feed.on_notification(replace(bulk(school), changes=()))
        await feed.refresh()
        await school.mark("Chloé", Status.LATE)
        feed.on_notification(replace(bulk(school), changes=()))
        assert await names(feed, watched, 2) == ["Chloé"]


async def test_a_restored_backup_is_noticed_though_messages_of_the_old_epoch_still_arrive(
    school: School, feed: Feed
) -> None:
    async with feed.watch(TODAY) as watched:
        await school.mark("Amina", Status.LATE)
        old = bulk(school)
        async with school.work(COMMAND_LINE) as work:
            await new_epoch(work)
        await feed.refresh()
        for _ in range(FLOOD):
            feed.on_notification(old)
        with pytest.raises(RestartRequired):
            watched.check()
        async with feed.watch(TODAY) as anew:
            await school.mark("Björn", Status.LATE)
            feed.on_notification(bulk(school))
            assert await names(feed, anew, 1) == ["Björn"]
