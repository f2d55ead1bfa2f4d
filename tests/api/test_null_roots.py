"""A root field that fails is null beside its error, and takes nothing from the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from memberstaff.access import COMMAND_LINE
from memberstaff.db.database import Database
from tests.clock import MONDAY, TODAY
from tests.databases import UTC_ZONE
from tests.front_ends import Client
from tests.installation import Installation, install

MARK_AND = """mutation MarkAnd($mark: UpdateAttendanceInput!) {{
  a: updateAttendance(input: $mark) {{ attendance {{ status version }} errors {{ code }} }}
  {second}
}}"""
LABEL = 'b: updateAttendanceDay(input: {date: "2026-01-12", label: "Sports day"}) { day { label } errors { code } }'
CHANGE = 'b: changePassword(input: {currentPassword: "wrong", newPassword: "short"}) { errors { code } }'
MARK_FRIDAY = """b: updateAttendance(input: {{
  target: {{staffDate: {{staffId: "{id}", date: "2026-01-09"}}}}, status: LATE}}) {{ errors {{ code }} }}"""
RECORD = "query ($target: AttendanceTarget!) { attendance(target: $target) { status version } }"


def mark(installation: Installation, **values: Any) -> dict[str, Any]:
    return {"target": {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}, **values}


async def mark_and(client: Client, installation: Installation, second: str, **values: Any) -> Any:
    return await client.send(MARK_AND.format(second=second), mark=mark(installation, **values))


def told(answer: dict[str, Any]) -> list[tuple[list[str], dict[str, Any]]]:
    return [(error["path"], error["extensions"]) for error in answer["errors"]]


async def test_a_refused_mutation_does_not_hide_what_another_has_committed(installation: Installation) -> None:
    answer = await mark_and(installation.marker, installation, LABEL, status="LATE")
    assert answer["data"] == {"a": {"attendance": {"status": "LATE", "version": 1}, "errors": []}, "b": None}
    assert told(answer) == [(["b"], {"code": "FORBIDDEN"})]
    stored = await installation.marker.ask(RECORD, target=mark(installation)["target"])
    assert stored == {"attendance": {"status": "LATE", "version": 1}}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_neither_does_one_that_was_tried_too_often(installation: Installation) -> None:
    for version in range(1, 20):
        answer = await mark_and(installation.marker, installation, CHANGE, note=str(version))
        assert answer["data"]["a"] == {"attendance": {"status": "UNMARKED", "version": version}, "errors": []}
        if "errors" in answer:
            break
        assert answer["data"]["b"] == {"errors": [{"code": "BAD_CREDENTIALS"}]}
    assert answer["data"]["b"] is None
    [(path, extensions)] = told(answer)
    assert (path, extensions["code"]) == (["b"], "RATE_LIMITED")


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_neither_does_one_that_cannot_be_made_now(furnished_url: str) -> None:
    elsewhere = Database(furnished_url, zone=UTC_ZONE)
    try:
        async with install(furnished_url, database_seconds=1.5) as installation:
            second = MARK_FRIDAY.format(id=installation.staff["Amina"])
            async with elsewhere.write() as work:
                work.caller = COMMAND_LINE
                await installation.application.calendar.lock_row(work, MONDAY.replace(day=9))
                answer = await mark_and(installation.admin, installation, second, status="LATE")
    finally:
        await elsewhere.close()
    assert answer["data"] == {"a": {"attendance": {"status": "LATE", "version": 1}, "errors": []}, "b": None}
    assert told(answer) == [(["b"], {"code": "UNAVAILABLE", "retryAfter": 1, "applied": False})]


async def test_a_refused_query_takes_nothing_from_the_others(installation: Installation) -> None:
    document = """{
      viewer { displayName } attendanceDay { date } accounts { totalCount } audit { edges { cursor } }
      staff(first: -1) { totalCount } attendanceReport(from: "2026-01-12", to: "2026-01-11") { from }
      everybody: staff { totalCount }
    }"""
    answer = await installation.marker.send(document)
    assert answer["data"] == {
        "viewer": {"displayName": "Marker"},
        "attendanceDay": {"date": TODAY},
        "accounts": None,
        "audit": None,
        "staff": None,
        "attendanceReport": None,
        "everybody": {"totalCount": 4},
    }
    assert sorted((path[0], extensions["code"]) for path, extensions in told(answer)) == [
        ("accounts", "FORBIDDEN"),
        ("attendanceReport", "BAD_REQUEST"),
        ("audit", "FORBIDDEN"),
        ("staff", "BAD_REQUEST"),
    ]


UNREADABLE = 'history(first: 0, after: "nowhere") { __typename }'


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_payload_says_that_it_was_committed_even_if_nothing_in_it_can_be_read(
    installation: Installation,
) -> None:
    single = f"""mutation ($mark: UpdateAttendanceInput!) {{ updateAttendance(input: $mark) {{
      attendance {{ {UNREADABLE} }} errors {{ code }} }} }}"""
    answer = await installation.marker.send(single, mark=mark(installation, status="LATE"))
    assert answer["data"] == {"updateAttendance": {"attendance": None, "errors": []}}
    bulk = f"""mutation ($input: BulkUpdateAttendanceInput!) {{ bulkUpdateAttendance(input: $input) {{
      day {{ records(first: 1001) {{ totalCount }} }} attendances {{ {UNREADABLE} }}
      errors {{ code ... on VersionConflictError {{ current {{ {UNREADABLE} }} }} }} }} }}"""
    ids = [installation.staff[name] for name in ("Amina", "Björn")]
    entries = [{"staffId": id_, "status": "ABSENT", "expectedVersion": 0} for id_ in ids]
    given = {"date": TODAY, "change": {"entries": entries}, "errorPolicy": "SKIP_FAILED"}
    answer = await installation.marker.send(bulk, input=given)
    assert answer["data"]["bulkUpdateAttendance"] == {
        "day": None,
        "attendances": None,
        "errors": [{"code": "VERSION_CONFLICT", "current": None}],
    }
    assert {extensions["code"] for _, extensions in told(answer)} == {"BAD_REQUEST"}
    found = await installation.marker.ask("{ attendanceDay { summary { late absent } } }")
    assert found == {"attendanceDay": {"summary": {"late": 1, "absent": 1}}}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_many_at_once_are_told_each_their_own(installation: Installation) -> None:
    answers = await asyncio.gather(
        *(mark_and(installation.marker, installation, LABEL, note=str(number)) for number in range(8))
    )
    assert all(answer["data"]["b"] is None for answer in answers)
    assert sorted(answer["data"]["a"]["attendance"]["version"] for answer in answers) == list(range(1, 9))
