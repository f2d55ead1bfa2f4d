"""Boards that are kept show what reading them anew would show, to everybody who may see it."""

from __future__ import annotations

from datetime import date

import pytest

from memberstaff.access import COMMAND_LINE, Caller, Role
from memberstaff.attendance import queries
from memberstaff.attendance.board_cache import Board, BoardCache
from memberstaff.attendance.model import Summary
from memberstaff.attendance.queries import everybody
from memberstaff.changes import Status
from memberstaff.db.installation import new_epoch, raise_roster_version
from memberstaff.db.tables import account
from memberstaff.staff import commands as staff_commands
from memberstaff.staff.queries import StaffFilter
from tests.services.school import CALENDAR, TODAY, School
from tests.statements import statements

ADMIN, VIEWER = (Caller(None, "session", "", role) for role in (Role.ADMIN, Role.VIEWER))


async def look(boards: BoardCache, school: School, caller: Caller = ADMIN, first: int = 100, on: date = TODAY) -> Board:
    """The day's board; whatever was cached, it and its counts are what reading them anew gives."""
    async with school.database.read() as reading:
        reading.caller = caller
        day = await CALENDAR.day(reading, on)
        shown = await boards.page(reading, day, everybody(on), first=first, after=None)
        assert shown.records[:first] == await queries.board(reading, day, everybody(on), first=first, after=None)
        assert await boards.summary(reading, day) == await queries.summary(reading, on)
    return shown


async def test_a_board_that_nobody_changed_is_not_read_again(school: School) -> None:
    boards = BoardCache(16)
    first = await look(boards, school)
    async with school.database.read() as reading:
        reading.caller = ADMIN
        day = await CALENDAR.day(reading, TODAY)
        with statements(school.database) as sent:
            assert await boards.page(reading, day, everybody(TODAY), first=100, after=None) is first
            assert await boards.summary(reading, day) == Summary(TODAY, dict.fromkeys(Status, 0) | {Status.UNMARKED: 3})
    assert sent == []


async def test_after_a_mark_only_what_changed_is_read(school: School) -> None:
    boards = BoardCache(16)
    before = await look(boards, school)
    await school.mark("Amina", Status.LATE, note="Bus")
    after = await look(boards, school)
    assert [record.status for record in after.records] == [Status.LATE, Status.UNMARKED, Status.UNMARKED]
    assert [old is new for old, new in zip(before.records, after.records, strict=True)] == [False, True, True]


async def test_a_kept_board_shows_whatever_is_done_to_people_and_accounts(school: School) -> None:
    boards = BoardCache(16)
    await school.mark("Amina", Status.LATE, note="Bus")
    await look(boards, school)
    async with school.work(COMMAND_LINE) as work:
        await staff_commands.erase(work, school.people["Amina"])
    assert [record.note for record in (await look(boards, school)).records if record.note] == []
    async with school.work(COMMAND_LINE) as work:
        await work.write(account.update().values(display_name="Reception"))
        await raise_roster_version(work)
    await look(boards, school)
    async with school.work(COMMAND_LINE) as work:
        await new_epoch(work)
    await look(boards, school)


async def test_a_viewer_gets_no_notes_and_photos_from_a_board_that_was_kept_for_others(school: School) -> None:
    boards = BoardCache(16)

    async def seen(reader: Caller) -> set[tuple[str | None, str | None]]:
        return {(record.note, record.photo_url) for record in (await look(boards, school, reader)).records}

    await school.mark("Amina", Status.LATE, note="Hospital", photo_url="/bed.jpg")
    assert await seen(ADMIN) == {("Hospital", "/bed.jpg"), (None, None)}
    assert await seen(VIEWER) == {(None, None)}
    await school.mark("Björn", Status.LATE, note="Hospital", photo_url="/bed.jpg")
    assert await seen(VIEWER) == {(None, None)}


async def test_an_older_snapshot_is_not_shown_what_came_after_it(school: School) -> None:
    boards = BoardCache(16)
    await look(boards, school)
    async with school.database.read() as reading:
        reading.caller = ADMIN
        day = await CALENDAR.day(reading, TODAY)
        await school.mark("Amina", Status.LATE)
        await look(boards, school)
        shown = await boards.page(reading, day, everybody(TODAY), first=100, after=None)
    assert {record.status for record in shown.records} == {Status.UNMARKED}


@pytest.mark.parametrize("first", [1, 3])
async def test_a_page_that_may_not_hold_everybody_is_not_taken_for_the_board(school: School, first: int) -> None:
    boards = BoardCache(16)
    shown = await look(boards, school, first=first)
    assert (len(shown.records), shown.is_complete) == (first, False)
    assert (await look(boards, school)).is_complete


async def test_a_filter_is_answered_by_the_database(school: School) -> None:
    boards = BoardCache(16)
    await school.mark("Amina", Status.LATE)
    await look(boards, school)
    late = queries.BoardFilter(StaffFilter(TODAY), (Status.LATE,))
    async with school.database.read() as reading:
        reading.caller = ADMIN
        day = await CALENDAR.day(reading, TODAY)
        shown = await boards.page(reading, day, late, first=100, after=None)
    assert ([record.person.name for record in shown.records], shown.is_complete) == (["Amina"], False)


async def test_the_boards_in_memory_are_bounded(school: School) -> None:
    boards = BoardCache(2)
    days = [TODAY, TODAY.replace(day=13), TODAY.replace(day=14)]
    shown = {day: await look(boards, school, on=day) for day in days}
    assert await look(boards, school, on=days[2]) is shown[days[2]]
    assert await look(boards, school, on=days[0]) is not shown[days[0]]  # the least recently used one went
