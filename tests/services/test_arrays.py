"""As many values as anybody sends: no statement has a parameter for each, and none scans a table to find a few rows."""

from __future__ import annotations

from datetime import date, timedelta

import asyncpg
import pytest
from sqlalchemy import Column, MetaData, String, Table, select, text

from memberstaff.access import COMMAND_LINE
from memberstaff.accounts.sessions import identify_all
from memberstaff.accounts.tokens import Claims
from memberstaff.attendance import commands, log, queries
from memberstaff.attendance.report import ReportFilter, report
from memberstaff.attendance.rules import Mark
from memberstaff.changes import Status
from memberstaff.db.arrays import any_of
from memberstaff.db.database import Database
from memberstaff.pusher.grants import Grants
from memberstaff.staff import queries as staff_queries
from memberstaff.staff.commands import Details
from memberstaff.staff.importing import import_staff
from memberstaff.staff.queries import StaffFilter
from tests.databases import connected
from tests.services.school import CALENDAR, TODAY, School
from tests.statements import statements

MANY = 40_000
"""More than a statement may have parameters, on either database."""
NUMBERS = range(1, MANY + 1)
DAYS = [date(1950, 1, 1) + timedelta(days=number) for number in range(MANY)]


@pytest.fixture
async def marked(school: School) -> School:
    """A school in which Amina is late today."""
    await school.mark("Amina", Status.LATE)
    return school


async def test_the_days_and_their_changes_are_read(marked: School) -> None:
    async with marked.database.read() as reading:
        reading.caller = COMMAND_LINE
        days = await CALENDAR.days(reading, DAYS)
        states = await log.states(reading, DAYS)
        changes = await log.after(reading, dict.fromkeys(DAYS, 0), limit=10)
    assert [day.date for day in days.values() if day.position] == [TODAY]
    assert [state.date for state in states.days.values() if state.position] == [TODAY]
    assert [(change.date, change.position, change.staff_name) for change in changes] == [(TODAY, 1, "Amina")]


async def test_people_and_their_records_are_read(marked: School) -> None:
    amina = marked.people["Amina"]
    async with marked.database.read() as reading:
        reading.caller = COMMAND_LINE
        people = await staff_queries.by_id(reading, NUMBERS)
        records = await queries.records(reading, TODAY, NUMBERS)
        stored = await queries.marked(reading, NUMBERS, TODAY, TODAY)
        history = await queries.history(reading, [(number, TODAY) for number in NUMBERS], first=1, before=None)
    assert {*people} == {*records} == {*marked.people.values()}
    assert [number for number, found in stored.items() if found] == [amina]
    assert [key for key, found in history.items() if found] == [(amina, TODAY)]


async def test_people_are_filtered(marked: School) -> None:
    ids, categories = tuple(NUMBERS), tuple(map(str, NUMBERS))
    async with marked.database.read() as reading:
        reading.caller = COMMAND_LINE
        day = await CALENDAR.day(reading, TODAY)
        which = queries.BoardFilter(StaffFilter(TODAY, staff_ids=ids), statuses=(Status.LATE,) * MANY)
        [board] = await queries.board(reading, day, which, first=10, after=None)
        assert await staff_queries.count(reading, StaffFilter(TODAY, categories=categories)) == 0
        counted = await report(reading, CALENDAR, TODAY, TODAY, ReportFilter(categories, ids), no_category="None")
    assert (board.person.name, counted) == ("Amina", {})


async def test_sessions_and_grants_are_found(database: Database) -> None:
    claims = [Claims(str(number), number, database.now() + timedelta(hours=1), None) for number in NUMBERS]
    async with database.read() as reading:
        assert len(await identify_all(reading, claims)) == MANY
    redeemed = await Grants(database)._redeem([(str(number), "attendance") for number in NUMBERS])  # noqa: SLF001
    assert redeemed == [None] * MANY


async def test_marks_are_stored(marked: School) -> None:
    marks = [(COMMAND_LINE, Mark(number, status=Status.PRESENT)) for number in NUMBERS]
    async with marked.work(COMMAND_LINE) as work:
        outcomes = await commands.update_each(work, CALENDAR, TODAY, marks)
    assert len([outcome for outcome in outcomes if isinstance(outcome, commands.MarkOutcome)]) == len(marked.people)
    assert await marked.position() == 1 + len(marked.people)


async def test_people_are_imported(database: Database) -> None:
    rows = [Details(name=f"Person {number}", external_ref=str(number)) for number in range(4_000)]
    async with database.write() as work:
        work.caller = COMMAND_LINE
        assert (await import_staff(work, rows)).created == len(rows)  # 9 values each: 36,000
    async with database.write() as work:
        work.caller = COMMAND_LINE
        assert (await import_staff(work, rows)).unchanged == len(rows)


@pytest.mark.parametrize("values", [(), ["a" * 9], ["a", "b" * 9], ["'", "é", "\\", '"', "a,b", "{a}", "NULL", "🙂"]])
async def test_a_column_is_found_by_exactly_its_value(database: Database, values: list[str]) -> None:
    """Also if the column is shorter than the value."""
    stored = ["'", "é", "\\", '"', "a,b", "{a}", "NULL", "🙂", "", "a", "b", "b" * 8]
    words = Table("words", MetaData(), Column("word", String(8)))
    async with database.write() as work:
        await work.write(text("CREATE TEMPORARY TABLE words (word VARCHAR(8))"))
        await work.write(words.insert(), [{"word": word} for word in stored])
        found = await work.rows(select(words.c.word).where(any_of(words.c.word, values)))
    assert {row.word for row in found} == {*stored} & {*values}


async def plan(connection: asyncpg.Connection, statement: str, *parameters: object) -> str:
    """How PostgreSQL would execute it."""
    return str(await (await connection.prepare(statement)).explain(*parameters))


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_mark_and_a_reading_of_the_log_find_their_rows_by_index_among_many(
    school: School, database_url: str
) -> None:
    roster = (
        "INSERT INTO staff (name, starts_on, version, sort_key, search_key) "
        "SELECT 'P', '2020-01-01', 1, 'p', 'p' FROM generate_series(1, 20000)"
    )
    revisions = (
        "INSERT INTO attendance_revision (date, position, staff_id, version, status, changed_at) "
        "SELECT date, number, number + 10, 1, 'LATE', now() FROM attendance_day, generate_series(2, 2000) AS number"
    )
    days = (
        "INSERT INTO attendance_day (date, working, position) "
        "SELECT date '2025-01-01' + number, true, 2000 FROM generate_series(1, 10) AS number"
    )
    with statements(school.database) as sent:
        await school.mark("Amina", Status.LATE)
        async with school.database.read() as reading:
            await log.after(reading, {TODAY: 0}, limit=1)
    [mark] = [each for each in sent if "FROM staff" in each and "FOR KEY SHARE" in each]
    [after] = [each for each in sent if "FROM jsonb_to_recordset" in each and each.startswith("SELECT revision")]
    async with connected(database_url) as connection:
        for filling in (roster, days, revisions, "ANALYZE"):
            await connection.execute(filling)
        assert "Seq Scan on staff" not in await plan(connection, mark, TODAY, [1])
        beyond = '[{"date":"2025-01-02","position":1999},{"date":"2025-01-09","position":1998}]'
        assert "Seq Scan on attendance_revision" not in await plan(connection, after, beyond, 3)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_sqlite_looks_few_people_up_by_their_key(school: School) -> None:
    with statements(school.database) as sent:
        await school.mark("Amina", Status.LATE)
    [read] = [statement for statement in sent if statement.startswith("SELECT staff.")]
    async with school.database.read() as reading:
        given = {"on": TODAY.isoformat(), "ids": "[1]"}
        plan = await reading.rows(
            text("EXPLAIN QUERY PLAN " + read.replace("?", ":on", 1).replace("?", ":ids", 1)), given
        )
    assert [row.detail for row in plan if row.detail.startswith("SCAN") and "json_each" not in row.detail] == []
