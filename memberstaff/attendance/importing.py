"""Importing the attendance of past days: as ordinary marks, so that the log contains them, but no arrivals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import or_, select

from memberstaff.access import Caller, Right
from memberstaff.attendance import commands, queries
from memberstaff.attendance.commands import ErrorPolicy
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.reasons import all_reasons
from memberstaff.attendance.rules import Mark
from memberstaff.changes import Reason, Status
from memberstaff.db.arrays import any_of
from memberstaff.db.database import Database
from memberstaff.db.tables import staff
from memberstaff.db.work import Reading
from memberstaff.errors import ErrorCode, Refusal, Refusals
from memberstaff.inputs import UNSET, Unset, fold, sendable

ROWS_AT_ONCE = 500
"""In a transaction, which holds its day's lock: whoever marks that day waits meanwhile."""


@dataclass(frozen=True, slots=True)
class AttendanceRow:
    """One person on one day, identified by external reference, or else by a name that nobody else has."""

    date: date
    external_ref: str | None
    name: str | None
    status: Status
    note: str | None | Unset
    arrived_at: datetime | None | Unset = UNSET
    left_at: datetime | None | Unset = UNSET
    reason: str | None | Unset = UNSET
    """Its name."""


Days = Mapping[date, Sequence[tuple[int, Mark]]]
"""The marks of each day, with the index of their row."""


async def import_attendance(
    database: Database,
    calendar: Calendar,
    caller: Caller,
    rows: Sequence[AttendanceRow],
    *,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Store the rows in order of their dates, a few hundred in a transaction; returns the number of changes.

    Every row is checked before the first is stored. Raises Refusals with every bad row, each at the path ("rows", its
    index, the field). `progress` is called with the number of rows of each transaction, once it is committed: they
    stay stored whatever happens afterwards, and importing the same rows again changes nothing of them.
    """
    async with database.read() as reading:
        reading.caller = caller
        reading.require(Right.MARK_ANY_DAY)
        reasons = await _reasons(reading, rows)
        days, refusals = _by_day(await _people(reading, rows), reasons, rows)
    changes = 0
    for on, marks in days.items():
        async with database.read() as reading:
            reading.caller = caller
            changed, refused = await _judge(reading, calendar, on, [mark for _, mark in marks], reasons)
        changes += changed
        refusals += (_of_row(refusal, marks) for refusal in refused)
    if refusals:
        raise Refusals(*sorted(refusals, key=lambda refusal: int(refusal.path[1])))
    return changes if dry_run else await _store(database, calendar, caller, days, progress)


async def _judge(
    reading: Reading, calendar: Calendar, on: date, marks: Sequence[Mark], reasons: Mapping[str, Reason]
) -> tuple[int, list[Refusal]]:
    """How many records the marks of a day would change, and what is wrong with others."""
    day = await calendar.day(reading, on)
    records = await queries.records(reading, on, [mark.staff_id for mark in marks])
    chosen = {each.id: each for each in reasons.values() if not each.retired}
    moment = calendar.moment(reading, are_arrivals=False)
    changed, refusals = commands.judge(day, records, marks, moment, chosen)
    return len(changed), refusals


async def _store(
    database: Database, calendar: Calendar, caller: Caller, days: Days, progress: Callable[[int], None]
) -> int:
    changes = 0
    for on, marks in days.items():
        for start in range(0, len(marks), ROWS_AT_ONCE):
            some = marks[start : start + ROWS_AT_ONCE]
            try:
                async with database.write() as work:
                    work.caller = caller
                    given = [mark for _, mark in some]
                    stored = await commands.update_many(
                        work, calendar, on, given, ErrorPolicy.REJECT_ALL, are_arrivals=False
                    )
            except Refusals as refused:  # somebody has locked the day, or changed a person, since it was checked
                raise Refusals(*(_of_row(refusal, some) for refusal in refused.refusals)) from None
            changes += stored.after - stored.before
            progress(len(some))
    return changes


def _of_row(refusal: Refusal, marks: Sequence[tuple[int, Mark]]) -> Refusal:
    """The refusal of an entry of a day as that of a row of the import."""
    _entries, index, *field = refusal.path
    refusal.path = ("rows", str(marks[int(index)][0]), *field)
    return refusal


def _by_day(
    people: Mapping[str, set[int]], reasons: Mapping[str, Reason], rows: Sequence[AttendanceRow]
) -> tuple[Days, list[Refusal]]:
    """The marks in order of their dates, and the refusals of rows whose person or reason is not known."""
    days: dict[date, list[tuple[int, Mark]]] = defaultdict(list)
    refusals: list[Refusal] = []
    for index, row in enumerate(rows):
        try:
            mark = Mark(
                _staff_id(people, row),
                status=row.status,
                note=row.note,
                arrived_at=row.arrived_at,
                left_at=row.left_at,
                reason_id=_reason_id(reasons, row.reason),
            )
            days[row.date].append((index, mark))
        except Refusal as refusal:
            refusals.append(refusal.under("rows", str(index)))
    return dict(sorted(days.items())), refusals


def _staff_id(people: Mapping[str, set[int]], row: AttendanceRow) -> int:
    if row.external_ref:
        found, field = people.get(f"ref:{row.external_ref}", set()), "external_ref"
    else:
        found, field = people.get(f"name:{fold(row.name or '')}", set()), "name"
    if not found:
        raise Refusal(ErrorCode.NOT_FOUND, "There is no such person.", field)
    if len(found) > 1:
        raise Refusal(ErrorCode.INVALID, "Several people have this name; use the external reference.", field)
    return next(iter(found))


async def _reasons(reading: Reading, rows: Sequence[AttendanceRow]) -> dict[str, Reason]:
    """All reasons by folded name, if a row names one."""
    if not any(isinstance(row.reason, str) for row in rows):
        return {}
    return {fold(each.name): each for each in await all_reasons(reading)}


def _reason_id(reasons: Mapping[str, Reason], name: str | None | Unset) -> int | None | Unset:
    if name is UNSET or name is None:
        return name
    if (found := reasons.get(fold(name))) is None:
        raise Refusal(ErrorCode.NOT_FOUND, f"There is no reason {name!r}.", "reason")
    return found.id


async def _people(reading: Reading, rows: Sequence[AttendanceRow]) -> dict[str, set[int]]:
    """The ids of the people named, by reference and by name, in one statement of constant size."""
    refs = {sendable(row.external_ref) for row in rows if row.external_ref}
    sort_keys = {sendable(fold(row.name)) for row in rows if row.name and not row.external_ref}
    found = await reading.rows(
        select(staff.c.id, staff.c.external_ref, staff.c.sort_key).where(
            staff.c.erased_at.is_(None),
            or_(any_of(staff.c.external_ref, refs), any_of(staff.c.sort_key, sort_keys)),
        )
    )
    people: dict[str, set[int]] = defaultdict(set)
    for row in found:
        people[f"name:{row.sort_key}"].add(row.id)
        if row.external_ref is not None:
            people[f"ref:{row.external_ref}"].add(row.id)
    return people
