"""GroupCommit: what is stored, what is announced, and that the log holds each change exactly once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from memberstaff.access import COMMAND_LINE
from memberstaff.attendance import commands, queries
from memberstaff.attendance.commands import ErrorPolicy
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.queries import BoardFilter
from memberstaff.attendance.rules import Mark, VersionConflict
from memberstaff.changes import Status
from memberstaff.db.tables import attendance_day, staff
from memberstaff.errors import ErrorCode, Forbidden, Refusal, Refusals
from memberstaff.staff import commands as staff_commands
from memberstaff.staff.commands import Details
from memberstaff.staff.importing import import_staff
from memberstaff.staff.queries import StaffFilter
from tests.services.boards import held
from tests.services.school import CALENDAR, TODAY, School
from tests.statements import statements


async def test_a_mark_is_stored_logged_and_announced(school: School) -> None:
    record = await school.mark("Amina", Status.LATE, note="Train delayed")
    assert (record.status, record.note, record.version, record.position) == (Status.LATE, "Train delayed", 1, 1)
    assert record.updated_by == "Front desk"
    assert await school.log() == [(1, school.people["Amina"], 1, "LATE")]
    assert school.announced() == [("Amina", Status.LATE)]


async def test_a_mark_gives_the_name_of_its_account_that_everybody_is_told(school: School) -> None:
    """And not an older one, that of the caller before the day's lock."""
    school.marker = replace(school.marker, display_name="An older name")
    assert (await school.mark("Amina", Status.LATE)).updated_by == "Front desk"
    assert (await school.mark("Amina", Status.LATE)).updated_by == "Front desk"


async def test_a_retry_succeeds_with_an_old_version_and_announces_nothing(school: School) -> None:
    first = await school.mark("Amina", Status.LATE, expected_version=0)
    again = await school.mark("Amina", Status.LATE, expected_version=0)
    assert again == first
    assert await school.log() == [(1, school.people["Amina"], 1, "LATE")]
    assert school.announced() == [("Amina", Status.LATE)]


async def test_a_second_marker_is_told_about_the_first_and_announces_nothing(school: School) -> None:
    await school.mark("Amina", Status.LATE, expected_version=0)
    with pytest.raises(VersionConflict) as refused:
        await school.mark("Amina", Status.ABSENT, expected_version=0)
    assert refused.value.current.status is Status.LATE
    assert await school.log() == [(1, school.people["Amina"], 1, "LATE")]
    assert school.announced() == [("Amina", Status.LATE)]


async def test_a_refused_first_mark_leaves_not_even_a_day(school: School) -> None:
    with pytest.raises(Refusal) as refused:
        await school.mark("Amina", Status.PRESENT, on=TODAY + timedelta(days=1))
    assert refused.value.code is ErrorCode.FUTURE_DATE
    async with school.database.read() as reading:
        assert await reading.rows(select(attendance_day)) == []
    assert school.notifications == []


async def test_a_locked_day_refuses_marks_until_it_is_unlocked(school: School) -> None:
    async with school.work(COMMAND_LINE) as work:
        await CALENDAR.set_locked(work, TODAY, locked=True, reason="Payroll is done")
    with pytest.raises(Refusal) as refused:
        await school.mark("Amina", Status.PRESENT)
    assert refused.value.code is ErrorCode.DAY_LOCKED
    async with school.work(COMMAND_LINE) as work:
        await CALENDAR.set_locked(work, TODAY, locked=False, reason=None)
    assert (await school.mark("Amina", Status.PRESENT)).position == 1


async def test_a_marker_marks_today_and_corrects_yesterday_until_it_is_locked(school: School) -> None:
    yesterday = TODAY - timedelta(days=1)
    for on in (TODAY - timedelta(days=2), TODAY + timedelta(days=1)):
        with pytest.raises(Forbidden) as forbidden:
            async with school.work() as work:
                await school.store(work, on, Mark(1, status=Status.ON_LEAVE))
        assert forbidden.value.message == "A MARKER may not mark attendance for days ahead, or that are long over."
    assert school.notifications == []
    async with school.work() as work:
        record = await school.store(work, yesterday, Mark(1, status=Status.PRESENT))
    assert (record.date, record.arrived_at) == (yesterday, None)
    async with school.work(COMMAND_LINE) as work:
        await CALENDAR.set_locked(work, yesterday, locked=True, reason=None)
    with pytest.raises(Refusal) as refused:
        async with school.work() as work:
            await school.store(work, yesterday, Mark(1, status=Status.ABSENT))
    assert refused.value.code is ErrorCode.DAY_LOCKED


@pytest.mark.parametrize(("days", "allowed"), [(0, [0]), (1, [0, 1]), (3, [0, 1, 2, 3])])
async def test_a_setting_says_how_many_days_a_marker_corrects_alone_and_in_bulk(
    school: School, days: int, allowed: list[int]
) -> None:
    calendar = Calendar({0, 1, 2, 3, 4}, correction_days=days)
    everybody = BoardFilter(StaffFilter(on=TODAY))
    for mark in (Mark(1, status=Status.LATE), None):
        done = []
        for back in range(5):
            on = TODAY - timedelta(days=back)
            with suppress(Forbidden):
                async with school.work() as work:
                    if mark is None:
                        await commands.fill(work, calendar, on, Status.LATE, everybody, only_unmarked=True)
                    else:
                        await commands.update_many(work, calendar, on, [mark], ErrorPolicy.REJECT_ALL)
                done.append(back)
        assert done == allowed


async def test_somebody_who_has_left_is_not_marked(school: School) -> None:
    async with school.work(COMMAND_LINE) as work:
        details = Details(ends_on=TODAY - timedelta(days=1))
        await staff_commands.update_person(work, school.people["Amina"], details, expected_version=None)
    with pytest.raises(Refusal) as refused:
        await school.mark("Amina", Status.PRESENT)
    assert refused.value.code is ErrorCode.STAFF_INACTIVE
    assert await school.log() == []


async def test_writers_that_race_get_contiguous_positions_and_lose_nothing(school: School) -> None:
    statuses = [Status.PRESENT, Status.LATE, Status.ABSENT, Status.REMOTE]
    async with asyncio.TaskGroup() as tasks:
        for name in school.people:
            for status in statuses:
                tasks.create_task(school.mark(name, status))
    log = await school.log()
    assert [position for position, *_ in log] == list(range(1, 13))
    for number in school.people.values():
        assert [version for _, staff_id, version, _ in log if staff_id == number] == [1, 2, 3, 4]
    assert await school.position() == 12
    async with school.database.read() as reading:
        reading.caller = COMMAND_LINE
        records = await queries.records(reading, TODAY, list(school.people.values()))
    last = {staff_id: (position, status) for position, staff_id, _, status in log}
    assert {number: (record.position, record.status) for number, record in records.items()} == last


async def test_days_have_positions_of_their_own(school: School) -> None:
    await school.mark("Amina", Status.PRESENT)
    await school.mark("Amina", Status.LATE, on=TODAY - timedelta(days=3))
    assert (await school.position(), await school.position(TODAY - timedelta(days=3))) == (1, 1)


async def test_a_bulk_change_is_refused_whole_with_every_reason(school: School) -> None:
    amina, björn, _ = school.people.values()
    await school.mark("Amina", Status.LATE)
    with pytest.raises(Refusals) as refused:
        await school.bulk(
            Mark(amina, status=Status.ABSENT, expected_version=0),
            Mark(björn, status=Status.PRESENT),
            Mark(999, status=Status.PRESENT),
            Mark(björn, status=Status.PRESENT),
        )
    assert [(refusal.code, refusal.path) for refusal in refused.value.refusals] == [
        (ErrorCode.VERSION_CONFLICT, ("entries", "0", "expectedVersion")),
        (ErrorCode.NOT_FOUND, ("entries", "2", "staffId")),
        (ErrorCode.DUPLICATE, ("entries", "3", "staffId")),
    ]
    assert await school.position() == 1
    assert school.announced() == [("Amina", Status.LATE)]


async def test_a_bulk_change_may_skip_what_is_refused(school: School) -> None:
    amina, björn, chloé = school.people.values()
    outcome = await school.bulk(
        Mark(amina, status=Status.PRESENT),
        Mark(999, status=Status.PRESENT),
        Mark(chloé, status=Status.LATE, note="Dentist"),
        policy=ErrorPolicy.SKIP_FAILED,
    )
    assert (outcome.before, outcome.after, len(outcome.refusals)) == (0, 2, 1)
    assert await school.log() == [(1, amina, 1, "PRESENT"), (2, chloé, 1, "LATE")]
    assert school.announced() == [("Amina", Status.PRESENT), ("Chloé", Status.LATE)]


async def test_filling_marks_the_rest_present_and_keeps_their_notes(school: School) -> None:
    amina, björn, chloé = school.people.values()
    await school.mark("Björn", Status.ABSENT)
    await school.mark("Chloé", Status.LATE, note="Bus")
    await school.mark("Chloé", Status.UNMARKED)
    school.notifications.clear()
    async with school.work() as work:
        outcome = await commands.fill(
            work, CALENDAR, TODAY, Status.PRESENT, BoardFilter(StaffFilter(on=TODAY)), only_unmarked=True
        )
    assert (outcome.before, outcome.after) == (3, 5)
    assert (await school.log())[3:] == [(4, amina, 1, "PRESENT"), (5, chloé, 3, "PRESENT")]
    async with school.database.read() as reading:
        reading.caller = COMMAND_LINE
        records = await queries.records(reading, TODAY, [amina, björn, chloé])
    assert [(record.status, record.note) for record in records.values()] == [
        (Status.PRESENT, None),
        (Status.ABSENT, None),
        (Status.PRESENT, "Bus"),
    ]
    assert [notification.days[0].position for notification in school.notifications] == [5]


@pytest.mark.parametrize("engine", ["postgresql"])  # on SQLite, BEGIN is one more
async def test_a_bulk_mark_costs_the_same_few_statements_whatever_its_size(school: School) -> None:
    costs: dict[str, list[int]] = {"entries": [], "fill": []}
    for number in (20, 200):
        async with school.work(COMMAND_LINE) as work:
            await import_staff(work, [Details(name=f"{number}-{index}") for index in range(number)])
        async with school.database.read() as reading:
            people = [row.id for row in await reading.rows(select(staff.c.id))]
        with statements(school.database) as sent:
            await school.bulk(*(Mark(staff_id, status=Status.LATE, note=str(number)) for staff_id in people))
        costs["entries"].append(len(sent))
        with statements(school.database) as sent:
            async with school.work() as work:
                everybody = BoardFilter(StaffFilter(on=TODAY))
                outcome = await commands.fill(work, CALENDAR, TODAY, Status.REMOTE, everybody, only_unmarked=False)
            assert outcome.after - outcome.before == len(people)
            async with school.work() as work:
                await commands.fill(work, CALENDAR, TODAY, Status.LATE, everybody, only_unmarked=False)
        costs["fill"].append(len(sent) // 2)
    assert costs["entries"][1] == 3
    assert costs["fill"] == [6, 6]  # two of them for the first and the last change, which are announced


@pytest.mark.parametrize("engine", ["postgresql"])  # on SQLite one writer follows the other
async def test_no_note_outlives_an_erasure_that_comes_between_reading_and_marking(school: School) -> None:
    amina = school.people["Amina"]

    async def erase() -> None:
        async with school.work(COMMAND_LINE) as work:
            await staff_commands.erase(work, amina)

    with held(school.database, "FOR KEY SHARE") as reading:
        marking = asyncio.create_task(school.mark("Amina", Status.LATE, note="Hospital"))
        await reading.read.wait()
        erasing = asyncio.create_task(erase())
        await school.until_done_or_waiting(erasing)
        reading.go.set()
    assert (await marking).note == "Hospital"
    await erasing
    assert await school.notes(amina) == {None}


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_no_note_outlives_an_erasure_during_a_fill(school: School) -> None:
    amina = school.people["Amina"]
    await school.mark("Amina", Status.UNMARKED, note="Hospital")

    async def erase() -> None:
        async with school.work(COMMAND_LINE) as work:
            await staff_commands.erase(work, amina)

    async with school.work() as work:
        day = await CALENDAR.lock_row(work, TODAY)
        erasing = asyncio.create_task(erase())
        await school.until_done_or_waiting(erasing)
        assert not erasing.done()  # the day is taken: the fill copies notes while it holds it
        assert day.position == 1
        everybody = BoardFilter(StaffFilter(on=TODAY))
        await commands.fill(work, CALENDAR, TODAY, Status.PRESENT, everybody, only_unmarked=True)
    await erasing
    assert await school.notes(amina) == {None}


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_no_note_outlives_an_erasure_that_did_not_know_its_day_when_it_began(school: School) -> None:
    amina = school.people["Amina"]

    async def erase() -> None:
        async with school.work(COMMAND_LINE) as work:
            await staff_commands.erase(work, amina)

    async def fill() -> None:
        await school.fill(Status.PRESENT)

    with held(school.database, "attendance_day") as days, held(school.database, "UPDATE staff") as erased:
        erasing = asyncio.create_task(erase())
        await days.read.wait()  # it has found no day of hers
        await school.mark("Amina", Status.UNMARKED, note="Hospital")
        days.go.set()
        await erased.read.wait()
        filling = asyncio.create_task(fill())
        await school.until_done_or_waiting(filling)
        erased.go.set()
        await erasing
        await filling
    assert await school.notes(amina) == {None}
    assert await school.log() == [(1, amina, 1, "UNMARKED"), (2, 2, 1, "PRESENT"), (3, 3, 1, "PRESENT")]
