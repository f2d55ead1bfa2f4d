"""One account's queries do not keep those of others waiting, however many it sends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from graphql import parse

from memberstaff.access import Role
from memberstaff.application import QUERIES_AT_ONCE
from memberstaff.attendance.board_cache import BoardCache
from memberstaff.db.tables import account
from schema.context import Context
from tests.clock import TODAY, TurnedClock
from tests.databases import Engine
from tests.front_ends import WATCH
from tests.installation import Installation, email, install
from tests.waiting import until

ALONE = "{ viewer { id } attendanceDay { summary { total } } }"
"""Nothing that can be cached."""
CACHED = "{ attendanceDay { summary { total } } }"
BULK = """mutation ($input: BulkUpdateAttendanceInput!) {
  bulkUpdateAttendance(input: $input) { day { summary { total } records(first: 1000) { edges { node { id } } } } } }"""
"""A mutation whose payload may have a whole day."""
SMALL = "{ viewer { id } attendanceDay { id } }"

DEAR_MARK = """mutation ($input: UpdateAttendanceInput!) { updateAttendance(input: $input) {
  attendance { day { records(first: 200) { edges { node { id } } } } } } }"""


class Held:
    """Summaries, each of which holds its operation's snapshot until they may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = 0
        self.go_on = asyncio.Event()
        summary = BoardCache.summary

        async def held(*arguments: Any) -> Any:
            self.begun += 1
            await self.go_on.wait()
            return await summary(*arguments)

        monkeypatch.setattr(BoardCache, "summary", held)


async def ask(office: Installation, what: str, number: int) -> Any:
    """Send an operation that reads a summary, by an account that is not the marker's."""
    if what == "introspection":
        return await office.admin.ask("{ __schema { queryType { name } } attendanceDay { summary { total } } }")
    if what == "a mutation":
        marks = {"date": TODAY, "change": {"fill": {"status": "PRESENT"}}}
        return await office.admin.ask(BULK, input=marks)
    return await office.viewer.ask(ALONE if what == "requests" else f"query Number{number} {CACHED}")


@pytest.fixture
def engine() -> Engine:
    """It has several connections to share."""
    return "postgresql"


@pytest.mark.parametrize("transport", ["requests", "different documents", "a socket", "introspection", "a mutation"])
async def test_an_account_that_asks_for_much_leaves_others_the_database(
    furnished_url: str, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    async with (
        install(furnished_url, clock=clock, database_pool_size=QUERIES_AT_ONCE + 2) as office,
        office.socket() as socket,
    ):
        held = Held(monkeypatch)
        asking: list[asyncio.Task[Any]] = []
        for number in range(6):
            if transport == "a socket":
                await socket.subscribe(str(number), ALONE)
            else:
                asking.append(asyncio.create_task(ask(office, transport, number)))
        await until(lambda: held.begun >= QUERIES_AT_ONCE)
        assert (await office.marker.ask(SMALL))["viewer"] is not None
        await office.marker.mark(office.staff["Amina"], TODAY, status="LATE")
        assert held.begun <= 1 + QUERIES_AT_ONCE
        held.go_on.set()
        await asyncio.gather(*asking)
        await until(lambda: held.begun == 6)


async def test_whoever_would_introspect_is_looked_up_in_turns(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, go_on, begun = installation, asyncio.Event(), 0
    snapshot = Context.snapshot

    async def held(context: Context) -> Any:
        nonlocal begun
        reading = await snapshot(context)
        begun += 1
        await go_on.wait()
        return reading

    monkeypatch.setattr(Context, "snapshot", held)
    asking = [asyncio.create_task(office.viewer.fail("{ __schema { queryType { name } } }")) for _ in range(6)]
    await until(lambda: begun == 6 or (len(office.application.query_turns) == 6 and begun >= 1 + QUERIES_AT_ONCE))
    assert begun == 1 + QUERIES_AT_ONCE
    go_on.set()
    message = "Introspection is disabled for your account; administrators may use it."
    assert await asyncio.gather(*asking) == [("FORBIDDEN", message)] * 6


async def test_equal_queries_are_answered_by_one_rendering_and_wait_for_the_turn_of_nobody_else(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, held = installation, Held(monkeypatch)
    async with office.application.database.write() as work:
        await work.write(account.update().where(account.c.email == email(Role.ADMIN)).values(role=Role.VIEWER))
    asking = [asyncio.create_task(office.viewer.ask(ALONE)) for _ in range(1 + QUERIES_AT_ONCE)]
    await until(lambda: held.begun == 1 + QUERIES_AT_ONCE)
    they_go_on, held.go_on = held.go_on, asyncio.Event()
    equal = [asyncio.create_task(office.viewer.ask(CACHED)) for _ in range(3)]  # they wait for turns of their account
    await until(lambda: len(office.application.query_turns) == 4 + QUERIES_AT_ONCE)
    equal.append(asyncio.create_task(office.admin.ask(CACHED)))
    await until(lambda: held.begun == 2 + QUERIES_AT_ONCE)
    they_go_on.set()
    await asyncio.gather(*asking)
    await until(lambda: len(office.application.query_turns) == 1)  # the others have had their turns, and wait for it
    held.go_on.set()
    answers = await asyncio.gather(*equal)
    assert held.begun == 2 + QUERIES_AT_ONCE
    assert answers == [answers[0]] * 4


async def test_a_bulk_mark_waits_behind_no_query_of_its_account_that_waits_itself(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, held = installation, Held(monkeypatch)
    running = 1 + QUERIES_AT_ONCE
    asking = [asyncio.create_task(office.marker.ask(ALONE)) for _ in range(running + 4)]
    await until(lambda: held.begun == running and len(office.application.query_turns) == running + 4)
    marks = {"date": TODAY, "change": {"fill": {"status": "LATE"}}}
    bulk = asyncio.create_task(office.marker.ask(BULK, input=marks))
    await until(lambda: len(office.application.query_turns) == running + 5)
    they_go_on, held.go_on = held.go_on, asyncio.Event()
    they_go_on.set()
    await until(lambda: held.begun == running + QUERIES_AT_ONCE)  # the next ones that have a turn
    board = await office.viewer.ask("{ attendanceDay { records(first: 1) { edges { node { status } } } } }")
    assert board["attendanceDay"]["records"]["edges"] == [{"node": {"status": "LATE"}}]
    held.go_on.set()
    await asyncio.gather(bulk, *asking)


async def test_whoever_waits_for_a_turn_in_vain_is_told_so_before_long_as_when_the_database_hangs(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise each that hangs would wait for the time-outs of all before it."""
    office, held = installation, Held(monkeypatch)
    asking = [asyncio.create_task(office.marker.ask(ALONE)) for _ in range(1 + QUERIES_AT_ONCE)]
    await until(lambda: held.begun == 1 + QUERIES_AT_ONCE)
    impatient = office.application.settings.model_copy(update={"database_seconds": 0.1})
    monkeypatch.setattr(office.application, "settings", impatient)  # the database itself keeps its own
    mark = {"target": {"staffDate": {"staffId": office.staff["Amina"], "date": TODAY}}, "status": "LATE"}
    answers = await asyncio.gather(
        office.marker.send(ALONE), office.marker.send(CACHED), office.marker.send(DEAR_MARK, input=mark)
    )
    message = "Other queries of your account are not answered yet. Try again in a moment."
    error = {"message": message, "extensions": {"code": "UNAVAILABLE", "retryAfter": 1}}
    not_applied = {"message": message, "extensions": {"code": "UNAVAILABLE", "retryAfter": 1, "applied": False}}
    assert [answer["errors"] for answer in answers] == [[error], [error], [not_applied]]
    assert len(office.application.query_turns) == 1 + QUERIES_AT_ONCE
    held.go_on.set()
    await asyncio.gather(*asking)
    assert len(office.application.query_turns) == 0


async def test_a_document_that_leaves_the_cache_meanwhile_is_not_prepared_again_outside_of_a_turn(
    furnished_url: str, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shared rendering has no account, so it would prepare its document without a turn."""
    prepared: list[str] = []

    def noted(query: str, **options: Any) -> Any:
        prepared.append(query)
        return parse(query, **options)

    async with install(furnished_url, clock=clock, document_cache_bytes=0) as office, office.socket() as socket:
        monkeypatch.setattr("memberstaff.engine.documents.parse", noted)
        await office.viewer.ask(CACHED)
        assert prepared == [CACHED]
        prepared.clear()
        async with office.one_more_follower(TODAY):
            await socket.subscribe("1", WATCH, date=TODAY)
        assert prepared == [WATCH]  # in a turn, to check it; and not again, to begin


async def test_a_document_is_prepared_in_a_turn_unless_it_was_before(installation: Installation) -> None:
    office = installation
    await office.viewer.ask(SMALL)
    async with office.application.preparing.turn(("somebody else",)):
        name = f"New{office.address.port}"  # the other tests' installations have the same schema
        new = asyncio.create_task(office.viewer.ask(f"query {name} {SMALL}"))
        for _ in range(5):
            assert (await office.viewer.ask(SMALL))["viewer"] is not None
        assert not new.done()
    assert (await new)["viewer"] is not None
