"""Page sizes in variables, as clients with types and Relay's connections send them, count with their values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clock import TODAY, TurnedClock
from tests.installation import Installation, install

BOARD = """query Board($n: Int = 20, $m: Int) { attendanceDay { records(first: $n) { totalCount edges { node { status
  staff { name } day { summary { total } } history(first: $m) { edges { node { status } } } } } } } }"""
STAFF = """query Staff($n: Int, $from: Date!, $to: Date!) { staff(first: $n) { edges { node { name
  attendance(from: $from, to: $to) { status } } } } }"""
WATCH = """subscription ($date: Date!, $n: Int) {
  attendanceDayUpdated(date: $date) { records(first: $n) { edges { node { id } } } } }"""
MARK = """mutation ($input: UpdateAttendanceInput!, $n: Int) { updateAttendance(input: $input) {
  attendance { version day { records(first: $n) { edges { node { staff { id } day { id } b: day { id } } } } } } } }"""


def too_dear(cost: int, limit: int, what: str = "The operation") -> tuple[str, dict[str, Any]]:
    message = f"{what} could return {cost:,} objects; the limit is {limit:,}. Ask for smaller pages."
    return message, {"code": "BAD_REQUEST", "reason": "OPERATION_TOO_EXPENSIVE", "cost": cost, "limit": limit}


def told(errors: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    [error] = errors
    return error["message"], error["extensions"]


@pytest.fixture
def engine() -> str:
    """What a document costs is known before the database is asked."""
    return "sqlite"


async def test_a_board_is_paged_by_the_size_in_its_variable(installation: Installation) -> None:
    for variables, records in (({}, 4), ({"n": 2, "m": 1}, 2), ({"n": 2, "m": 1}, 2), ({"n": None, "m": 1}, 4)):
        data = await installation.viewer.ask(BOARD, **variables)
        assert len(data["attendanceDay"]["records"]["edges"]) == records
    answer = await installation.viewer.send(BOARD, n=1_000, m=3)
    assert (answer.get("data"), told(answer["errors"])) == (None, too_dear(2 + 1_000 * (1 + 5 + 2 * 3), 5_000))


async def test_a_list_below_a_page_is_multiplied_with_the_pages_size(installation: Installation) -> None:
    days = {"from": "2026-01-01", "to": "2026-01-31"}
    data = await installation.viewer.ask(STAFF, n=2, **days)
    assert [edge["node"]["name"] for edge in data["staff"]["edges"]] == ["Amina", "Björn"]
    answer = await installation.viewer.send(STAFF, n=100, **days)
    assert told(answer["errors"]) == too_dear(1 + 100 * (2 + 92), 5_000)


async def test_a_mutation_whose_answer_is_too_dear_stores_nothing(installation: Installation) -> None:
    target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
    answer = await installation.marker.send(MARK, input={"target": target, "status": "LATE"}, n=1_000)
    assert told(answer["errors"]) == too_dear(4 + 1_000 * 5, 5_000)
    data = await installation.marker.ask(MARK, input={"target": target, "status": "LATE"}, n=1)
    record = data["updateAttendance"]["attendance"]
    assert (record["version"], len(record["day"]["records"]["edges"])) == (1, 1)


async def test_a_subscription_counts_with_the_size_in_its_variable_over_every_transport(
    installation: Installation,
) -> None:
    refused = too_dear(2 + 250 * 2, 500, "Each event of the subscription")
    async with installation.socket() as socket:
        await socket.subscribe("1", WATCH, date=TODAY, n=3)
        assert len((await socket.event())["attendanceDayUpdated"]["records"]["edges"]) == 3
        await socket.subscribe("2", WATCH, date=TODAY, n=250)
        answer = await socket.receive()
        assert (answer["type"], answer["id"], told(answer["payload"])) == ("error", "2", refused)
        await socket.subscribe("3", BOARD, n=1_000, m=3)
        assert told((await socket.receive())["payload"]) == too_dear(2 + 1_000 * (1 + 5 + 2 * 3), 5_000)
    text = await installation.viewer.stream_once(WATCH, date=TODAY, n=250)
    [event] = [line for line in text.splitlines() if line.startswith("data: {")]
    assert told(json.loads(event.removeprefix("data: "))["errors"]) == refused


async def test_what_an_accounts_subscriptions_cost_is_counted_with_their_variables(
    furnished_url: str, clock: TurnedClock
) -> None:
    async with (
        install(furnished_url, clock=clock, max_event_cost_per_account=40) as installation,
        installation.socket() as socket,
    ):
        for operation, size in (("1", 3), ("2", 5)):  # 2 + 2 for each record
            await socket.subscribe(operation, WATCH, date=TODAY, n=size)
            await socket.event(operation)
        await socket.subscribe("3", WATCH, date=TODAY, n=10)
        message, extensions = told((await socket.receive())["payload"])
        assert extensions["code"] == "RATE_LIMITED"
        assert message == (
            "An event would send your account's subscriptions 42 objects here; the limit is 40. "
            "End some, or select less."
        )
        await socket.subscribe("3", WATCH, date=TODAY, n=9)
        await socket.event("3")
