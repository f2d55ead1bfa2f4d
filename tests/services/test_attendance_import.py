"""Importing past attendance: checked as a whole, stored a few hundred rows at a time, and repeated without harm."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from memberstaff.access import COMMAND_LINE
from memberstaff.attendance import importing
from memberstaff.attendance.importing import AttendanceRow, import_attendance
from memberstaff.changes import Status
from memberstaff.errors import ErrorCode, Forbidden, Refusals
from memberstaff.inputs import UNSET
from tests.services.school import CALENDAR, TODAY, School
from tests.statements import statements

MONDAY, TUESDAY, WEDNESDAY = (TODAY - timedelta(days=number) for number in (7, 6, 5))


def late(name: str, on: date) -> AttendanceRow:
    return AttendanceRow(on, None, name, Status.LATE, UNSET)


ROWS = [late(name, on) for on in (TUESDAY, MONDAY) for name in ("Amina", "Björn", "Chloé")]


@pytest.fixture
def two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few rows are many."""
    monkeypatch.setattr(importing, "ROWS_AT_ONCE", 2)


async def bring(school: School, *rows: AttendanceRow, dry_run: bool = False) -> int:
    return await import_attendance(school.database, CALENDAR, COMMAND_LINE, rows, dry_run=dry_run)


async def refused(school: School, *rows: AttendanceRow) -> list[tuple[ErrorCode, tuple[str, ...]]]:
    with pytest.raises(Refusals) as told:
        await bring(school, *rows)
    return [(refusal.code, refusal.path) for refusal in told.value.refusals]


@pytest.mark.usefixtures("two_at_once")
async def test_a_transaction_holds_one_day_and_few_rows(school: School) -> None:
    assert await bring(school, *ROWS) == 6
    sizes = [
        ([state.date for state in notification.days], len(notification.changes))
        for notification in school.notifications
    ]
    assert sizes == [([MONDAY], 2), ([MONDAY], 1), ([TUESDAY], 2), ([TUESDAY], 1)]


@pytest.mark.usefixtures("two_at_once")
async def test_what_an_interrupted_import_has_stored_stays_and_repeating_it_stores_the_rest(school: School) -> None:
    stored = []

    def interrupt(rows: int) -> None:
        stored.append(rows)
        if len(stored) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await import_attendance(school.database, CALENDAR, COMMAND_LINE, ROWS, progress=interrupt)
    assert stored == [2, 1, 2]
    assert (await school.position(MONDAY), await school.position(TUESDAY)) == (3, 2)
    assert await bring(school, *ROWS) == 1
    assert await bring(school, *ROWS) == 0
    assert (await school.position(MONDAY), await school.position(TUESDAY)) == (3, 3)


@pytest.mark.usefixtures("two_at_once")
async def test_every_bad_row_is_named_and_nothing_is_stored(school: School) -> None:
    future = late("Amina", TODAY + timedelta(days=1))
    rows = (*ROWS, late("Nobody", MONDAY), late("Chloé", MONDAY), future)
    assert await refused(school, *rows) == [
        (ErrorCode.NOT_FOUND, ("rows", "6", "name")),
        (ErrorCode.DUPLICATE, ("rows", "7", "staffId")),
        (ErrorCode.FUTURE_DATE, ("rows", "8", "date")),
    ]
    assert school.notifications == []
    assert (await school.position(MONDAY), await school.position(TUESDAY)) == (0, 0)


@pytest.mark.usefixtures("two_at_once")
async def test_a_day_that_is_locked_meanwhile_is_named_by_its_row(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = importing._store  # noqa: SLF001

    async def lock_first(*arguments: object) -> int:
        async with school.work(COMMAND_LINE) as work:
            await CALENDAR.set_locked(work, TUESDAY, locked=True, reason=None)
        return await store(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(importing, "_store", lock_first)
    assert await refused(school, *ROWS) == [(ErrorCode.DAY_LOCKED, ("rows", str(row), "date")) for row in (0, 1)]
    assert (await school.position(MONDAY), await school.position(TUESDAY)) == (3, 0)


async def test_a_dry_run_counts_the_changes_and_writes_nothing(school: School) -> None:
    await school.mark("Amina", Status.LATE, on=MONDAY)
    with statements(school.database) as sent:
        assert await bring(school, *ROWS, dry_run=True) == 5
    assert [each for each in sent if not each.startswith(("SELECT", "BEGIN"))] == []


async def test_only_administrators_import(school: School) -> None:
    with pytest.raises(Forbidden):
        await import_attendance(school.database, CALENDAR, school.marker, ROWS)
