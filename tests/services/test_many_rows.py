"""Many rows become objects in parts, between which other tasks run."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import Row, text

from memberstaff.access import COMMAND_LINE, AnyoneWith, Role
from memberstaff.accounts import directory
from memberstaff.attendance import queries
from memberstaff.attendance import report as reports
from memberstaff.attendance.log import after
from memberstaff.changes import Status
from memberstaff.db import work as units
from memberstaff.db.database import Database
from memberstaff.db.tables import account
from memberstaff.db.work import CONVERTED_AT_ONCE, Reading
from memberstaff.staff import importing
from memberstaff.staff.commands import Details
from memberstaff.staff.importing import import_staff
from tests.services.school import CALENDAR, TODAY, School

NUMBERS = text(
    "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 250) SELECT n FROM number"
)


async def test_a_task_that_waits_goes_on_after_a_hundred_rows(database: Database) -> None:
    converted: list[int] = []
    seen = [0]

    def convert(row: Row[Any]) -> int:
        converted.append(row.n)
        return int(row.n)

    async def look() -> None:
        while len(converted) < 250:
            seen.append(len(converted))
            await asyncio.sleep(0)

    async with database.read() as reading:
        looking = asyncio.create_task(look())
        assert await reading.objects(NUMBERS, convert) == list(range(1, 251))
        await looking
    assert max(later - earlier for earlier, later in pairwise([*seen, 250])) == CONVERTED_AT_ONCE == 100


async def test_everything_that_reads_many_rows_converts_them_in_parts(school: School, monkeypatch: Any) -> None:
    """With parts of one row, each asks the loop for a turn as often as it converts."""
    monkeypatch.setattr(units, "CONVERTED_AT_ONCE", 1)
    monkeypatch.setattr(importing, "CONVERTED_AT_ONCE", 1)
    monkeypatch.setattr(reports, "CONVERTED_AT_ONCE", 1)
    await school.fill(Status.LATE)
    week = TODAY - timedelta(days=6)
    everybody = [*school.people.values()]

    async def rows_of(reading: Reading, name: str) -> None:
        day = await CALENDAR.day(reading, TODAY)
        reads: dict[str, Any] = {
            "log": lambda: after(reading, {TODAY: 0}, limit=500),
            "board": lambda: queries.board(reading, day, queries.everybody(TODAY), first=10, after=None),
            "changed": lambda: queries.changed_since(reading, TODAY, 0, until=3),
            "marked": lambda: queries.marked(reading, everybody, week, TODAY),
            "history": lambda: queries.history(reading, [(one, TODAY) for one in everybody], first=5, before=None),
            "report": lambda: reports.report(
                reading, CALENDAR, week, TODAY, reports.ReportFilter(), no_category="Staff"
            ),
        }
        await reads[name]()

    turns: dict[str, int] = {}
    sleep = asyncio.sleep

    for name in ("log", "board", "changed", "marked", "history", "report", "import"):
        turns[name] = 0

        async def counted(seconds: float, name: str = name) -> None:
            turns[name] += seconds == 0
            await sleep(seconds)

        monkeypatch.setattr(asyncio, "sleep", counted)
        if name == "import":
            async with school.work(COMMAND_LINE) as work:
                await import_staff(work, [Details(name=f"New {number}") for number in range(3)])
        else:
            async with school.database.read() as reading:
                reading.reader = AnyoneWith(Role.MARKER)
                await rows_of(reading, name)
        monkeypatch.setattr(asyncio, "sleep", sleep)
    assert {name: number >= 3 for name, number in turns.items()} == dict.fromkeys(turns, True), turns


async def test_accounts_are_read_and_searched_in_parts(school: School, monkeypatch: Any) -> None:
    """Where each board has a login of its own there are thousands."""
    monkeypatch.setattr(units, "CONVERTED_AT_ONCE", 1)
    monkeypatch.setattr(directory, "CONVERTED_AT_ONCE", 1)
    names = [f"Board {number}" for number in (3, 1, 2, 4)]
    async with school.work(COMMAND_LINE) as work:
        new = [{"display_name": name, "role": Role.VIEWER, "created_at": work.now} for name in names]
        await work.write(account.insert(), new)
    turns = [0]
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        turns[0] += seconds == 0
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", counted)
    async with school.database.read() as reading:
        reading.reader = COMMAND_LINE
        found, total = await directory.page(reading, search="board", first=2, after=None)
        last = directory.AccountPosition(found[-1].sort_key, found[-1].id)
        others, again = await directory.page(reading, search="board", first=3, after=last)
    assert [each.display_name for each in (*found, *others)] == sorted(names)
    assert (total, again) == (4, 4)
    assert turns[0] >= 2 * 2 * (1 + len(names)), turns  # to read and to search, twice, with the front desk's account
