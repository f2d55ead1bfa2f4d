"""While its database is away the feed waits: nobody is turned away, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import Status
from memberstaff.errors import Unavailable
from memberstaff.live.feed import Feed
from memberstaff.live.watched_day import WatchedDay
from tests.services.boards import DAY_STATES, OFTEN, Line, cancelled, held, running
from tests.services.school import TODAY, School
from tests.waiting import until


@pytest.fixture
async def feed(line: Line) -> AsyncIterator[Feed]:
    """The feed of a process whose line to the database can be cut."""
    feed = Feed(line.database, poll_seconds=OFTEN, recent_changes=2, max_replay=100)
    async with running(feed.run):
        yield feed


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged, which is not written out either: the tracebacks of an outage take seconds."""
    with capture_logs() as entries:
        yield entries


async def following(feed: Feed, watched: WatchedDay, number: int, *, after: int = 0) -> list[int]:
    """The positions of so many changes."""
    heard: list[int] = []
    async with asyncio.timeout(10):
        while len(heard) < number:
            changes = await feed.changes_after(watched, after + len(heard), feed.epoch)
            heard += [change.position for change in changes]
    return heard


async def mark(school: School, *names: str) -> None:
    for name in names:
        await school.mark(name, Status.LATE)


async def test_changes_that_come_meanwhile_arrive_afterwards(
    school: School, line: Line, feed: Feed, logged: list[MutableMapping[str, Any]]
) -> None:
    async with feed.watch(TODAY) as watched:
        assert feed.reading
        await line.cut()
        await mark(school, "Amina", "Björn")
        waiting = asyncio.create_task(following(feed, watched, 2))
        await until(lambda: not feed.reading)
        assert not waiting.done()
        await line.refuses(2)
        await line.mend()
        assert await waiting == [1, 2]
        assert feed.reading
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == [
        "The feed cannot read the database; boards are frozen until it can"
    ]


async def test_notifications_are_delivered_meanwhile_and_those_that_skip_one_wait(
    school: School, line: Line, feed: Feed
) -> None:
    async with feed.watch(TODAY) as watched:
        await line.cut()
        await until(lambda: not feed.reading)
        await mark(school, "Amina", "Björn", "Chloé")
        one, _, three = school.notifications
        feed.on_notification(one)
        assert await following(feed, watched, 1) == [1]
        feed.on_notification(three)
        assert watched.position == 1
        await line.mend()
        assert await following(feed, watched, 2, after=1) == [2, 3]


async def test_who_comes_meanwhile_waits_and_is_then_up_to_date(school: School, line: Line, feed: Feed) -> None:
    async def position() -> int:
        async with feed.watch(TODAY) as watched:
            return watched.position

    await line.cut()
    coming = [asyncio.create_task(position()) for _ in range(3)]
    await line.refuses(2)
    await cancelled(coming.pop(0))  # one that loses patience does no harm to the others
    await mark(school, "Amina")
    await line.mend()
    assert await asyncio.gather(*coming) == [1, 1]
    assert feed.watched_days == 0


async def test_a_start_that_needs_the_database_waits_for_it(school: School, line: Line, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        await line.cut()
        await mark(school, "Amina")
        from_now = asyncio.create_task(feed.start(watched, None))
        from_cursor = asyncio.create_task(feed.start(watched, str(Cursor(feed.epoch, TODAY, 1))))
        assert await feed.start(watched, str(Cursor(feed.epoch, TODAY, 0))) == 0
        await line.refuses(2)
        assert not from_now.done()
        assert not from_cursor.done()
        await line.mend()
        assert (await from_now, await from_cursor) == (1, 1)


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_connection_lost_in_the_middle_of_a_reading_consumes_nothing(
    school: School, line: Line, feed: Feed
) -> None:
    async with feed.watch(TODAY) as watched:
        with held(line.database, DAY_STATES) as reading:
            await mark(school, "Amina")
            await reading.read.wait()
            await line.cut()
            await mark(school, "Björn")
            reading.go.set()
            await line.refuses(1)
        await line.mend()
        assert await following(feed, watched, 2) == [1, 2]


async def test_a_reader_of_the_log_is_told_that_it_is_unavailable_and_may_ask_again(
    school: School, line: Line, feed: Feed
) -> None:
    await mark(school, "Amina", "Björn", "Chloé")
    async with feed.watch(TODAY) as watched:
        await line.cut()
        with pytest.raises(Unavailable):
            await feed.changes_after(watched, 0, feed.epoch)
        await line.mend()
        assert await following(feed, watched, 3) == [1, 2, 3]
