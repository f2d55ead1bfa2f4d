"""The feed: whoever watches a day is brought each of its changes once, in order, whichever notifications arrive."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import delete, update

from memberstaff import metrics
from memberstaff.access import COMMAND_LINE
from memberstaff.changes import Status
from memberstaff.db.database import Database
from memberstaff.db.installation import new_epoch
from memberstaff.db.tables import attendance_day, attendance_revision
from memberstaff.errors import RestartRequired
from memberstaff.live import feed as feeds
from memberstaff.live.feed import Feed
from memberstaff.live.watched_day import WatchedDay
from tests.services.boards import DAY_STATES, OFTEN, cancelled, held, rename, running
from tests.services.school import CALENDAR, TODAY, School
from tests.statements import statements

YESTERDAY = TODAY - timedelta(days=1)

Heard = tuple[str | None, int]
"""Name and position of a change."""


async def following(feed: Feed, watched: WatchedDay, number: int, *, after: int = 0) -> list[Heard]:
    """So many changes of a day after a position."""
    heard: list[Heard] = []
    async with asyncio.timeout(5):
        while len(heard) < number:
            for change in await feed.changes_after(watched, after + len(heard), feed.epoch):
                heard.append((change.staff_name, change.position))
    return heard


async def test_a_notification_that_continues_is_delivered_without_asking_the_database(
    school: School, database: Database, feed: Feed
) -> None:
    await school.mark("Amina", Status.LATE)
    async with feed.watch(TODAY) as watched:
        await school.mark("Björn", Status.LATE)
        with statements(database) as sent:
            feed.on_notification(school.notifications[-1])
            assert await following(feed, watched, 1, after=1) == [("Björn", 2)]
        assert sent == []


async def test_a_notification_that_skips_one_has_both_read_from_the_log(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        await school.mark("Amina", Status.LATE)
        await school.mark("Björn", Status.LATE)
        feed.on_notification(school.notifications[-1])
        assert watched.position == 0
        assert await following(feed, watched, 2) == [("Amina", 1), ("Björn", 2)]


async def test_late_repeated_and_reordered_notifications_deliver_each_change_once(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        for name in school.people:
            await school.mark(name, Status.LATE)
        one, two, three = school.notifications
        for notification in (two, one, one, two, one, three, two):
            feed.on_notification(notification)
        assert await following(feed, watched, 3) == [("Amina", 1), ("Björn", 2), ("Chloé", 3)]
        await feed.refresh()
        assert (watched.position, watched.since(3)) == (3, ())


async def test_a_notification_that_brings_no_changes_has_them_read(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        await school.fill(Status.PRESENT)
        [notification] = school.notifications
        assert [change.position for change in notification.changes] == [1, 3]
        feed.on_notification(notification)
        assert await following(feed, watched, 3) == [("Amina", 1), ("Björn", 2), ("Chloé", 3)]


async def test_what_a_notification_of_another_epoch_brings_is_not_believed(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        await school.mark("Amina", Status.LATE)
        [notification] = school.notifications
        invented = tuple(replace(change, staff_name="Nobody") for change in notification.changes)
        feed.on_notification(replace(notification, epoch=1, changes=invented))
        assert watched.position == 0
        assert await following(feed, watched, 1) == [("Amina", 1)]


async def test_however_many_a_bulk_mark_has_changed_it_is_one_delivery(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        await school.fill(Status.LATE)
        feed.on_notification(school.notifications[-1])
        await following(feed, watched, 3)
        before = deliveries()
        feed.sent(watched, 0, 3)
        assert deliveries() == before + 1


def deliveries() -> float:
    return metrics.REGISTRY.get_sample_value("memberstaff_delivery_seconds_count") or 0.0


async def test_without_any_notification_changes_arrive_by_polling(school: School, database: Database) -> None:
    feed = Feed(database, poll_seconds=OFTEN, recent_changes=100, max_replay=100)
    async with running(feed.run), feed.watch(TODAY) as watched:
        await school.mark("Amina", Status.LATE)
        assert await following(feed, watched, 1) == [("Amina", 1)]
        await school.mark("Björn", Status.LATE)
        assert await following(feed, watched, 1, after=1) == [("Björn", 2)]


async def test_a_new_roster_version_gives_changes_that_are_asked_for_again_their_new_names(
    school: School, feed: Feed
) -> None:
    await school.mark("Amina", Status.LATE)
    async with feed.watch(TODAY) as watched:
        assert await following(feed, watched, 1) == [("Amina", 1)]
        await rename(school, "Amina", "Amina B.")
        feed.on_notification(school.notifications[-1])
        assert await following(feed, watched, 1) == [("Amina B.", 1)]


async def test_whoever_follows_the_state_is_told_of_each_kind_of_news(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as watched:
        first = await feed.next_state(watched, None)
        seen = [first]

        async def told() -> None:
            async with asyncio.timeout(5):
                seen.append(await feed.next_state(watched, seen[-1]))

        await school.mark("Amina", Status.LATE)
        feed.on_notification(school.notifications[-1])
        await told()
        await rename(school, "Amina", "Amina B.")
        feed.on_notification(school.notifications[-1])
        await told()
        async with school.work(COMMAND_LINE) as work:
            await CALENDAR.set_locked(work, TODAY, locked=True, reason=None)
        feed.on_notification(school.notifications[-1])
        await told()
        await school.mark("Amina", Status.LATE, on=YESTERDAY)
        feed.on_notification(school.notifications[-1])
        assert await feed.next_state(watched, None) == seen[-1]
    assert len(set(map(str, seen))) == 4


async def test_a_change_heard_during_a_days_first_reading_is_not_lost(
    school: School, database: Database, feed: Feed
) -> None:
    async with feed.watch(YESTERDAY):
        with held(database, DAY_STATES) as reading:
            watching = asyncio.create_task(first_change(feed))
            await reading.read.wait()
            await school.mark("Amina", Status.LATE)
            feed.on_notification(school.notifications[-1])
            reading.go.set()
            assert await watching == [("Amina", 1)]


async def first_change(feed: Feed, on: date = TODAY) -> list[Heard]:
    """The first change after the moment of asking."""
    async with feed.watch(on) as watched:
        return await following(feed, watched, 1, after=watched.position)


async def test_a_reading_that_is_older_than_what_was_heard_meanwhile_takes_nothing_back(
    school: School, database: Database, feed: Feed
) -> None:
    async with feed.watch(TODAY) as watched:
        with held(database, DAY_STATES) as reading:
            refreshing = asyncio.create_task(feed.refresh())
            await reading.read.wait()
            await school.mark("Amina", Status.LATE)
            feed.on_notification(school.notifications[-1])
            reading.go.set()
            await refreshing
        assert (watched.position, await following(feed, watched, 1)) == (1, [("Amina", 1)])
        await school.mark("Björn", Status.LATE)
        feed.on_notification(school.notifications[-1])
        assert await following(feed, watched, 1, after=1) == [("Björn", 2)]


async def test_a_day_is_watched_from_its_present_position_without_its_past(
    school: School, database: Database, feed: Feed
) -> None:
    for status in (Status.LATE, Status.PRESENT, Status.LATE):
        await school.mark("Amina", status)
    with statements(database) as sent:
        async with feed.watch(TODAY) as watched:
            assert (watched.position, watched.since(3), watched.since(2)) == (3, (), None)
    assert [statement for statement in sent if "attendance_revision" in statement] == []


async def test_what_several_days_lack_is_read_in_pages(
    school: School, database: Database, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "PAGE", 2)
    async with feed.watch(TODAY) as today, feed.watch(YESTERDAY) as yesterday:
        for day in (YESTERDAY, TODAY):
            for name in school.people:
                await school.mark(name, Status.LATE, on=day)
        with statements(database) as sent:
            await feed.refresh()
        assert [change.position for change in await feed.changes_after(today, 0, feed.epoch)] == [1, 2, 3]
        assert [change.position for change in await feed.changes_after(yesterday, 0, feed.epoch)] == [1, 2, 3]
    assert len([statement for statement in sent if "FROM attendance_revision" in statement]) == 4  # 2 + 2 + 2 + none


async def test_each_day_is_brought_its_own_changes(school: School, feed: Feed) -> None:
    async with feed.watch(TODAY) as today, feed.watch(YESTERDAY) as yesterday:
        await school.mark("Amina", Status.LATE)
        await school.mark("Björn", Status.LATE, on=YESTERDAY)
        await school.mark("Chloé", Status.LATE, on=YESTERDAY - timedelta(days=1))
        for notification in school.notifications:
            feed.on_notification(notification)
        assert await following(feed, today, 1) == [("Amina", 1)]
        assert await following(feed, yesterday, 1) == [("Björn", 1)]
        assert feed.watched_days == 2


async def test_all_who_come_at_once_share_one_reading_of_all_their_days(
    school: School, database: Database, feed: Feed
) -> None:
    leave = asyncio.Event()

    async def watch(on: date) -> None:
        async with feed.watch(on):
            await leave.wait()

    with statements(database) as sent:
        watching = [asyncio.create_task(watch(on)) for on in [TODAY, YESTERDAY] * 10]
        await asyncio.sleep(0)
        await feed.refresh()
        assert len([statement for statement in sent if DAY_STATES in statement]) == 1
    assert feed.watched_days == 2
    leave.set()
    await asyncio.gather(*watching)
    assert feed.watched_days == 0


async def test_while_nobody_watches_the_database_is_left_alone(school: School, database: Database, feed: Feed) -> None:
    async with feed.watch(TODAY):
        pass
    with statements(database) as sent:
        await school.mark("Amina", Status.LATE)
        feed.on_notification(school.notifications[-1])
        await feed.refresh()
        assert sent == []


async def test_one_that_waits_and_is_cancelled_does_no_harm_to_those_who_wait_with_it(
    school: School, database: Database, feed: Feed
) -> None:
    with held(database, DAY_STATES) as reading:
        going, staying = (asyncio.create_task(first_change(feed)) for _ in range(2))
        await reading.read.wait()
        await cancelled(going)
        reading.go.set()
        async with feed.watch(TODAY) as watched:
            await school.mark("Amina", Status.LATE)
            feed.on_notification(school.notifications[-1])
            assert await following(feed, watched, 1) == [("Amina", 1)]
        assert await staying == [("Amina", 1)]


async def test_a_watcher_that_leaves_during_its_reading_leaves_no_day_behind(
    school: School, database: Database, feed: Feed
) -> None:
    with held(database, DAY_STATES) as reading:
        going = asyncio.create_task(first_change(feed))
        await reading.read.wait()
        await cancelled(going)
        assert feed.watched_days == 0
        await school.mark("Amina", Status.LATE)
        coming = asyncio.create_task(first_change(feed))
        await asyncio.sleep(0)
        reading.go.set()
        async with feed.watch(TODAY):
            await school.mark("Björn", Status.LATE)
            feed.on_notification(school.notifications[-1])
            assert await coming == [("Björn", 2)]
    assert feed.watched_days == 0


async def test_a_new_epoch_ends_all_who_watch_and_begins_anew_for_who_comes(school: School, feed: Feed) -> None:
    await school.mark("Amina", Status.LATE)
    async with feed.watch(TODAY) as watched:
        old = feed.epoch
        waiting = asyncio.create_task(following(feed, watched, 1, after=1))
        state = asyncio.create_task(feed.next_state(watched, await feed.next_state(watched, None)))
        async with school.work(COMMAND_LINE) as work:
            new = await new_epoch(work)
        await school.mark("Björn", Status.LATE)
        feed.on_notification(school.notifications[-1])
        for ended in (waiting, state):
            with pytest.raises(RestartRequired, match="restored from a backup"):
                await ended
        assert (old, feed.epoch) != (new, new)
        assert feed.epoch == new
        async with feed.watch(TODAY) as anew:
            assert anew.position == 2
            await school.mark("Chloé", Status.LATE)
            feed.on_notification(school.notifications[-1])
            assert await following(feed, anew, 1, after=2) == [("Chloé", 3)]
        with pytest.raises(RestartRequired, match="restored from a backup"):
            await following(feed, watched, 1, after=1)


@pytest.mark.parametrize("watched_before", [TODAY, YESTERDAY], ids=["the same day", "another day"])
async def test_whose_first_reading_finds_a_new_epoch_goes_on_while_those_before_it_are_ended(
    school: School, feed: Feed, watched_before: date
) -> None:
    async with feed.watch(watched_before) as before:
        async with school.work(COMMAND_LINE) as work:
            await new_epoch(work)
        async with feed.watch(TODAY) as watched:
            await school.mark("Amina", Status.LATE)
            feed.on_notification(school.notifications[-1])
            assert await following(feed, watched, 1) == [("Amina", 1)]
        with pytest.raises(RestartRequired):
            before.check()


async def test_a_history_that_has_become_shorter_ends_who_watches_its_day(school: School, feed: Feed) -> None:
    await school.mark("Amina", Status.LATE, on=YESTERDAY)
    for name in school.people:
        await school.mark(name, Status.LATE)
    async with feed.watch(TODAY) as today, feed.watch(YESTERDAY) as yesterday:
        async with school.work() as work:
            await work.write(delete(attendance_revision).where(attendance_revision.c.position > 1))
            await work.write(update(attendance_day).values(position=1))
        await feed.refresh()
        with pytest.raises(RestartRequired, match="restored from a backup"):
            await following(feed, today, 1, after=3)
        yesterday.check()
        async with feed.watch(TODAY) as anew:
            assert anew.position == 1
