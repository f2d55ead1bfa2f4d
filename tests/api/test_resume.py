"""Query a day, subscribe from its cursor, and nothing between the two is missed."""

from __future__ import annotations

import json
import re

import pytest

from memberstaff.access import Role
from memberstaff.attendance.cursor import Cursor
from tests.clock import TODAY, TurnedClock
from tests.databases import Engine
from tests.front_ends import BOARD, WATCH
from tests.installation import Installation, install

YESTERDAY = "2026-01-11"


async def cursor_of(on_any_path: Installation) -> str:
    day = (await on_any_path.viewer.ask(BOARD, date=TODAY))["attendanceDay"]
    return str(day["records"]["feedCursor"])


async def mark_all(on_any_path: Installation, status: str) -> None:
    for staff_id in on_any_path.staff.values():
        assert (await on_any_path.marker.mark(staff_id, TODAY, status=status))["errors"] == []


@pytest.fixture
def engine() -> Engine:
    """What clients are told; what follows a cursor is for tests/services/test_feed_cursors.py to show on both."""
    return "sqlite"


async def test_what_changed_between_the_query_and_the_subscription_is_replayed(on_any_path: Installation) -> None:
    cursor = await cursor_of(on_any_path)
    await mark_all(on_any_path, "PRESENT")
    async with on_any_path.socket() as board:
        await board.subscribe("1", WATCH, date=TODAY, after=cursor)
        seen = [(await board.change())["staffName"] for _ in on_any_path.staff]
        assert seen == list(on_any_path.staff)
        await on_any_path.marker.mark(on_any_path.staff["Amina"], TODAY, status="LATE")
        assert (await board.change())["status"] == "LATE"


async def test_a_board_resumes_from_the_last_event_it_saw(on_any_path: Installation) -> None:
    await mark_all(on_any_path, "PRESENT")
    async with on_any_path.socket() as board:
        now = Cursor.parse(await cursor_of(on_any_path))
        await board.subscribe("1", WATCH, date=TODAY, after=str(Cursor(now.epoch, now.date, 0)))
        first = await board.change()
    async with on_any_path.socket() as board:
        await board.subscribe("1", WATCH, date=TODAY, after=first["feedCursor"])
        assert [(await board.change())["staffName"] for _ in range(3)] == ["Björn", "Chloé", "Дмитрий"]


async def test_connection_init_may_bring_the_cursor_of_a_client_that_cannot_change_variables(
    on_any_path: Installation,
) -> None:
    old = await cursor_of(on_any_path)
    await mark_all(on_any_path, "PRESENT")
    newer = await cursor_of(on_any_path)
    await on_any_path.marker.mark(on_any_path.staff["Chloé"], TODAY, status="LATE")
    async with on_any_path.socket(payload={"resume": {"board": newer}}) as board:
        await board.subscribe("board", WATCH, date=TODAY, after=old)
        change = await board.change("board")
        assert (change["staffName"], change["status"]) == ("Chloé", "LATE")


async def test_a_scope_leaves_holes_and_never_reorders(on_any_path: Installation) -> None:
    cursor = await cursor_of(on_any_path)
    await mark_all(on_any_path, "PRESENT")
    async with on_any_path.socket() as board:
        await board.subscribe("1", WATCH, date=TODAY, after=cursor, scope={"categories": ["Teaching"]})
        assert [(await board.change())["staffName"] for _ in range(2)] == ["Amina", "Chloé"]
    async with on_any_path.socket() as board:
        scope = {"staffIds": [on_any_path.staff["Дмитрий"]]}
        await board.subscribe("1", WATCH, date=TODAY, after=cursor, scope=scope)
        assert (await board.change())["staffName"] == "Дмитрий"


async def test_another_day_is_not_heard(on_any_path: Installation) -> None:
    async with on_any_path.watching(TODAY) as board:
        await on_any_path.admin.mark(on_any_path.staff["Amina"], YESTERDAY, status="ABSENT")
        await on_any_path.admin.mark(on_any_path.staff["Björn"], TODAY, status="PRESENT")
        assert (await board.change())["staffName"] == "Björn"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ADMIN])
async def test_a_cursor_that_cannot_be_honoured_is_the_operations_error(on_any_path: Installation, role: Role) -> None:
    current = Cursor.parse(await cursor_of(on_any_path))
    for wrong in (
        "nonsense",
        str(Cursor(current.epoch, current.date, current.position + 1)),
        str(Cursor(1, current.date, 0)),
        str(Cursor(current.epoch, current.date.replace(day=1), 0)),
    ):
        async with on_any_path.socket(role) as board:
            await board.subscribe("1", WATCH, date=TODAY, after=wrong)
            message = await board.receive()
            assert (message["type"], message["id"]) == ("error", "1")
            [error] = message["payload"]
            assert error["extensions"]["code"] == "RESTART_REQUIRED"
            assert error["message"].endswith("Query the day again and subscribe from the feedCursor in its answer.")


@pytest.mark.parametrize("ordinary", [False, True])
async def test_a_cursor_that_lies_too_far_back_is_the_operations_error(
    furnished_url: str, clock: TurnedClock, ordinary: bool
) -> None:
    async with install(furnished_url, clock=clock, ordinary=ordinary, max_replay=3) as office:
        cursor = await cursor_of(office)
        await mark_all(office, "PRESENT")
        async with office.socket() as board:
            await board.subscribe("1", WATCH, date=TODAY, after=cursor)
            message = await board.receive()
            assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "RESTART_REQUIRED")
            assert message["payload"][0]["message"].startswith("There were more than 3 changes since this cursor.")


@pytest.mark.parametrize("accept", ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0"])
async def test_over_http_too_a_cursor_that_cannot_be_honoured_ends_the_operation(
    on_any_path: Installation, accept: str
) -> None:
    body = {"query": WATCH, "variables": {"date": TODAY, "after": "nonsense"}}
    headers = {"Authorization": f"Bearer {on_any_path.tokens[Role.VIEWER]}", "Accept": accept}
    answer = await on_any_path.http.post("/graphql", json=body, headers=headers)  # returns, so the stream has ended
    [told] = re.findall(r'\{"(?:payload|errors)".*', answer.text)
    message = json.loads(told)
    [error] = message.get("payload", message)["errors"]
    assert error["extensions"]["code"] == "RESTART_REQUIRED"
    assert error["message"].endswith("Query the day again and subscribe from the feedCursor in its answer.")


async def test_the_days_state_comes_at_once_and_then_with_each_change(on_any_path: Installation) -> None:
    document = """subscription State($date: Date!) {
      attendanceDayUpdated(date: $date) { state label rosterVersion summary { unmarked present } }
    }"""
    async with on_any_path.socket() as board:
        await board.subscribe("1", document, date=TODAY)
        first = (await board.event())["attendanceDayUpdated"]
        assert first == {"state": "OPEN", "label": None, "rosterVersion": 4, "summary": {"unmarked": 4, "present": 0}}
        await on_any_path.marker.mark(on_any_path.staff["Amina"], TODAY, status="PRESENT")
        marked = (await board.event())["attendanceDayUpdated"]
        assert marked["summary"] == {"unmarked": 3, "present": 1}
        lock = "mutation L($i: SetAttendanceDayStateInput!) { setAttendanceDayState(input: $i) { day { state } } }"
        await on_any_path.admin.ask(lock, i={"date": TODAY, "state": "LOCKED"})
        assert (await board.event())["attendanceDayUpdated"]["state"] == "LOCKED"
        await on_any_path.admin.ask(
            "mutation N($i: UpdateStaffInput!) { updateStaff(input: $i) { staff { name } } }",
            i={"id": on_any_path.staff["Amina"], "name": "Amina B."},
        )
        assert (await board.event())["attendanceDayUpdated"]["rosterVersion"] == 5
    listed = "query ($date: Date!) { attendanceDay(date: $date) { rosterVersion records { rosterVersion } } }"
    assert await on_any_path.viewer.ask(listed, date=TODAY) == {
        "attendanceDay": {"rosterVersion": 5, "records": {"rosterVersion": 5}}
    }
