"""When people came and left: stored, logged, announced and shown as one, single, in bulk, by import and by filling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from memberstaff.access import COMMAND_LINE, AnyoneWith, Caller, Role
from memberstaff.attendance import commands, log, queries
from memberstaff.attendance.board_cache import BoardCache
from memberstaff.attendance.commands import ErrorPolicy
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.importing import AttendanceRow, import_attendance
from memberstaff.attendance.model import Record
from memberstaff.attendance.queries import BoardFilter, everybody
from memberstaff.attendance.rules import Mark
from memberstaff.changes import Status, Visibility
from memberstaff.db.database import Database
from memberstaff.db.tables import attendance, attendance_revision, installation
from memberstaff.errors import ErrorCode, Forbidden, Refusal, Refusals, Unavailable
from memberstaff.inputs import UNSET
from memberstaff.notify.codec import decode, encode
from memberstaff.staff import commands as staff_commands
from memberstaff.staff.queries import StaffFilter
from tests.clock import START, TurnedClock
from tests.databases import UTC_ZONE
from tests.services.school import CALENDAR, TODAY, School

Times = tuple[datetime | None, datetime | None, bool]
DAY = timedelta(days=1)
YESTERDAY = TODAY - DAY
NINE = datetime(2026, 1, 12, 9, tzinfo=UTC)


async def record(school: School, name: str, reader: AnyoneWith | Caller = COMMAND_LINE) -> Record:
    async with school.database.read() as reading:
        reading.reader = reader
        return (await queries.records(reading, TODAY, [school.people[name]]))[school.people[name]]


async def times(school: School, name: str) -> Times:
    """Those of the record; the log has the same, and so has what was announced, and the counts add up."""
    stored = await record(school, name)
    seen = stored.arrived_at, stored.left_at, stored.on_site
    async with school.database.read() as reading:
        reading.caller = COMMAND_LINE
        changes = await log.after(reading, {TODAY: 0}, limit=100)
        newest = (await queries.history(reading, [(stored.person.id, TODAY)], first=1, before=None)).popitem()[1]
        summary = await queries.summary(reading, TODAY)
        board = await queries.board(reading, await CALENDAR.day(reading, TODAY), everybody(TODAY), first=9, after=None)
    last = [change for change in changes if change.staff_id == stored.person.id][-1]
    assert (last.arrived_at, last.left_at, last.on_site) == seen
    assert (newest[0].arrived_at, newest[0].left_at) == seen[:2]
    announced = {change.position: change for notification in school.notifications for change in notification.changes}
    assert announced.get(last.position, last) == last
    assert summary.on_site == sum(each.on_site for each in board)
    return seen


async def test_who_is_marked_present_comes_at_that_moment_which_no_later_mark_moves(
    school: School, clock: TurnedClock
) -> None:
    await school.mark("Amina", Status.LATE)
    clock.turn(hours=1)
    await school.mark("Amina", Status.PRESENT, note="Bus")
    assert await times(school, "Amina") == (START, None, True)
    await school.mark("Amina", Status.ABSENT)
    assert await times(school, "Amina") == (None, None, False)
    await school.mark("Amina", Status.HALF_DAY)
    assert await times(school, "Amina") == (NINE, None, True)


async def test_a_time_that_is_given_wins_and_can_be_cleared(school: School) -> None:
    seven = START - timedelta(hours=1)
    await school.mark("Amina", Status.PRESENT, arrived_at=seven, left_at=NINE)
    assert await times(school, "Amina") == (seven, NINE, False)
    await school.mark("Amina", Status.PRESENT, left_at=None)
    assert await times(school, "Amina") == (seven, None, True)
    await school.mark("Amina", Status.PRESENT, arrived_at=None)
    assert await times(school, "Amina") == (None, None, True)
    await school.mark("Björn", Status.PRESENT, arrived_at=None)
    assert await times(school, "Björn") == (None, None, True)


async def test_times_are_set_and_cleared_in_bulk(school: School) -> None:
    amina, björn, chloé = school.people.values()
    await school.bulk(
        Mark(amina, status=Status.PRESENT),
        Mark(björn, status=Status.LATE, arrived_at=NINE),
        Mark(chloé, status=Status.HALF_DAY, left_at=NINE),
    )
    assert [await times(school, name) for name in school.people] == [
        (START, None, True),
        (NINE, None, True),
        (START, NINE, False),
    ]
    await school.bulk(Mark(björn, status=Status.LATE, arrived_at=None), Mark(chloé, status=Status.ON_LEAVE))
    assert [await times(school, name) for name in ("Björn", "Chloé")] == [(None, None, True), (None, None, False)]


async def test_a_bulk_change_names_each_time_that_is_wrong(school: School) -> None:
    amina, björn, chloé = school.people.values()
    with pytest.raises(Refusals) as refused:
        await school.bulk(
            Mark(amina, status=Status.PRESENT, left_at=START - timedelta(minutes=1)),
            Mark(björn, status=Status.ABSENT, arrived_at=NINE),
            Mark(chloé, status=Status.LATE, arrived_at=START - timedelta(hours=8, minutes=1)),
            Mark(999, status=Status.LATE),
        )
    assert [(refusal.code, refusal.path) for refusal in refused.value.refusals] == [
        (ErrorCode.LEFT_BEFORE_ARRIVED, ("entries", "0", "leftAt")),
        (ErrorCode.INVALID, ("entries", "1", "arrivedAt")),
        (ErrorCode.OUTSIDE_DAY, ("entries", "2", "arrivedAt")),
        (ErrorCode.NOT_FOUND, ("entries", "3", "staffId")),
    ]
    assert school.notifications == []


async def test_filling_leaves_an_arrival_unknown_keeps_one_that_is_known_and_clears_those_of_whoever_is_not_there(
    school: School,
) -> None:
    await school.mark("Amina", Status.LATE, left_at=NINE)
    await school.mark("Björn", Status.ABSENT)
    await school.fill(Status.PRESENT, only_unmarked=False)
    assert [await times(school, name) for name in school.people] == [
        (START, NINE, False),
        (None, None, True),
        (None, None, True),
    ]
    await school.fill(Status.REMOTE, only_unmarked=False)
    assert {await times(school, name) for name in school.people} == {(None, None, False)}


async def test_an_import_sets_and_clears_times_and_invents_none(school: School) -> None:
    def row(name: str, status: Status, **values: Any) -> AttendanceRow:
        return AttendanceRow(TODAY, None, name, status, UNSET, **values)

    async def bring(*rows: AttendanceRow, dry_run: bool = False) -> int:
        return await import_attendance(school.database, CALENDAR, COMMAND_LINE, rows, dry_run=dry_run)

    rows = row("Amina", Status.PRESENT), row("Björn", Status.LATE, arrived_at=START, left_at=NINE)
    assert await bring(*rows, dry_run=True) == 2
    assert await bring(*rows) == 2
    assert [await times(school, name) for name in ("Amina", "Björn")] == [(None, None, True), (START, NINE, False)]
    assert await bring(*rows) == 0
    assert await bring(row("Björn", Status.LATE)) == 0
    assert await bring(row("Björn", Status.LATE, left_at=None)) == 1
    assert await times(school, "Björn") == (START, None, True)
    with pytest.raises(Refusals) as refused:
        await bring(row("Amina", Status.PRESENT), row("Björn", Status.LATE, left_at=START - timedelta(hours=1)))
    assert [(refusal.code, refusal.path) for refusal in refused.value.refusals] == [
        (ErrorCode.LEFT_BEFORE_ARRIVED, ("rows", "1", "leftAt"))
    ]


async def late(school: School, on: datetime, **values: object) -> Record:
    async with school.work() as work:
        mark = Mark(school.people["Amina"], status=Status.PRESENT, occurred_at=on, **values)  # type: ignore[arg-type]
        return await school.store(work, on.date(), mark)


async def test_a_marker_s_mark_of_yesterday_may_come_today_and_no_other_one(school: School) -> None:
    yesterday = START - timedelta(days=1)
    assert (await late(school, yesterday)).arrived_at == yesterday
    with pytest.raises(Forbidden):
        async with school.work() as work:
            mark = Mark(school.people["Björn"], status=Status.PRESENT, occurred_at=yesterday - timedelta(days=1))
            await school.store(work, yesterday.date(), mark)
    with pytest.raises(Refusal) as refused:
        await late(school, START - timedelta(days=7, milliseconds=1))
    assert refused.value.code is ErrorCode.TOO_LATE
    async with school.work() as work:
        marks = [Mark(school.people["Björn"], status=Status.LATE, occurred_at=yesterday)]
        await commands.update_many(work, CALENDAR, YESTERDAY, marks, ErrorPolicy.REJECT_ALL)
        everyone = BoardFilter(StaffFilter(YESTERDAY))
        await commands.fill(
            work, CALENDAR, YESTERDAY, Status.PRESENT, everyone, only_unmarked=True, occurred_at=yesterday
        )
    assert [status for *_, status in await school.log(YESTERDAY)] == ["PRESENT", "LATE", "PRESENT"]


async def test_one_late_entry_of_another_day_forbids_the_whole_of_a_bulk_change(school: School) -> None:
    amina, björn, _ = school.people.values()
    with pytest.raises(Forbidden):
        await school.bulk(
            Mark(amina, status=Status.LATE),
            Mark(björn, status=Status.LATE, occurred_at=START - timedelta(days=1)),
        )
    assert await school.log() == []


async def test_the_lock_of_now_holds_for_late_marks_too(school: School) -> None:
    async with school.work(COMMAND_LINE) as work:
        await CALENDAR.set_locked(work, YESTERDAY, locked=True, reason=None)
    with pytest.raises(Refusal) as refused:
        await late(school, START - timedelta(days=1))
    assert refused.value.code is ErrorCode.DAY_LOCKED
    everyone = BoardFilter(StaffFilter(YESTERDAY))
    with pytest.raises(Refusal) as refused:
        async with school.work() as work:
            late_by = {"only_unmarked": True, "occurred_at": START - timedelta(days=1)}
            await commands.fill(work, CALENDAR, YESTERDAY, Status.PRESENT, everyone, **late_by)  # type: ignore[arg-type]
    assert refused.value.code is ErrorCode.DAY_LOCKED


@pytest.mark.parametrize(
    ("by", "code"), [(timedelta(minutes=1, milliseconds=1), ErrorCode.CLOCK_AHEAD), (None, ErrorCode.TOO_LATE)]
)
async def test_a_fill_is_refused_like_a_mark_that_is_ahead_or_too_late(
    school: School, by: timedelta | None, code: ErrorCode
) -> None:
    calendar = Calendar({0, 1, 2, 3, 4}, late_mark_days=0)
    occurred_at = START + (by or -timedelta(milliseconds=1))
    everyone = BoardFilter(StaffFilter(TODAY))
    with pytest.raises(Refusal) as refused:
        async with school.work() as work:
            await commands.fill(
                work, calendar, TODAY, Status.LATE, everyone, only_unmarked=True, occurred_at=occurred_at
            )
    assert (refused.value.code, await school.log()) == (code, [])


VIEWER = AnyoneWith(Role.VIEWER)


async def test_a_viewer_sees_who_is_on_site_and_the_times_only_where_a_setting_says_so(
    school: School, database_url: str, clock: TurnedClock
) -> None:
    await school.mark("Amina", Status.PRESENT, note="Hospital", left_at=NINE)
    await school.mark("Björn", Status.PRESENT)
    open_house = Database(database_url, zone=UTC_ZONE, clock=clock, visibility=Visibility(times=True))
    boards = BoardCache(16)
    for database, reader, shown in (
        (school.database, VIEWER, (None, None)),
        (school.database, AnyoneWith(Role.MARKER), (START, NINE)),
        (open_house, VIEWER, (START, NINE)),
        (school.database, VIEWER, (None, None)),
    ):
        async with database.read() as reading:
            reading.reader = reader
            day = await CALENDAR.day(reading, TODAY)
            board = await boards.page(reading, day, everybody(TODAY), first=9, after=None)
            [revision] = (
                await queries.history(reading, [(school.people["Amina"], TODAY)], first=9, before=None)
            ).popitem()[1]
            assert (await boards.summary(reading, day)).on_site == 1
        assert [each.on_site for each in board.records] == [False, True, False]
        assert (board.records[0].arrived_at, board.records[0].left_at) == shown
        assert (revision.arrived_at, revision.left_at) == shown
        assert (board.records[0].note is None) == (reader is VIEWER)
    await open_house.close()


async def test_a_kept_board_shows_who_has_left(school: School) -> None:
    boards = BoardCache(16)
    for left_at, on_site in ((UNSET, 1), (NINE, 0), (None, 1)):
        await school.mark("Amina", Status.PRESENT, left_at=left_at)
        async with school.database.read() as reading:
            reading.reader = VIEWER
            day = await CALENDAR.day(reading, TODAY)
            board = await boards.page(reading, day, everybody(TODAY), first=9, after=None)
            assert board.records == await queries.board(reading, day, everybody(TODAY), first=9, after=None)
            assert await boards.summary(reading, day) == await queries.summary(reading, TODAY)
            assert (await boards.summary(reading, day)).on_site == on_site


async def test_an_announcement_carries_the_times(school: School) -> None:
    await school.mark("Amina", Status.PRESENT, left_at=NINE)
    [notification] = school.notifications
    [change] = decode(encode(notification)).changes
    assert (change.arrived_at, change.left_at) == (START, NINE)


async def test_the_times_of_somebody_who_is_erased_are_gone(school: School) -> None:
    await school.mark("Amina", Status.PRESENT, left_at=NINE)
    async with school.work(COMMAND_LINE) as work:
        await staff_commands.erase(work, school.people["Amina"])
    async with school.database.read() as reading:
        for table in (attendance, attendance_revision):
            of = table.c
            [row] = await reading.rows(select(of.arrived_at, of.left_at, of.status))
            assert tuple(row) == (None, None, "PRESENT")


async def test_whoever_is_erased_is_on_site_no_more_since_nobody_knows_when_they_left(school: School) -> None:
    for name, left_at in (("Amina", START), ("Björn", None), ("Chloé", None)):
        await school.mark(name, Status.PRESENT, on=YESTERDAY, arrived_at=None, left_at=left_at and left_at - DAY)
    counts = []
    for erased in (None, "Amina", "Björn"):
        if erased is not None:
            async with school.work(COMMAND_LINE) as work:
                await staff_commands.erase(work, school.people[erased])
        async with school.database.read() as reading:
            reading.caller = COMMAND_LINE
            summary = await queries.summary(reading, YESTERDAY)
            records = await queries.records(reading, YESTERDAY, list(school.people.values()))
            changes = await log.after(reading, {YESTERDAY: 0}, limit=9)
        of_records = sum(each.on_site for each in records.values())
        assert summary.on_site == of_records == sum(each.on_site for each in changes)
        counts.append((summary.counts[Status.PRESENT], summary.on_site))
    assert counts == [(3, 2), (3, 2), (3, 1)]


async def test_before_an_upgrade_is_finished_no_time_is_written_that_earlier_releases_would_not_carry_on(
    school: School,
) -> None:
    async with school.work() as work:
        await work.write(installation.update().values(least_revision=None))
    assert (await school.mark("Amina", Status.PRESENT)).on_site
    assert await times(school, "Amina") == (None, None, True)
    with pytest.raises(Unavailable) as refused:
        await school.mark("Amina", Status.PRESENT, left_at=NINE)
    assert refused.value.message == "Times and reasons can be recorded once this upgrade is finished."
    with pytest.raises(Unavailable):
        await school.bulk(Mark(school.people["Björn"], status=Status.LATE, arrived_at=NINE))
    await school.fill(Status.LATE, only_unmarked=False)
    assert await times(school, "Amina") == (None, None, True)
