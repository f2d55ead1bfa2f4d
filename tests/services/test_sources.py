"""What groups are sent of a day: each change rendered once, and none skipped."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, nullcontext
from typing import Any

import pytest

from memberstaff.access import COMMAND_LINE
from memberstaff.attendance import log as change_log
from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import Status
from memberstaff.db.database import Database
from memberstaff.db.installation import new_epoch
from memberstaff.errors import RestartRequired, Unavailable
from memberstaff.fanout.byte_lru import ByteLRU
from memberstaff.fanout.event_source import SourceOver
from memberstaff.live.feed import Feed
from memberstaff.live.sources import BATCH_BYTES, RENDERED_AT_ONCE, DayChanges, DayStates
from tests.databases import Engine
from tests.services.boards import NEVER, OFTEN, Line, held, rename, running
from tests.services.school import TODAY, School
from tests.services.sourced import Names, after, mark_all
from tests.waiting import until


@pytest.fixture
def engine() -> Engine:
    """What is made of the log; how it is read is for test_feed.py to show on both."""
    return "sqlite"


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def changes(feed: Feed, names: Names) -> DayChanges:
    """Today's changes, by name."""
    return DayChanges(feed, TODAY, names.rendering, ByteLRU(10 * BATCH_BYTES))


async def test_the_changes_after_a_position_are_one_batch_with_their_cursors(
    school: School, feed: Feed, changes: DayChanges, names: Names
) -> None:
    await mark_all(school)
    async with changes.open() as position:
        assert position == 3
        assert await after(changes, 1) == (3, ["Björn", "Chloé"])
        assert names.cursors == [Cursor(feed.epoch, TODAY, 2), Cursor(feed.epoch, TODAY, 3)]
        assert names.open == 0


async def test_who_has_everything_waits_for_the_next_change(
    school: School, feed: Feed, changes: DayChanges, names: Names
) -> None:
    await mark_all(school)
    async with changes.open() as position:
        waiting = asyncio.create_task(after(changes, position))
        await school.mark("Amina", Status.PRESENT)
        feed.on_notification(school.notifications[-1])
        assert await waiting == (4, ["Amina"])
        assert names.asked == [4]


@pytest.mark.parametrize(
    ("size", "batches"),
    [(BATCH_BYTES, [["Amina"], ["Björn"], ["Chloé"]]), (BATCH_BYTES - 1, [["Amina", "Björn"], ["Chloé"]])],
    ids=["just large enough", "a byte less"],
)
async def test_a_batch_is_closed_when_it_is_large_enough(
    school: School, changes: DayChanges, names: Names, size: int, batches: list[list[str]]
) -> None:
    await mark_all(school)
    names.padding = size - len("Amina")
    async with changes.open():
        position, seen = 0, []
        while position < 3:
            position, batch = await after(changes, position)
            seen.append(batch)
    assert seen == batches
    assert names.asked == [1, 2, 3]


async def test_a_batch_holds_no_more_than_a_few_changes_that_read_the_database(
    school: School, feed: Feed, changes: DayChanges, names: Names
) -> None:
    names.later = True
    async with feed.watch(TODAY), changes.open():
        for number in range(RENDERED_AT_ONCE + 2):
            await school.mark("Amina", (Status.LATE, Status.PRESENT)[number % 2])
        await feed.refresh()
        reached, rendered = await after(changes, 0)
        assert (reached, len(rendered)) == (RENDERED_AT_ONCE, RENDERED_AT_ONCE)
        assert await after(changes, reached) == (RENDERED_AT_ONCE + 2, ["Amina"] * 2)


async def test_no_more_is_read_of_the_log_than_a_batch_holds(school: School, database: Database, names: Names) -> None:
    feed = Feed(database, poll_seconds=NEVER, recent_changes=0, max_replay=100)
    names.later = True
    async with running(feed.run):
        changes = DayChanges(feed, TODAY, names.rendering, ByteLRU(10 * BATCH_BYTES))
        async with feed.watch(TODAY), changes.open():
            for number in range(3 * RENDERED_AT_ONCE):
                await school.mark("Amina", (Status.LATE, Status.PRESENT)[number % 2])
            await feed.refresh()
            read: list[int] = []
            before = change_log.after

            async def counting(*arguments: Any, **options: Any) -> Any:
                found = await before(*arguments, **options)
                read.append(len(found))
                return found

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(change_log, "after", counting)
                position = 0
                while position < 3 * RENDERED_AT_ONCE:
                    position, _ = await changes.after(position)
            assert read == [3 * RENDERED_AT_ONCE, RENDERED_AT_ONCE, RENDERED_AT_ONCE]


async def test_a_batch_ends_with_its_turn(school: School, changes: DayChanges) -> None:
    await mark_all(school)
    changes.turn = lambda: nullcontext(lambda: True)
    async with changes.open():
        assert await after(changes, 0) == (1, ["Amina"])
        assert await after(changes, 1) == (2, ["Björn"])


async def test_changes_that_nobody_wants_move_the_position_on(
    school: School, changes: DayChanges, names: Names
) -> None:
    await mark_all(school)
    async with changes.open():
        names.unwanted = {"Amina", "Chloé"}
        assert await after(changes, 0) == (3, ["Björn"])
        names.unwanted.add("Björn")
        assert await after(changes, 2) == (3, [])
        assert names.asked == [1, 2, 3]  # that the third is not wanted was known


async def test_a_change_that_cannot_be_rendered_holds_up_none_before_it_and_is_rendered_again(
    school: School, changes: DayChanges, names: Names
) -> None:
    await mark_all(school)
    async with changes.open():
        names.failing[2] = Unavailable("The database does not answer.")
        assert await after(changes, 0) == (1, ["Amina"])
        for _ in range(2):
            with pytest.raises(Unavailable):
                await after(changes, 1)
        assert names.open == 0
        names.failing.clear()
        assert await after(changes, 1) == (3, ["Björn", "Chloé"])
        assert names.asked == [1, 2, 2, 2, 2, 3]


async def test_renderings_are_shared_until_the_roster_changes(
    school: School, feed: Feed, changes: DayChanges, names: Names
) -> None:
    await mark_all(school)
    async with changes.open():
        for _ in range(3):
            assert await after(changes, 0) == (3, ["Amina", "Björn", "Chloé"])
        assert names.asked == [1, 2, 3]
        await rename(school, "Amina", "Amina B.")
        feed.on_notification(school.notifications[-1])
        assert await after(changes, 0) == (3, ["Amina B.", "Björn", "Chloé"])
        assert names.asked == [1, 2, 3, 1, 2, 3]


async def test_what_is_read_at_rendering_is_never_shared(school: School, changes: DayChanges, names: Names) -> None:
    names.later = True
    await mark_all(school)
    async with changes.open():
        for _ in range(2):
            assert await after(changes, 1) == (3, ["Björn", "Chloé"])
    assert names.asked == [2, 3, 2, 3]


async def test_two_sources_share_no_renderings_though_they_share_the_memory(school: School, feed: Feed) -> None:
    cache: ByteLRU[tuple[object, int, int]] = ByteLRU(10 * BATCH_BYTES)
    all_of_them, kitchen = Names(), Names()
    kitchen.unwanted = {"Amina", "Chloé"}
    await mark_all(school)
    async with AsyncExitStack() as stack:
        seen = []
        for names in (all_of_them, kitchen):
            source = DayChanges(feed, TODAY, names.rendering, cache)
            await stack.enter_async_context(source.open())
            seen.append(await after(source, 0))
    assert seen == [(3, ["Amina", "Björn", "Chloé"]), (3, ["Björn"])]


async def test_a_name_that_was_read_before_the_roster_changed_is_read_again(
    school: School, database: Database, names: Names
) -> None:
    feed = Feed(database, poll_seconds=NEVER, recent_changes=0, max_replay=100)
    changes = DayChanges(feed, TODAY, names.rendering, ByteLRU(10 * BATCH_BYTES))
    await mark_all(school)
    async with running(feed.run), changes.open():
        with held(database, "FROM attendance_revision") as reading:
            batch = asyncio.create_task(after(changes, 0))
            await reading.read.wait()
            await rename(school, "Amina", "Amina B.")
            feed.on_notification(school.notifications[-1])
            reading.go.set()
            assert await batch == (3, ["Amina B.", "Björn", "Chloé"])


async def test_a_name_that_was_changed_while_an_event_was_rendered_is_rendered_again(
    school: School, feed: Feed, changes: DayChanges, names: Names
) -> None:
    names.later = True
    async with changes.open():
        await mark_all(school)
        await feed.refresh()
        names.gate = asyncio.Event()
        batch = asyncio.create_task(after(changes, 0))
        await until(lambda: names.asked == [1])
        await rename(school, "Amina", "Amina B.")
        feed.on_notification(school.notifications[-1])
        names.gate.set()
        assert await batch == (0, [])
        assert await after(changes, 0) == (3, ["Amina B.", "Björn", "Chloé"])


async def test_a_subscriber_begins_at_its_cursor_or_now(school: School, feed: Feed, changes: DayChanges) -> None:
    async with changes.open():
        await mark_all(school)
        assert await changes.start(str(Cursor(feed.epoch, TODAY, 2))) == 2
        assert await changes.start(None) == 3
        with pytest.raises(RestartRequired):
            await changes.start(str(Cursor(1, TODAY, 2)))


async def test_after_a_restored_backup_there_is_nothing_to_follow(
    school: School, feed: Feed, changes: DayChanges
) -> None:
    await mark_all(school)
    async with changes.open():
        async with school.work(COMMAND_LINE) as work:
            await new_epoch(work)
        await feed.refresh()
        for position in (0, 3):
            with pytest.raises(RestartRequired, match="restored from a backup"):
                await after(changes, position)


async def test_whoever_comes_from_the_next_epoch_is_sent_to_the_next_source(
    school: School, feed: Feed, changes: DayChanges
) -> None:
    states = DayStates(feed, TODAY, asyncio.Event().wait)  # type: ignore[arg-type]
    await mark_all(school)
    async with changes.open(), states.open():
        old = changes.cursor(2)
        async with school.work(COMMAND_LINE) as work:
            epoch = await new_epoch(work)
        for start in (changes.start(str(Cursor(epoch, TODAY, 3))), changes.start(None), states.start(None)):
            with pytest.raises(SourceOver):
                await start
        for cursor in (old, "junk"):
            with pytest.raises(RestartRequired):
                await changes.start(cursor)


async def test_what_is_rendered_while_a_failover_is_noticed_is_not_sent(
    school: School, feed: Feed, changes: DayChanges, names: Names
) -> None:
    """Its nested fields may have been read from the new primary, which the feed has not read yet."""
    names.later, names.gate = True, asyncio.Event()
    async with changes.open():
        await mark_all(school)
        await feed.refresh()
        rendering = asyncio.create_task(after(changes, 0))
        await until(lambda: bool(names.asked))
        feed._database.timeline.epoch = feed.epoch + 1  # noqa: SLF001 - as a new connection would
        names.gate.set()
        with pytest.raises(RestartRequired):
            await rendering


async def test_whoever_listens_is_counted_as_a_follower_of_the_day(
    school: School, feed: Feed, changes: DayChanges
) -> None:
    states = DayStates(feed, TODAY, asyncio.Event().wait)  # type: ignore[arg-type]
    async with changes.open(), states.open():
        changes.count(3)
        states.count(1)
        changes.count(-1)
        assert feed.followers(TODAY) == 3


async def test_while_the_database_is_away_changes_are_unavailable_and_none_is_consumed(
    school: School, line: Line, names: Names
) -> None:
    feed = Feed(line.database, poll_seconds=OFTEN, recent_changes=0, max_replay=100)
    changes = DayChanges(feed, TODAY, names.rendering, ByteLRU(10 * BATCH_BYTES))
    await mark_all(school)
    async with running(feed.run), changes.open():
        await line.cut()
        with pytest.raises(Unavailable):
            await after(changes, 1)
        await line.mend()
        assert await after(changes, 1) == (3, ["Björn", "Chloé"])
