"""No event brings back a name that somebody no longer has, whatever is heard first."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import update

from memberstaff.access import COMMAND_LINE
from memberstaff.accounts.directory import rename as rename_account
from memberstaff.attendance.rules import Mark
from memberstaff.changes import Change, Status
from memberstaff.db.database import Database
from memberstaff.db.installation import raise_roster_version
from memberstaff.db.tables import staff
from memberstaff.live.all_days import AllDays
from memberstaff.live.feed import Feed
from tests.services.boards import NEVER, rename, running
from tests.services.school import TODAY, School
from tests.statements import statements


async def rename_desk(school: School) -> None:
    """Give the marker's account another name."""
    assert school.marker.account_id is not None
    async with school.work(COMMAND_LINE) as work:
        await rename_account(work, school.marker.account_id, "Reception")


async def next_change(feed: Feed, after: int) -> Change:
    async with feed.watch(TODAY) as watched, asyncio.timeout(5):
        return (await feed.changes_after(watched, after, feed.epoch))[0]


@pytest.mark.parametrize("who", ["person", "account"])
async def test_a_change_that_is_heard_after_a_newer_roster_is_read_again(school: School, feed: Feed, who: str) -> None:
    async with feed.watch(TODAY) as watched:
        await school.mark("Amina", Status.LATE)
        await (rename(school, "Amina", "Amina B.") if who == "person" else rename_desk(school))
        marked, renamed = school.notifications
        feed.on_notification(renamed)
        feed.on_notification(marked)
        assert (watched.position, watched.since(0)) == (0, ())
        change = await next_change(feed, 0)
        names = ("Amina B.", "Front desk") if who == "person" else ("Amina", "Reception")
        assert (change.staff_name, change.changed_by_name) == names


async def test_a_change_that_is_heard_after_its_own_roster_is_believed(
    school: School, database: Database, feed: Feed
) -> None:
    async with feed.watch(TODAY) as watched:
        await rename(school, "Amina", "Amina B.")
        await school.mark("Amina", Status.LATE)
        with statements(database) as sent:
            for notification in school.notifications:
                feed.on_notification(notification)
            async with asyncio.timeout(5):
                [change] = await feed.changes_after(watched, 0, feed.epoch)
        assert (change.staff_name, change.roster_version, sent) == ("Amina B.", watched.roster_version, [])


async def test_a_caller_who_was_renamed_before_the_day_was_locked_marks_under_the_new_name(school: School) -> None:
    await rename_desk(school)
    await school.mark("Amina", Status.LATE)  # as the caller that was read before
    [change] = school.notifications[-1].changes
    assert (school.marker.display_name, change.changed_by_name) == ("Front desk", "Reception")


@pytest.mark.parametrize("engine", ["postgresql"])  # on SQLite one writer follows the other
async def test_a_person_who_is_renamed_while_they_are_marked_is_announced_as_of_the_older_roster(
    school: School, feed: Feed
) -> None:
    async with feed.watch(TODAY):
        async with school.work() as marking:
            await school.store(marking, TODAY, Mark(school.people["Amina"], status=Status.LATE))
            async with school.work(COMMAND_LINE) as renaming:  # as an import does, which waits for no mark
                await renaming.write(update(staff).where(staff.c.name == "Amina").values(name="Amina B."))
                await raise_roster_version(renaming)
        renamed, marked = school.notifications
        assert [change.staff_name for change in marked.changes] == ["Amina"]
        for notification in (renamed, marked):
            feed.on_notification(notification)
        assert (await next_change(feed, 0)).staff_name == "Amina B."


async def test_the_stream_of_all_days_reads_such_a_change_again(school: School, database: Database) -> None:
    stream = AllDays(database, poll_seconds=NEVER)
    async with running(stream.run), stream.watch() as position, asyncio.timeout(5):
        await school.mark("Amina", Status.LATE)
        await rename(school, "Amina", "Amina B.")
        for notification in reversed(school.notifications):
            stream.on_notification(notification)
        assert [change.staff_name for change in await stream.after(position)] == ["Amina B."]
