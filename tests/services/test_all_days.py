"""The changes of all days as one stream: nothing is missed, and whoever cannot have all is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from memberstaff.access import COMMAND_LINE
from memberstaff.changes import Status
from memberstaff.db.database import Database
from memberstaff.db.installation import new_epoch
from memberstaff.db.tables import attendance_day, attendance_revision
from memberstaff.errors import RestartRequired
from memberstaff.live import all_days
from memberstaff.live.all_days import AllDays
from tests.services.boards import NEVER, OFTEN, Line, cancelled, held, running
from tests.services.school import TODAY, School
from tests.statements import statements
from tests.waiting import until

YESTERDAY = TODAY - timedelta(days=1)
POSITIONS = "LEFT OUTER JOIN attendance_day"
"""Occurs only in the statement that reads how far each day has come."""

Heard = tuple[str | None, str, int]
"""Name, date and position of a change."""


@pytest.fixture
async def stream(database: Database) -> AsyncIterator[AllDays]:
    """The stream of a process that is told what notifications say only by its test, and does not poll."""
    days = AllDays(database, poll_seconds=NEVER)
    async with running(days.run):
        yield days


async def following(stream: AllDays, position: int, number: int) -> list[Heard]:
    """So many changes after a position."""
    heard: list[Heard] = []
    async with asyncio.timeout(5):
        while len(heard) < number:
            for change in await stream.after(position + len(heard)):
                heard.append((change.staff_name, change.date.isoformat(), change.position))
    return heard


async def from_now_on(stream: AllDays) -> list[Heard]:
    """The first change after the moment of asking."""
    async with stream.watch() as position:
        return await following(stream, position, 1)


def notify(stream: AllDays, school: School) -> None:
    """Have the stream hear what has been announced, from the oldest on."""
    for notification in school.notifications:
        stream.on_notification(notification)
    school.notifications.clear()


async def test_notifications_that_continue_are_delivered_without_asking_the_database(
    school: School, database: Database, stream: AllDays
) -> None:
    await school.mark("Amina", Status.LATE)
    school.notifications.clear()
    async with stream.watch() as position:
        await school.mark("Björn", Status.LATE)
        await school.mark("Amina", Status.PRESENT, on=YESTERDAY)
        with statements(database) as sent:
            notify(stream, school)
            assert await following(stream, position, 2) == [("Björn", "2026-01-12", 2), ("Amina", "2026-01-11", 1)]
        assert sent == []
        assert stream.position == position + 2


async def test_a_notification_that_skips_one_has_both_read_from_the_log(school: School, stream: AllDays) -> None:
    async with stream.watch() as position:
        await school.mark("Amina", Status.LATE)
        school.notifications.clear()
        await school.mark("Björn", Status.LATE)
        notify(stream, school)
        assert stream.position == position
        assert await following(stream, position, 2) == [("Amina", "2026-01-12", 1), ("Björn", "2026-01-12", 2)]


async def test_late_and_repeated_notifications_deliver_each_change_once(school: School, stream: AllDays) -> None:
    async with stream.watch() as position:
        await school.mark("Amina", Status.LATE)
        await school.mark("Björn", Status.LATE)
        one, two = school.notifications
        for notification in (two, one, two, one, one):
            stream.on_notification(notification)
        assert await following(stream, position, 2) == [("Amina", "2026-01-12", 1), ("Björn", "2026-01-12", 2)]
        assert stream.position == position + 2


async def test_what_a_notification_of_another_epoch_brings_is_not_believed(school: School, stream: AllDays) -> None:
    async with stream.watch() as position:
        await school.mark("Amina", Status.LATE)
        [notification] = school.notifications
        invented = [replace(change, staff_name="Nobody") for change in notification.changes]
        stream.on_notification(replace(notification, epoch=1, changes=tuple(invented)))
        assert await following(stream, position, 1) == [("Amina", "2026-01-12", 1)]


async def test_what_no_notification_has_announced_is_read_from_the_log(school: School, database: Database) -> None:
    stream = AllDays(database, poll_seconds=OFTEN)
    await school.mark("Amina", Status.LATE)
    async with running(stream.run), stream.watch() as position:
        await school.mark("Björn", Status.LATE)
        await school.mark("Amina", Status.PRESENT, on=YESTERDAY)
        heard = await following(stream, position, 2)
    assert sorted(heard) == [("Amina", "2026-01-11", 1), ("Björn", "2026-01-12", 2)]


async def test_a_notification_that_brings_no_changes_has_them_read_page_by_page(
    school: School, stream: AllDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_days, "PAGE", 2)
    async with stream.watch() as position:
        await school.fill(Status.PRESENT)
        notify(stream, school)
        heard = await following(stream, position, 3)
    assert heard == [("Amina", "2026-01-12", 1), ("Björn", "2026-01-12", 2), ("Chloé", "2026-01-12", 3)]


async def test_a_notification_heard_during_a_reading_does_not_look_like_a_restored_log(
    school: School, database: Database, stream: AllDays
) -> None:
    async with stream.watch() as position:
        await school.mark("Amina", Status.LATE)
        amina = school.notifications.pop()
        with held(database, POSITIONS) as reading:
            stream.on_notification(replace(amina, changes=()))  # which has the log read
            await reading.read.wait()
            await school.mark("Björn", Status.LATE)
            await school.mark("Chloé", Status.LATE, on=YESTERDAY)
            notify(stream, school)  # newer than what the reading has seen: yesterday's continues, today's does not
            assert stream.position == position + 1
            reading.go.set()
            heard = await following(stream, position, 3)
    assert heard == [("Chloé", "2026-01-11", 1), ("Amina", "2026-01-12", 1), ("Björn", "2026-01-12", 2)]


async def test_a_watcher_that_leaves_during_the_first_reading_leaves_nothing_to_the_next_one(
    school: School, database: Database
) -> None:
    stream = AllDays(database, poll_seconds=OFTEN)
    async with running(stream.run):
        with held(database, POSITIONS) as reading:
            leaving = asyncio.create_task(from_now_on(stream))
            await reading.read.wait()
            await cancelled(leaving)
            reading.go.set()
        await school.mark("Amina", Status.LATE)
        async with stream.watch() as position:
            await school.mark("Björn", Status.LATE)  # and no notification says so
            assert await following(stream, position, 1) == [("Björn", "2026-01-12", 2)]
            assert stream.position == position + 1


async def test_a_watcher_that_comes_during_a_reading_for_another_one_is_sent_nothing_older_than_itself(
    school: School, database: Database, stream: AllDays
) -> None:
    with held(database, POSITIONS) as reading:
        leaving = asyncio.create_task(from_now_on(stream))
        await reading.read.wait()
        await cancelled(leaving)
        await school.mark("Amina", Status.LATE)
        staying = asyncio.create_task(from_now_on(stream))
        await asyncio.sleep(0)
        reading.go.set()
        async with stream.watch():
            await school.mark("Björn", Status.LATE)
            stream.on_notification(school.notifications[-1])
            assert await staying == [("Björn", "2026-01-12", 2)]


async def test_a_watcher_that_joins_others_is_sent_nothing_that_was_committed_before(
    school: School, stream: AllDays
) -> None:
    async with stream.watch() as first:
        await school.mark("Amina", Status.LATE)
        school.notifications.clear()  # nobody has heard of it
        async with stream.watch() as second:
            await school.mark("Björn", Status.LATE)
            notify(stream, school)
            assert await following(stream, second, 1) == [("Björn", "2026-01-12", 2)]
            assert await following(stream, first, 2) == [("Amina", "2026-01-12", 1), ("Björn", "2026-01-12", 2)]


async def test_all_who_join_at_once_share_a_reading(school: School, database: Database, stream: AllDays) -> None:
    leave = asyncio.Event()

    async def watch() -> None:
        async with stream.watch():
            await leave.wait()

    async with stream.watch():
        with statements(database) as sent:
            joining = [asyncio.create_task(watch()) for _ in range(100)]
            async with stream.watch():
                leave.set()
                await asyncio.gather(*joining)
    assert len([statement for statement in sent if "sum(attendance_day.position)" in statement]) == 1


async def test_a_watcher_that_leaves_while_it_joins_leaves_nothing_behind(
    school: School, database: Database, stream: AllDays
) -> None:
    async with stream.watch() as position:
        with held(database, "sum(attendance_day.position)") as reading:
            joining = asyncio.create_task(from_now_on(stream))
            await reading.read.wait()
            await cancelled(joining)
            reading.go.set()
        await school.mark("Amina", Status.LATE)
        notify(stream, school)
        assert await following(stream, position, 1) == [("Amina", "2026-01-12", 1)]
    assert not stream.watched


async def test_a_reader_too_far_behind_begins_anew(
    school: School, stream: AllDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_days, "MOST_IN_MEMORY", 1)
    async with stream.watch() as position:
        for name in school.people:
            await school.mark(name, Status.LATE)
            notify(stream, school)
        assert await following(stream, position + 2, 1) == [("Chloé", "2026-01-12", 3)]
        with pytest.raises(RestartRequired, match="no longer available"):
            await stream.after(position)


async def test_a_new_epoch_ends_it(school: School, stream: AllDays) -> None:
    async with stream.watch() as position:
        waiting = asyncio.create_task(following(stream, position, 1))
        async with school.work(COMMAND_LINE) as work:
            epoch = await new_epoch(work)
        await school.mark("Amina", Status.LATE)
        notify(stream, school)
        with pytest.raises(RestartRequired):
            await waiting
        assert stream.epoch == epoch
    async with stream.watch() as position:
        await school.mark("Björn", Status.LATE)
        notify(stream, school)
        assert await following(stream, position, 1) == [("Björn", "2026-01-12", 2)]


async def test_what_an_epoch_has_that_begins_during_a_reading_does_not_follow_the_last_one(
    school: School, database: Database, stream: AllDays
) -> None:
    async with stream.watch() as position:
        await school.mark("Amina", Status.LATE)
        with held(database, POSITIONS) as reading:
            stream.on_notification(replace(school.notifications[-1], changes=()))
            await reading.read.wait()
            async with school.work(COMMAND_LINE) as work:
                epoch = await new_epoch(work)
            reading.go.set()
            with pytest.raises(RestartRequired):
                await stream.after(position)
        await until(lambda: stream.epoch == epoch)


async def test_a_history_that_has_become_shorter_ends_it(school: School, database: Database) -> None:
    stream = AllDays(database, poll_seconds=OFTEN)
    for name in school.people:
        await school.mark(name, Status.LATE)
    async with running(stream.run), stream.watch() as position:
        async with school.work() as work:
            await work.write(delete(attendance_revision).where(attendance_revision.c.position > 1))
            await work.write(update(attendance_day).values(position=1))
        with pytest.raises(RestartRequired):
            await stream.after(position)


async def test_a_log_with_a_hole_ends_it_and_is_not_asked_again_and_again(
    school: School, database: Database, stream: AllDays
) -> None:
    async with stream.watch() as position:
        await school.mark("Amina", Status.LATE)
        await school.mark("Björn", Status.LATE)
        async with school.work() as work:
            await work.write(delete(attendance_revision).where(attendance_revision.c.position == 1))
        stream.on_notification(school.notifications[-1])
        with pytest.raises(RestartRequired):
            await following(stream, position, 2)
    async with stream.watch() as position:
        await school.mark("Chloé", Status.LATE)
        stream.on_notification(school.notifications[-1])
        assert await following(stream, position, 1) == [("Chloé", "2026-01-12", 3)]


async def test_while_the_database_is_away_whoever_watches_waits_and_then_misses_nothing(
    school: School, line: Line
) -> None:
    stream = AllDays(line.database, poll_seconds=OFTEN)
    async with running(stream.run), stream.watch() as position:
        await line.cut()
        await school.mark("Amina", Status.LATE)
        await school.mark("Björn", Status.LATE)
        stream.on_notification(school.notifications[-1])
        waiting = asyncio.create_task(following(stream, position, 2))
        await line.refuses(2)
        assert not waiting.done()
        await line.mend()
        assert await waiting == [("Amina", "2026-01-12", 1), ("Björn", "2026-01-12", 2)]


async def test_who_comes_while_the_database_is_away_waits_and_is_sent_what_comes_then(
    school: School, line: Line
) -> None:
    stream = AllDays(line.database, poll_seconds=OFTEN)
    async with running(stream.run):
        await line.cut()
        waiting = asyncio.create_task(from_now_on(stream))
        await school.mark("Amina", Status.LATE)
        await line.refuses(2)
        await line.mend()
        async with stream.watch():
            await school.mark("Björn", Status.LATE)
            assert await waiting == [("Björn", "2026-01-12", 2)]
