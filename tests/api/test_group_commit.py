"""Marks that arrive together share a transaction, and nobody can tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from sqlalchemy import event, select

from memberstaff.attendance.commands import MarkOutcome
from memberstaff.attendance.cursor import Cursor
from memberstaff.db.tables import attendance_day, attendance_revision
from memberstaff.db.work import Work
from schema.ids import global_id
from tests.clock import TODAY
from tests.front_ends import Client
from tests.installation import Installation
from tests.statements import statements
from tests.waiting import until

PEOPLE = ("Amina", "Björn", "Chloé", "Дмитрий")


@pytest.fixture
def installation_settings() -> dict[str, Any]:
    """Requests of a trusted proxy begin together; those of anybody else in turns."""
    return {"trusted_proxies": ("127.0.0.0/8",)}


@contextmanager
def commits(installation: Installation) -> Iterator[list[object]]:
    """The transactions that were committed within the block."""
    seen: list[object] = []
    engine = installation.application.database.engine.sync_engine
    note = lambda connection: seen.append(connection)  # noqa: E731 - SQLAlchemy needs the same object twice
    event.listen(engine, "commit", note)
    try:
        yield seen
    finally:
        event.remove(engine, "commit", note)


@asynccontextmanager
async def held(installation: Installation, number: int) -> AsyncIterator[None]:
    """Let no transaction begin until so many marks have come; the block sends them without waiting for answers."""
    database, marking = installation.application.database, installation.application.group_commit
    write, mark = database.write, marking.mark
    go, asked = asyncio.Event(), 0

    @asynccontextmanager
    async def waiting() -> AsyncIterator[Work]:
        await go.wait()
        async with write() as work:
            yield work

    def counted(*arguments: Any) -> Awaitable[MarkOutcome]:
        nonlocal asked
        asked += 1
        return mark(*arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(database, "write", waiting)
        patched.setattr(marking, "mark", counted)
        yield
        await until(lambda: asked == number)
        go.set()


async def together(installation: Installation, *marks: tuple[Client, str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The payloads of marks that came while none of them had been begun."""
    async with held(installation, len(marks)):
        asked = [asyncio.create_task(client.mark(staff_id, TODAY, **values)) for client, staff_id, values in marks]
    return await asyncio.gather(*asked)


async def test_forty_marks_are_two_transactions_at_most(installation: Installation) -> None:
    marks = [
        (installation.marker, installation.staff[PEOPLE[number % 4]], {"note": f"{number}"}) for number in range(40)
    ]
    with commits(installation) as committed:
        payloads = await together(installation, *marks)
    assert len(committed) <= 2  # those that had come before the first was looked at, and the others
    positions = [Cursor.parse(payload["attendance"]["feedCursor"]).position for payload in payloads]
    assert positions == list(range(1, 41))
    assert [payload["attendance"]["note"] for payload in payloads] == [f"{number}" for number in range(40)]
    assert [payload["attendance"]["version"] for payload in payloads] == [1 + number // 4 for number in range(40)]
    board = await installation.marker.ask(
        "query { attendanceDay { records { edges { node { note version updatedBy } } } } }"
    )
    assert [edge["node"] for edge in board["attendanceDay"]["records"]["edges"]] == [
        {"note": f"{36 + index}", "version": 10, "updatedBy": "Marker"} for index in range(4)
    ]


async def test_each_is_judged_by_itself_and_recorded_as_its_callers(installation: Installation) -> None:
    amina, bjorn = installation.staff["Amina"], installation.staff["Björn"]
    first, second, conflict, unknown, retry = await together(
        installation,
        (installation.marker, amina, {"status": "LATE", "expectedVersion": 0}),
        (installation.admin, bjorn, {"status": "ABSENT"}),
        (installation.admin, amina, {"status": "PRESENT", "expectedVersion": 0}),
        (installation.marker, global_id("Staff", 999), {"status": "LATE"}),
        (installation.marker, bjorn, {"status": "ABSENT", "expectedVersion": 0}),
    )
    assert (first["attendance"]["version"], first["attendance"]["updatedBy"]) == (1, "Marker")
    assert (second["attendance"]["version"], second["attendance"]["updatedBy"]) == (1, "Admin")
    [error] = conflict["errors"]
    assert (error["code"], error["current"]) == ("VERSION_CONFLICT", {"status": "LATE", "note": None, "version": 1})
    assert [error["code"] for error in unknown["errors"]] == ["NOT_FOUND"]
    assert retry["attendance"] == {**second["attendance"], "updatedBy": "Admin"}


async def test_who_may_not_mark_is_refused_alone(installation: Installation) -> None:
    people = ((installation.marker, "Amina"), (installation.viewer, "Björn"), (installation.marker, "Chloé"))
    async with held(installation, 3):
        asked = [
            asyncio.create_task(client.send(MARK_BY_ID, id=installation.staff[name], date=TODAY))
            for client, name in people
        ]
    answers = await asyncio.gather(*asked)
    assert [("errors" in answer and answer["errors"][0]["extensions"]["code"]) for answer in answers] == [
        False,
        "FORBIDDEN",
        False,
    ]


MARK_BY_ID = """mutation ($id: ID!, $date: Date!) {
  updateAttendance(input: {target: {staffDate: {staffId: $id, date: $date}}, status: LATE}) { errors { message } } }"""


async def test_who_may_not_mark_locks_nothing(installation: Installation) -> None:
    with statements(installation.application.database) as sent:
        answer = await installation.viewer.send(MARK_BY_ID, id=installation.staff["Amina"], date=TODAY)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert [statement for statement in sent if "attendance_day" in statement] == []


async def test_a_refused_mark_leaves_nothing_not_even_a_day(installation: Installation) -> None:
    payload = await installation.marker.mark(installation.staff["Amina"], TODAY, note="x" * 10_001)
    assert [error["code"] for error in payload["errors"]] == ["INVALID"]
    async with installation.application.database.read() as reading:
        assert await reading.rows(select(attendance_day)) == []
        assert await reading.rows(select(attendance_revision)) == []
