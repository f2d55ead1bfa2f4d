"""Importing a roster: all or nothing, matched by reference or by name, and twice the same changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select, text

from memberstaff.access import COMMAND_LINE, Caller, Role
from memberstaff.db.database import Database
from memberstaff.db.installation import raise_roster_version
from memberstaff.db.tables import audit, installation, staff
from memberstaff.errors import ErrorCode, Forbidden, Refusals
from memberstaff.inputs import UNSET
from memberstaff.staff import commands
from memberstaff.staff.commands import Details
from memberstaff.staff.importing import ImportOutcome, import_staff
from tests.statements import statements


async def bring(database: Database, *rows: Details, dry_run: bool = False) -> ImportOutcome:
    async with database.write() as work:
        work.caller = COMMAND_LINE
        return await import_staff(work, rows, dry_run=dry_run)


async def refused(database: Database, *rows: Details) -> list[tuple[ErrorCode, tuple[str, ...]]]:
    with pytest.raises(Refusals) as told:
        await bring(database, *rows)
    return [(refusal.code, refusal.path) for refusal in told.value.refusals]


async def roster(database: Database) -> list[tuple[str, str | None, str | None, int]]:
    async with database.read() as reading:
        rows = await reading.rows(
            select(staff.c.name, staff.c.category, staff.c.external_ref, staff.c.version).order_by(staff.c.id)
        )
    return [tuple(row) for row in rows]


async def roster_version(database: Database) -> int:
    async with database.read() as reading:
        return int(await reading.scalar(select(installation.c.roster_version)))


ANA = Details(name="Ana Silva", category="Teaching", external_ref="S1")
BO = Details(name="Bo Li", category="Kitchen")


async def test_people_are_created_once_and_the_boards_told_once(database: Database) -> None:
    assert await bring(database, ANA, BO) == ImportOutcome(created=2, updated=0, unchanged=0)
    assert await bring(database, ANA, BO) == ImportOutcome(created=0, updated=0, unchanged=2)
    assert await roster(database) == [("Ana Silva", "Teaching", "S1", 1), ("Bo Li", "Kitchen", None, 1)]
    assert await roster_version(database) == 1


async def test_a_reference_finds_a_person_whose_name_has_changed(database: Database) -> None:
    await bring(database, ANA)
    married = Details(name="Ana Costa", external_ref="S1")
    assert await bring(database, married) == ImportOutcome(created=0, updated=1, unchanged=0)
    assert await roster(database) == [("Ana Costa", "Teaching", "S1", 2)]


async def test_without_a_reference_name_and_category_find_a_person_whatever_case_and_accents(
    database: Database,
) -> None:
    await bring(database, Details(name="Élodie Côté", category="Teaching"))
    again = Details(name="ELODIE COTE", category="teaching", ends_on=date(2030, 1, 1))
    assert await bring(database, again) == ImportOutcome(created=0, updated=1, unchanged=0)
    assert await bring(database, Details(name="Élodie Côté", category="Kitchen")) == ImportOutcome(1, 0, 0)


async def test_every_bad_row_is_named_and_nothing_is_stored(database: Database) -> None:
    wrong_dates = Details(name="Late", starts_on=date(2026, 2, 1), ends_on=date(2026, 1, 1))
    evil = Details(name="Evil", photo_url="javascript:alert(1)")
    rows = (ANA, Details(name=" "), wrong_dates, evil, Details(name="Twin", external_ref="S1"), BO, BO)
    assert await refused(database, *rows) == [
        (ErrorCode.INVALID, ("rows", "1", "name")),
        (ErrorCode.INVALID, ("rows", "2", "endsOn")),
        (ErrorCode.INVALID, ("rows", "3", "photoUrl")),
        (ErrorCode.DUPLICATE, ("rows", "4", "name")),
        (ErrorCode.DUPLICATE, ("rows", "6", "name")),
    ]
    assert await roster(database) == []
    assert await roster_version(database) == 0


async def test_a_name_that_two_people_have_is_refused(database: Database) -> None:
    async with database.write() as work:
        work.caller = COMMAND_LINE
        for _ in range(2):
            await commands.create(work, BO)
    assert await refused(database, BO) == [(ErrorCode.INVALID, ("rows", "0", "name"))]


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(database: Database) -> None:
    assert await bring(database, ANA, BO, dry_run=True) == ImportOutcome(created=2, updated=0, unchanged=0)
    assert await roster(database) == []


async def test_only_administrators_import(database: Database) -> None:
    with pytest.raises(Forbidden):
        async with database.write() as work:
            work.caller = Caller(1, "session", "Desk", Role.MARKER)
            await import_staff(work, [ANA])


async def test_each_person_is_audited_with_the_values_after_the_change(database: Database) -> None:
    await bring(database, ANA)
    async with database.read() as reading:
        [entry] = await reading.rows(select(audit.c.subject, audit.c.action, audit.c.details))
    assert (entry.subject, entry.action, entry.details["name"]) == ("staff", "created", "Ana Silva")


@pytest.mark.parametrize("engine", ["postgresql"])  # on SQLite a statement is a call of a function
async def test_a_thousand_people_cost_as_many_statements_as_ten(database: Database) -> None:
    await bring(database, BO)  # a first connection asks the server about itself
    counted: list[int] = []
    for number in (10, 1_000):
        with statements(database) as sent:
            await bring(database, *many(number, f"{number}-"))
            await bring(database, *many(number, f"{number}-", category="Moved"))
        counted.append(len(sent))
    assert counted == [10, 10]  # twice: the lock of imports, candidates, people, audit, roster version


@pytest.mark.parametrize("engine", ["postgresql"])
@pytest.mark.parametrize("refs", [["A", "M", "Z"], [UNSET] * 3], ids=["references", "names"])
async def test_of_two_imports_of_the_same_people_in_opposite_orders_the_second_changes_nothing(
    database: Database, refs: list[Any]
) -> None:
    """The first is held until the second has begun."""
    people = [Details(name=name, external_ref=ref) for name, ref in zip("AMZ", refs, strict=True)]
    imports: list[asyncio.Task[ImportOutcome]] = []
    with suppress(RollBack):
        async with database.write() as work:
            work.caller = COMMAND_LINE
            await raise_roster_version(work)
            for begun, rows in enumerate((people, people[::-1]), 1):
                imports.append(asyncio.create_task(bring(database, *rows)))
                await waiting(database, begun)
            raise RollBack
    assert await asyncio.gather(*imports) == [
        ImportOutcome(created=3, updated=0, unchanged=0),
        ImportOutcome(created=0, updated=0, unchanged=3),
    ]
    assert sorted(row[0] for row in await roster(database)) == ["A", "M", "Z"]


class RollBack(Exception):
    """Ends a transaction without a commit."""


async def waiting(database: Database, number: int) -> None:
    """Wait until so many transactions wait for another."""
    count = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(20):
        while True:
            async with database.read() as reading:
                if await reading.scalar(count) >= number:
                    return
            await asyncio.sleep(0.01)


def many(number: int, prefix: str, category: str = "Teaching") -> Sequence[Details]:
    return [
        Details(name=f"Person {prefix}{index}", category=category, external_ref=f"{prefix}{index}")
        for index in range(number)
    ]


async def test_an_erased_person_is_gone_from_every_table(database: Database) -> None:
    await bring(database, ANA)
    async with database.write() as work:
        work.caller = COMMAND_LINE
        staff_id = await work.scalar(select(staff.c.id))
        await commands.erase(work, staff_id)
    async with database.read() as reading:
        assert (await reading.row(select(staff.c.name, staff.c.search_key, staff.c.external_ref))) == ("", "", None)
        details = await reading.rows(select(audit.c.details))
        assert [row.details for row in details] == [{}, {}]
        assert await reading.scalar(select(func.count()).select_from(staff)) == 1
