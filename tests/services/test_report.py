"""The report: the counts of many days, which must be those that each day's summary tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import case, delete, literal, select, true

from memberstaff.access import COMMAND_LINE
from memberstaff.attendance import queries
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.report import ReportedDay, ReportFilter, report
from memberstaff.changes import Status
from memberstaff.db.database import Database
from memberstaff.db.tables import attendance, attendance_day, staff
from memberstaff.db.types import Instant
from memberstaff.db.work import Reading
from memberstaff.inputs import fold
from tests.calls import at_most

MONDAY = date(2026, 1, 5)
CALENDAR = Calendar(frozenset(range(5)))
NOBODYS = "Staff"

Person = tuple[str | None, int, int | None]
"""Category, first day and last day, counted from MONDAY."""

people = st.lists(
    st.tuples(
        st.sampled_from([None, "Staff", "Teaching", "Ärzte", "zoo"]), st.integers(-2, 9), st.none() | st.integers(0, 9)
    ).map(lambda person: (person[0], person[1], None if person[2] is None else max(person[1], person[2]))),
    max_size=8,
)
marks = st.dictionaries(st.tuples(st.integers(0, 7), st.integers(-1, 8)), st.sampled_from(Status), max_size=30)


@asynccontextmanager
async def reading(database: Database) -> AsyncIterator[Reading]:
    async with database.read() as opened:
        opened.caller = COMMAND_LINE
        yield opened


async def fill(database: Database, roster: list[Person], marked: dict[tuple[int, int], Status]) -> None:
    """Replace what is there by these people and marks, also marks of days on which nobody expects them."""
    async with database.write() as work:
        for table in (attendance, attendance_day, staff):
            await work.write(delete(table))
        for number, (category, first, last) in enumerate(roster):
            values = {"id": number + 1, "name": "N", "category": category, "sort_key": "n", "search_key": "n"}
            span = {"starts_on": day(first), "ends_on": None if last is None else day(last)}
            await work.write(staff.insert().values(**values, **span, version=1))
        for number in sorted({number for _, number in marked}):
            await work.write(attendance_day.insert().values(date=day(number), working=number % 2 == 0))
        for (person, number), status in marked.items():
            if person < len(roster):
                values = {"date": day(number), "staff_id": person + 1, "status": status, "version": 1, "position": 1}
                await work.write(attendance.insert().values(**values, updated_at=work.now))


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


def total(reported: dict[str, list[ReportedDay]], on: int) -> dict[Status, int]:
    return {status: sum(days[on].summary.counts[status] for days in reported.values()) for status in Status}


@given(people, marks)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_categories_of_a_day_add_up_to_its_summary(
    database: Database, roster: list[Person], marked: dict[tuple[int, int], Status]
) -> None:
    await fill(database, roster, marked)
    async with reading(database) as opened:
        found = await report(opened, CALENDAR, day(0), day(6), ReportFilter(), no_category=NOBODYS)
        summaries = [await queries.summary(opened, day(number)) for number in range(7)]
        days = await CALENDAR.days(opened, [day(number) for number in range(7)])
    for number in range(7):
        assert total(found, number) == summaries[number].counts
        assert all(each[number].working == days[day(number)].working for each in found.values())
    here = {category or NOBODYS for category, first, last in roster if first <= 6 and (last is None or last >= 0)}
    assert list(found) == sorted(here, key=fold)
    assert all([each.summary.date for each in days] == [day(number) for number in range(7)] for days in found.values())


async def test_a_category_counts_its_own_people_on_the_days_when_they_are_employed(database: Database) -> None:
    await fill(
        database,
        [("Teaching", 0, None), ("Teaching", 1, 1), (None, 0, None), ("Staff", 0, None)],
        {(0, 0): Status.PRESENT, (0, 1): Status.HALF_DAY, (1, 1): Status.ABSENT, (1, 2): Status.LATE},
    )
    async with reading(database) as opened:
        found = await report(opened, CALENDAR, day(0), day(2), ReportFilter(), no_category=NOBODYS)
    teaching = [each.summary for each in found["Teaching"]]
    assert [(each.total, each.counts[Status.UNMARKED], each.present_rate) for each in teaching] == [
        (1, 0, 1.0),
        (2, 0, 0.25),
        (1, 1, None),  # what is marked of somebody who has left is no part of the day's roster
    ]
    assert [each.summary.total for each in found["Staff"]] == [2, 2, 2]


async def test_a_choice_of_people_and_categories_leaves_the_others_out(database: Database) -> None:
    await fill(database, [("Teaching", 0, None), ("Kitchen", 0, None), ("Kitchen", 0, None)], {})
    async with reading(database) as opened:
        for which, counts in (
            (ReportFilter(categories=("Kitchen",)), {"Kitchen": 2}),
            (ReportFilter(staff_ids=(1, 2)), {"Kitchen": 1, "Teaching": 1}),
            (ReportFilter(categories=("Kitchen",), staff_ids=(1, 2)), {"Kitchen": 1}),
            (ReportFilter(categories=()), {}),
        ):
            found = await report(opened, CALENDAR, day(0), day(0), which, no_category=NOBODYS)
            assert {name: days[0].summary.total for name, days in found.items()} == counts


async def test_a_quarter_of_a_thousand_people_is_three_statements_whose_rows_are_counts(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.write() as work:
        person = {"name": "N", "sort_key": "n", "search_key": "n", "starts_on": day(-400), "version": 1}
        roster = [{**person, "id": number + 1, "category": f"C{number % 12}"} for number in range(1_000)]
        await work.write(staff.insert(), roster)
        await work.write(attendance_day.insert(), [{"date": day(number), "working": True} for number in range(92)])
        status = case(*((staff.c.id % 7 == number, status.value) for number, status in enumerate(Status)))
        one = literal(1)
        marked = select(attendance_day.c.date, staff.c.id, status, one, one, literal(work.now, Instant))
        columns = ["date", "staff_id", "status", "version", "position", "updated_at"]
        await work.write(attendance.insert().from_select(columns, marked.join_from(attendance_day, staff, true())))
    read: list[int] = []

    async def counting(self: Reading, *arguments: Any, rows: Any = Reading.rows) -> Any:
        found = await rows(self, *arguments)
        read.append(len(found))
        return found

    monkeypatch.setattr(Reading, "rows", counting)
    async with reading(database) as opened:
        with at_most(calls=60_000):
            found = await report(opened, CALENDAR, day(0), day(91), ReportFilter(), no_category=NOBODYS)
    assert read == [12, 92 * 12 * (len(Status) - 1), 92]  # periods, counts and days; and 92,000 marks
    assert sum(each.summary.total for days in found.values() for each in days) == 92_000
