"""Importing the attendance of past days: as ordinary marks, so that the log contains them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Text, or_, select

from memberstaff.access import Right
from memberstaff.attendance import commands
from memberstaff.attendance.commands import ErrorPolicy
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.rules import Mark
from memberstaff.changes import Status
from memberstaff.db.rows import as_json, from_json
from memberstaff.db.tables import staff
from memberstaff.db.work import Work
from memberstaff.errors import ErrorCode, Refusal, Refusals
from memberstaff.inputs import Unset, fold, sendable


@dataclass(frozen=True, slots=True)
class AttendanceRow:
    """One person on one day, identified by external reference, or else by a name that nobody else has."""

    date: date
    external_ref: str | None
    name: str | None
    status: Status
    note: str | None | Unset


async def import_attendance(
    work: Work, calendar: Calendar, rows: Sequence[AttendanceRow], *, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Store the rows, day by day in date order; returns the number of changes.

    `progress` is called with the number of rows done for each day. Raises Refusals with every bad row, each at the
    path ("rows", its index, the field); the caller must then roll back.
    """
    work.require(Right.MARK_ANY_DAY)
    people = await _people(work, rows)
    days: dict[date, list[tuple[int, Mark]]] = defaultdict(list)
    refusals: list[Refusal] = []
    for index, row in enumerate(rows):
        try:
            days[row.date].append((index, Mark(_staff_id(people, row), status=row.status, note=row.note)))
        except Refusal as refusal:
            refusals.append(refusal.under("rows", str(index)))
    changes = 0
    for day in sorted(days):
        marks = [mark for _, mark in days[day]]
        outcome = await commands.update_many(work, calendar, day, marks, ErrorPolicy.SKIP_FAILED)
        changes += outcome.after - outcome.before
        for refused in outcome.refusals:
            _entries, index_in_day, *rest = refused.path
            refused.path = ("rows", str(days[day][int(index_in_day)][0]), *rest)
            refusals.append(refused)
        progress(len(marks))
    if refusals:
        raise Refusals(*sorted(refusals, key=lambda refusal: int(refusal.path[1])))
    return changes


def _staff_id(people: dict[str, set[int]], row: AttendanceRow) -> int:
    if row.external_ref:
        found, field = people.get(f"ref:{row.external_ref}", set()), "external_ref"
    else:
        found, field = people.get(f"name:{fold(row.name or '')}", set()), "name"
    if not found:
        raise Refusal(ErrorCode.NOT_FOUND, "There is no such person.", field)
    if len(found) > 1:
        raise Refusal(ErrorCode.INVALID, "Several people have this name; use the external reference.", field)
    return next(iter(found))


async def _people(work: Work, rows: Sequence[AttendanceRow]) -> dict[str, set[int]]:
    """The ids of the people named, by reference and by name, in one statement of constant size."""
    named = [{"ref": sendable(row.external_ref), "sort_key": sendable(fold(row.name or ""))} for row in rows]
    given = from_json(work.dialect, {"ref": Text(), "sort_key": Text()})
    found = await work.rows(
        select(staff.c.id, staff.c.external_ref, staff.c.sort_key).where(
            staff.c.erased_at.is_(None),
            or_(
                staff.c.external_ref.in_(select(given.c.ref)),
                staff.c.sort_key.in_(select(given.c.sort_key)),
            ),
        ),
        {"rows": as_json(named)},
    )
    people: dict[str, set[int]] = defaultdict(set)
    for row in found:
        people[f"name:{row.sort_key}"].add(row.id)
        if row.external_ref is not None:
            people[f"ref:{row.external_ref}"].add(row.id)
    return people
