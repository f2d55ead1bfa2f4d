"""Dates: the same ones wherever a date is asked for, and the same default."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from memberstaff.access import Role
from tests.clock import TODAY, TurnedClock
from tests.front_ends import BOARD, MARK, WATCH
from tests.installation import Installation, install

TOMORROW = "2026-01-13"
EVER = ("0001-01-01", "2026-01-11", TOMORROW, "9999-12-31")

CHANGES = {
    "omitted": ("subscription { attendanceUpdated { date status } }", {}),
    "null": ("subscription { attendanceUpdated(date: null) { date status } }", {}),
    "a variable that is omitted": ("subscription ($on: Date) { attendanceUpdated(date: $on) { date status } }", {}),
    "a variable that is null": (
        "subscription ($on: Date) { attendanceUpdated(date: $on) { date status } }",
        {"on": None},
    ),
    "a default that is null": (
        "subscription ($on: Date = null) { attendanceUpdated(date: $on) { date status } }",
        {},
    ),
    "in a fragment": (
        "subscription { ...root } fragment root on Subscription { attendanceUpdated { date status } }",
        {},
    ),
}
GIVEN = {
    "a literal": (f'subscription {{ attendanceUpdated(date: "{TODAY}") {{ date status }} }}', {}),
    "a default": (f'subscription ($on: Date = "{TODAY}") {{ attendanceUpdated(date: $on) {{ date status }} }}', {}),
    "a variable": ("subscription ($on: Date = null) { attendanceUpdated(date: $on) { date status } }", {"on": TODAY}),
}


@pytest.fixture
async def near_midnight(furnished_url: str, night: TurnedClock) -> Any:
    async with install(furnished_url, clock=night) as installed:
        yield installed


@pytest.fixture
def night() -> TurnedClock:
    return TurnedClock(datetime(2026, 1, 12, 23, 59, tzinfo=UTC))


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(("document", "variables"), CHANGES.values(), ids=CHANGES.keys())
async def test_a_subscription_without_a_date_is_of_today_and_stays_with_that_day(
    near_midnight: Installation, night: TurnedClock, document: str, variables: dict[str, Any]
) -> None:
    amina = near_midnight.staff["Amina"]
    async with near_midnight.socket() as early, near_midnight.socket() as late:
        async with near_midnight.one_more_follower(TODAY):
            await early.subscribe("1", document, **variables)
        night.turn(minutes=2)
        async with near_midnight.one_more_follower(TOMORROW):
            await late.subscribe("1", document, **variables)
        for date in (TODAY, TOMORROW):
            await near_midnight.admin.mark(amina, date, status="LATE")
        assert await early.change() == {"date": TODAY, "status": "LATE"}
        assert await late.change() == {"date": TOMORROW, "status": "LATE"}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_whoever_gives_the_date_shares_before_and_after_midnight(
    near_midnight: Installation, night: TurnedClock
) -> None:
    for document, variables in GIVEN.values():
        async with near_midnight.socket() as early, near_midnight.socket() as late:
            for socket in (early, late):
                async with near_midnight.one_more_follower(TODAY):
                    await socket.subscribe("1", document, **variables)
                night.turn(seconds=40)
            assert len(near_midnight.application.groups) == 1
        night.turn(seconds=-80)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_days_state_without_a_date_is_that_of_today_and_stays_with_that_day(
    near_midnight: Installation, night: TurnedClock
) -> None:
    document = "subscription { attendanceDayUpdated { date summary { late } } }"
    async with near_midnight.socket() as early, near_midnight.socket() as late:
        await early.subscribe("1", document)
        assert await early.event() == {"attendanceDayUpdated": {"date": TODAY, "summary": {"late": 0}}}
        night.turn(minutes=2)
        await late.subscribe("1", document)
        assert await late.event() == {"attendanceDayUpdated": {"date": TOMORROW, "summary": {"late": 0}}}
        await near_midnight.admin.mark(near_midnight.staff["Amina"], TODAY, status="LATE")
        assert await early.event() == {"attendanceDayUpdated": {"date": TODAY, "summary": {"late": 1}}}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_yesterdays_cursor_without_a_date_is_told_to_begin_again(
    near_midnight: Installation, night: TurnedClock
) -> None:
    cursor = (await near_midnight.viewer.ask(BOARD))["attendanceDay"]["records"]["feedCursor"]
    night.turn(minutes=2)
    document = "subscription ($after: String) { attendanceUpdated(after: $after) { date } }"
    async with near_midnight.socket() as late:
        await late.subscribe("1", document, after=cursor)
        message = await late.receive()
    assert (message["type"], message["payload"][0]["extensions"]) == ("error", {"code": "RESTART_REQUIRED"})
    assert message["payload"][0]["message"] == (
        "The cursor belongs to 2026-01-12, not to 2026-01-13. "
        "Query the day again and subscribe from the feedCursor in its answer."
    )


RECORD = """query Record($target: AttendanceTarget!, $date: Date!) {
  attendance(target: $target) { date version }
  attendanceReport(from: $date, to: $date) { from to categories { category days { date total } } }
  staff(first: 5, filter: {on: $date}) { totalCount edges { node { attendance(from: $date, to: $date) { date } } } }
}"""
HISTORY = """query ($target: AttendanceTarget!) {
  attendance(target: $target) { history { edges { node { version status } } } } }"""
HIRE = "mutation ($input: CreateStaffInput!) { createStaff(input: $input) { staff { id } } }"
STATE = "subscription ($date: Date) { attendanceDayUpdated(date: $date) { date summary { total } } }"


@pytest.mark.parametrize("date", EVER)
async def test_any_day_of_the_calendar_is_asked_for_and_watched_alike(installation: Installation, date: str) -> None:
    hired = await installation.admin.ask(HIRE, input={"name": "Methuselah", "startsOn": "0001-01-01"})
    old, viewer = hired["createStaff"]["staff"]["id"], installation.viewer
    target = {"staffDate": {"staffId": old, "date": date}}
    employed = 5 if date >= "2026-01-01" else 1
    day = (await viewer.ask(BOARD, date=date))["attendanceDay"]
    assert (day["date"], day["state"], day["summary"]["total"]) == (date, "OPEN", employed)
    assert day["records"]["totalCount"] == employed
    answer = await viewer.ask(RECORD, target=target, date=date)
    assert answer["attendance"] == {"date": date, "version": 0}
    assert answer["staff"]["totalCount"] == employed
    assert {each["date"] for of in answer["attendanceReport"]["categories"] for each in of["days"]} <= {date}
    async with installation.socket() as socket:
        await socket.subscribe("2", STATE, date=date)
        expected = {"attendanceDayUpdated": {"date": date, "summary": {"total": employed}}}
        assert await socket.event("2") == expected
    async with installation.watching(date, after=day["records"]["feedCursor"]) as socket:
        await installation.admin.mark(old, date, status="ON_LEAVE")
        change = await socket.change()
        assert (change["status"], change["version"]) == ("ON_LEAVE", 1)
    history = await viewer.ask(HISTORY, target=target)
    assert history == {"attendance": {"history": {"edges": [{"node": {"version": 1, "status": "ON_LEAVE"}}]}}}
    async with installation.watching(date, after=day["records"]["feedCursor"]) as socket:
        assert await socket.change() == change


NEVER = {
    "2026-02-30": "2026-02-30 does not exist in the calendar.",
    "0000-01-01": "0000-01-01 does not exist in the calendar.",
    "10000-01-01": "A Date must be YYYY-MM-DD, such as 2026-01-15.",
    "-0001-01-01": "A Date must be YYYY-MM-DD, such as 2026-01-15.",
    "today": "A Date must be YYYY-MM-DD, such as 2026-01-15.",
}


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("date", NEVER)
async def test_a_day_that_never_comes_is_refused_in_the_same_words_everywhere(
    installation: Installation, date: str
) -> None:
    target = {"staffDate": {"staffId": installation.staff["Amina"], "date": date}}
    refused = [
        await installation.viewer.fail(BOARD, date=date),
        await installation.viewer.fail(RECORD, target={"id": "x"}, date=date),
        await installation.viewer.fail(RECORD, target=target, date=TODAY),
        await installation.marker.fail(MARK, input={"target": target, "status": "LATE"}),
    ]
    async with installation.socket(Role.VIEWER) as socket:
        for document in (WATCH, STATE):
            await socket.subscribe("1", document, date=date)
            message = await socket.receive()
            assert message["type"] == "error"
            [error] = message["payload"]
            refused.append((error["extensions"]["code"], error["message"]))
    assert [code for code, _ in refused] == ["BAD_REQUEST"] * 6
    assert [message for _, message in refused if not message.endswith(NEVER[date])] == []
