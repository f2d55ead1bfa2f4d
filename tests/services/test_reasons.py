"""Reasons: a list that administrators keep, chosen with marks, and shown to whom it may be shown."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from memberstaff.access import COMMAND_LINE, AnyoneWith, Role
from memberstaff.attendance import log, queries, reasons, report
from memberstaff.attendance.board_cache import BoardCache
from memberstaff.attendance.importing import AttendanceRow, import_attendance
from memberstaff.attendance.queries import everybody
from memberstaff.attendance.reasons import MOST, ReasonDetails
from memberstaff.attendance.report import ReportFilter
from memberstaff.attendance.rules import Mark
from memberstaff.changes import FROM_ANYBODY, Reason, Status
from memberstaff.db.database import Database
from memberstaff.db.tables import attendance, attendance_revision, audit, installation
from memberstaff.errors import ErrorCode, Forbidden, Refusal, Refusals, Unavailable
from memberstaff.inputs import UNSET, Unset
from memberstaff.live.feed import Feed
from memberstaff.notify.codec import decode, encode
from memberstaff.staff import commands as staff_commands
from tests.services.school import CALENDAR, TODAY, School
from tests.statements import statements


async def create(school: School, name: str, *, for_viewers: bool = False) -> Reason:
    async with school.work(COMMAND_LINE) as work:
        return await reasons.create(work, ReasonDetails(name=name, for_viewers=for_viewers))


async def change(school: School, reason: Reason, **values: str | bool) -> Reason:
    async with school.work(COMMAND_LINE) as work:
        return await reasons.change(work, reason.id, ReasonDetails(**values))  # type: ignore[arg-type]


async def refused(school: School, details: ReasonDetails, reason_id: int | None = None) -> tuple[ErrorCode, str]:
    with pytest.raises(Refusal) as told:
        async with school.work(COMMAND_LINE) as work:
            if reason_id is None:
                await reasons.create(work, details)
            else:
                await reasons.change(work, reason_id, details)
    return told.value.code, told.value.path[0]


async def test_administrators_keep_the_list_and_the_audit_log_tells(school: School) -> None:
    train = await create(school, " The  train ")
    assert (train.name, train.for_viewers, train.retired) == ("The train", False, False)
    assert await change(school, train) == train
    renamed = await change(school, train, name="Trains", for_viewers=True)
    retired = await change(school, renamed, retired=True)
    assert (renamed.name, retired.retired) == ("Trains", True)
    async with school.database.read() as reading:
        rows = await reading.rows(select(audit.c.action, audit.c.details).where(audit.c.subject == "reason"))
    assert [tuple(row) for row in rows] == [
        ("created", {"name": "The train", "for_viewers": False, "retired": False}),
        ("updated", {"name": "Trains", "for_viewers": True, "retired": False}),
        ("updated", {"name": "Trains", "for_viewers": True, "retired": True}),
    ]
    with pytest.raises(Forbidden):
        async with school.work() as work:
            await reasons.create(work, ReasonDetails(name="Bus"))


async def test_what_cannot_be_a_reason_is_refused(school: School) -> None:
    train = await create(school, "Train")
    bus = await create(school, "Bus")
    assert await refused(school, ReasonDetails(name=" TRÁIN ")) == (ErrorCode.DUPLICATE, "name")
    assert await refused(school, ReasonDetails(name="Train"), bus.id) == (ErrorCode.DUPLICATE, "name")
    assert await refused(school, ReasonDetails(name="x" * 101)) == (ErrorCode.INVALID, "name")
    assert await refused(school, ReasonDetails(name=" ")) == (ErrorCode.INVALID, "name")
    assert await refused(school, ReasonDetails()) == (ErrorCode.INVALID, "name")
    assert await refused(school, ReasonDetails(retired=True), 999) == (ErrorCode.NOT_FOUND, "id")
    assert (await change(school, train, name="TRAIN")).name == "TRAIN"
    async with school.work(COMMAND_LINE) as work:
        for number in range(2, MOST):
            await reasons.create(work, ReasonDetails(name=f"No. {number}"))
    assert await refused(school, ReasonDetails(name="Too many")) == (ErrorCode.LIMIT_EXCEEDED, "name")


async def reason_of(school: School, name: str, role: Role = Role.MARKER) -> Reason | None:
    """On the record, in its history, and in the log as far as this role may see it: the same in all of them."""
    staff_id = school.people[name]
    async with school.database.read() as reading:
        reading.reader = AnyoneWith(role)
        record = (await queries.records(reading, TODAY, [staff_id]))[staff_id]
        [newest] = (await queries.history(reading, [(staff_id, TODAY)], first=1, before=None))[staff_id, TODAY]
        changes = [each for each in await log.after(reading, {TODAY: 0}, limit=99) if each.staff_id == staff_id]
        assert record.reason == newest.reason == changes[-1].shown(reading.hidden).reason
    return record.reason


async def test_a_mark_has_a_reason_beside_its_note_and_keeps_it_until_it_says_another(school: School) -> None:
    train, bus = await create(school, "Train"), await create(school, "Bus")
    assert (await school.mark("Amina", Status.LATE, reason_id=train.id, note="Snow")).reason == train
    assert await reason_of(school, "Amina") == train
    await school.mark("Amina", Status.LATE, note=None)
    await school.fill(Status.PRESENT, only_unmarked=False)
    assert await reason_of(school, "Amina") == train
    amina, björn, _ = school.people.values()
    await school.bulk(Mark(amina, status=Status.LATE, reason_id=bus.id), Mark(björn, status=Status.LATE))
    assert await reason_of(school, "Amina") == bus
    await school.mark("Amina", Status.LATE, reason_id=None)
    assert await reason_of(school, "Amina") is None
    [change] = decode(encode(school.notifications[0])).changes
    assert change.reason == train


async def test_a_reason_that_does_not_exist_or_is_retired_is_refused_unless_it_is_stored_already(
    school: School,
) -> None:
    train = await create(school, "Train")
    amina, björn, chloé = school.people.values()
    await school.mark("Amina", Status.LATE, reason_id=train.id)
    await change(school, train, retired=True)
    again = await school.mark("Amina", Status.LATE, reason_id=train.id, note="Snow")
    assert again.reason is not None
    assert again.reason.retired
    with pytest.raises(Refusals) as told:
        await school.bulk(
            Mark(amina, status=Status.LATE, reason_id=train.id),
            Mark(björn, status=Status.LATE, reason_id=train.id),
            Mark(chloé, status=Status.LATE, reason_id=-1),
        )
    message = "There is no such reason, or it has been retired."
    assert [(each.code, each.message, each.path) for each in told.value.refusals] == [
        (ErrorCode.NOT_FOUND, message, ("entries", number, "reasonId")) for number in ("1", "2")
    ]
    await change(school, train, retired=False)
    await school.mark("Björn", Status.LATE, reason_id=train.id)


@pytest.mark.parametrize("engine", ["postgresql"])  # on SQLite, BEGIN is one more
async def test_a_mark_with_a_reason_costs_as_many_statements_as_one_without(school: School) -> None:
    train = await create(school, "Train")
    await school.mark("Amina", Status.LATE)  # so that there is a day
    costs = []
    for reason_id in (UNSET, train.id):
        with statements(school.database) as sent:
            await school.mark("Amina", Status.LATE, reason_id=reason_id, note=str(reason_id))
        costs.append(len(sent))
    assert costs == [3, 3]


async def test_a_viewer_is_shown_reasons_for_viewers_and_nobody_who_does_not_log_in_any(school: School) -> None:
    ill, train = await create(school, "Ill"), await create(school, "Train", for_viewers=True)
    await school.mark("Amina", Status.ABSENT, reason_id=ill.id)
    await school.mark("Björn", Status.LATE, reason_id=train.id)
    assert [await reason_of(school, name) for name in ("Amina", "Björn")] == [ill, train]
    assert [await reason_of(school, name, Role.VIEWER) for name in ("Amina", "Björn")] == [None, train]
    assert [each.changes[0].shown(FROM_ANYBODY).reason for each in school.notifications[-2:]] == [None, None]
    async with school.database.read() as reading:
        reading.reader = AnyoneWith(Role.VIEWER)
        assert await reasons.all_reasons(reading) == [train]
        counted = await report.reasons_given(reading, TODAY, TODAY, ReportFilter())
        assert [(each.reason, each.status, each.number) for each in counted] == [(train, Status.LATE, 1)]
        reading.reader = AnyoneWith(Role.MARKER)
        assert await reasons.all_reasons(reading) == [ill, train]


async def test_a_kept_board_shows_a_reason_as_it_is_now_to_whom_it_may_be_shown(school: School) -> None:
    boards, train = BoardCache(16), await create(school, "Train")
    await school.mark("Amina", Status.LATE, reason_id=train.id)

    async def shown(role: Role) -> str | None:
        async with school.database.read() as reading:
            reading.reader = AnyoneWith(role)
            day = await CALENDAR.day(reading, TODAY)
            board = await boards.page(reading, day, everybody(TODAY), first=9, after=None)
            assert board.records == await queries.board(reading, day, everybody(TODAY), first=9, after=None)
        reason = board.records[0].reason
        return reason.name if reason is not None else None

    assert [await shown(role) for role in (Role.MARKER, Role.VIEWER)] == ["Train", None]
    train = await change(school, train, name="Trains", for_viewers=True)
    assert [await shown(role) for role in (Role.MARKER, Role.VIEWER)] == ["Trains", "Trains"]
    await change(school, train, for_viewers=False)
    assert [await shown(role) for role in (Role.MARKER, Role.VIEWER)] == ["Trains", None]


async def test_a_change_that_is_heard_after_its_reason_was_hidden_is_read_again(
    school: School, database: Database, feed: Feed
) -> None:
    train = await create(school, "Train", for_viewers=True)
    async with feed.watch(TODAY) as watched:
        await school.mark("Amina", Status.LATE, reason_id=train.id)
        await change(school, train, for_viewers=False)
        marked, hidden = school.notifications[-2:]
        feed.on_notification(hidden)
        feed.on_notification(marked)
        assert watched.since(0) == ()
        [found] = await feed.changes_after(watched, 0, feed.epoch)
        assert found.reason is not None
        assert not found.reason.for_viewers


async def test_an_import_names_reasons_in_any_spelling_and_removes_them(school: School) -> None:
    await create(school, "Train")

    def row(reason: str | None | Unset, name: str = "Amina") -> AttendanceRow:
        return AttendanceRow(TODAY, None, name, Status.LATE, UNSET, reason=reason)

    async def bring(*rows: AttendanceRow) -> int:
        return await import_attendance(school.database, CALENDAR, COMMAND_LINE, rows)

    assert await bring(row(" TRAIN")) == 1
    assert await bring(row("Train")) == 0
    assert await bring(row(UNSET)) == 0
    with pytest.raises(Refusals) as told:
        await bring(row("Bus"), row("Train", "Nobody"))
    assert [(each.message, each.path) for each in told.value.refusals] == [
        ("There is no reason 'Bus'.", ("rows", "0", "reason")),
        ("There is no such person.", ("rows", "1", "name")),
    ]
    async with school.work(COMMAND_LINE) as work:
        await reasons.change(work, 1, ReasonDetails(retired=True))
    assert await bring(row("Train")) == 0
    with pytest.raises(Refusals) as told:
        await bring(row("Train", "Björn"))
    assert [each.path for each in told.value.refusals] == [("rows", "0", "reasonId")]
    assert await bring(row(None)) == 1
    assert await reason_of(school, "Amina") is None


async def test_reasons_are_counted_over_days_people_and_statuses(school: School) -> None:
    train, ill = await create(school, "Train"), await create(school, "Ill")
    yesterday = TODAY - timedelta(days=1)
    for name, on, status, reason in (
        ("Amina", TODAY, Status.LATE, train),
        ("Amina", yesterday, Status.LATE, train),
        ("Björn", TODAY, Status.ABSENT, train),
        ("Chloé", TODAY, Status.ABSENT, ill),
        ("Chloé", yesterday, Status.UNMARKED, ill),
    ):
        await school.mark(name, status, on=on, reason_id=reason.id)
    async with school.database.read() as reading:
        reading.caller = COMMAND_LINE
        counted = await report.reasons_given(reading, yesterday, TODAY, ReportFilter())
        of_amina = await report.reasons_given(reading, TODAY, TODAY, ReportFilter(staff_ids=(school.people["Amina"],)))
    assert [(each.reason.name, each.status, each.number) for each in counted] == [
        ("Ill", Status.ABSENT, 1),
        ("Train", Status.ABSENT, 1),
        ("Train", Status.LATE, 2),
    ]
    assert [(each.reason.name, each.number) for each in of_amina] == [("Train", 1)]


async def test_the_reasons_of_somebody_who_is_erased_are_gone(school: School) -> None:
    ill = await create(school, "Ill")
    await school.mark("Amina", Status.ABSENT, reason_id=ill.id)
    async with school.work(COMMAND_LINE) as work:
        await staff_commands.erase(work, school.people["Amina"])
    async with school.database.read() as reading:
        for table in (attendance, attendance_revision):
            assert [row.reason_id for row in await reading.rows(select(table.c.reason_id))] == [None]


async def test_before_an_upgrade_is_finished_there_are_no_reasons(school: School) -> None:
    train = await create(school, "Train")
    async with school.work() as work:
        await work.write(installation.update().values(least_revision=None))
    with pytest.raises(Unavailable):
        await create(school, "Bus")
    with pytest.raises(Unavailable):
        await school.mark("Amina", Status.LATE, reason_id=train.id)
