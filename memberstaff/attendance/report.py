"""Attendance reports: daily counts by category over a few weeks, from three statements, and reasons, from one."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Date, and_, case, func, literal, or_, select

from memberstaff.access import Right
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.model import Summary
from memberstaff.attendance.reasons import COLUMNS as REASON_COLUMNS
from memberstaff.attendance.reasons import of_row
from memberstaff.changes import REASON, Reason, Status, is_known
from memberstaff.db.arrays import any_of
from memberstaff.db.tables import attendance, reason, staff
from memberstaff.db.work import CONVERTED_AT_ONCE, Reading
from memberstaff.inputs import fold
from memberstaff.staff.queries import employed_on

Key = tuple[str, date]


@dataclass(frozen=True, slots=True)
class ReportedDay:
    """One day of one category."""

    summary: Summary
    working: bool


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Filters by category (as stored) and by person; None is no restriction."""

    categories: tuple[str, ...] | None = None
    staff_ids: tuple[int, ...] | None = None

    def conditions(self) -> list[Any]:
        """The WHERE conditions."""
        conditions: list[Any] = []
        if self.categories is not None:
            conditions.append(any_of(staff.c.category, self.categories))
        if self.staff_ids is not None:
            conditions.append(any_of(staff.c.id, self.staff_ids))
        return conditions


async def report(
    reading: Reading, calendar: Calendar, start: date, end: date, which: ReportFilter, *, no_category: str
) -> dict[str, list[ReportedDay]]:
    """The days from `start` to `end` of each category, as people have them now, in order of name.

    People without a category count under `no_category`, together with any who have a category of that name. A day
    counts the people employed on it, as `queries.summary` does.
    """
    reading.require(Right.READ)
    days = list(_days(start, end))
    expected = await _expected(reading, start, end, which, no_category)
    marks = await _marks(reading, start, end, which, no_category)
    stored = await calendar.days(reading, days)
    report: dict[str, list[ReportedDay]] = {}
    for name in sorted({name for name, _ in expected}, key=lambda name: (fold(name), name)):
        report[name] = []
        for day in days:
            counts = dict.fromkeys(Status, 0) | marks[name, day]
            counts[Status.UNMARKED] = expected[name, day] - sum(marks[name, day].values())
            report[name].append(ReportedDay(Summary(day, counts), stored[day].working))
        await asyncio.sleep(0)  # so that other tasks run
    return report


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many records of one status have a reason."""

    reason: Reason
    status: Status
    number: int


async def reasons_given(reading: Reading, start: date, end: date, which: ReportFilter) -> list[ReasonCount]:
    """How often each reason was given from `start` to `end`, as far as the reader may see it, by name: one statement.

    A record that is unmarked again counts for nothing, as in `report`.
    """
    reading.require(Right.READ)
    conditions = [*which.conditions(), *([reason.c.for_viewers] if REASON in reading.hidden else [])]
    of_roster = and_(staff.c.id == attendance.c.staff_id, employed_on(attendance.c.date))
    counts = (
        select(*REASON_COLUMNS, attendance.c.status, func.count().label("number"))
        .select_from(attendance.join(reason, reason.c.id == attendance.c.reason_id).join(staff, of_roster))
        .where(attendance.c.date.between(start, end), attendance.c.status != Status.UNMARKED, *conditions)
        .group_by(*REASON_COLUMNS, reason.c.key, attendance.c.status)
        .order_by(reason.c.key, attendance.c.status)
    )
    rows = await reading.rows(counts)
    return [ReasonCount(of_row(row[:-2]), Status(row.status), row.number) for row in rows if is_known(row.status)]


async def _expected(reading: Reading, start: date, end: date, which: ReportFilter, no_category: str) -> Counter[Key]:
    """How many people are employed on each day, by category; read as periods of employment, which many share."""
    first = case((staff.c.starts_on > start, staff.c.starts_on), else_=literal(start, Date())).label("first")
    last = case((staff.c.ends_on < end, staff.c.ends_on), else_=literal(end, Date())).label("last")
    periods = (
        select(staff.c.category, first, last, func.count().label("number"))
        .where(staff.c.starts_on <= end, or_(staff.c.ends_on.is_(None), staff.c.ends_on >= start), *which.conditions())
        .group_by(staff.c.category, first, last)
    )
    expected: Counter[Key] = Counter()
    for row in await reading.rows(periods):
        for day in _days(row.first, row.last):
            expected[row.category or no_category, day] += row.number
        await asyncio.sleep(0)  # so that other tasks run: a row counts on up to 92 days
    return expected


async def _marks(
    reading: Reading, start: date, end: date, which: ReportFilter, no_category: str
) -> defaultdict[Key, Counter[Status]]:
    """How many people have each status on each day, by category, without UNMARKED."""
    counts = (
        select(attendance.c.date, staff.c.category, attendance.c.status, func.count().label("number"))
        .select_from(attendance.join(staff, and_(staff.c.id == attendance.c.staff_id, employed_on(attendance.c.date))))
        .where(attendance.c.date.between(start, end), attendance.c.status != Status.UNMARKED, *which.conditions())
        .group_by(attendance.c.date, staff.c.category, attendance.c.status)
    )
    marks: defaultdict[Key, Counter[Status]] = defaultdict(Counter)
    for number, row in enumerate(await reading.rows(counts), start=1):
        if is_known(row.status):
            marks[row.category or no_category, row.date][Status(row.status)] += row.number
        if number % CONVERTED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return marks


def _days(start: date, end: date) -> Iterator[date]:
    return (start + timedelta(days=number) for number in range((end - start).days + 1))
