"""Bad input: a code, plain words, and nothing is stored."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.ids import global_id
from tests.api.bad import BULK, INSIDES, revisions
from tests.api.clients import connected
from tests.clock import TODAY
from tests.front_ends import BOARD, MARK, WATCH
from tests.installation import Installation
from tests.waiting import WAIT_SECONDS


async def mark(installation: Installation, **values: Any) -> dict[str, Any]:
    target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
    answer = await installation.marker.send(MARK, input={"target": target, **values})
    assert not INSIDES.search(json.dumps(answer)), answer
    return answer


def refusal(answer: dict[str, Any]) -> tuple[str, list[str]]:
    [error] = answer["data"]["updateAttendance"]["errors"]
    return error["code"], error["path"]


def fault(answer: dict[str, Any]) -> str:
    return str(answer["errors"][0]["extensions"]["code"])


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_values_of_the_wrong_type_are_bad_requests(installation: Installation) -> None:
    wrong: list[dict[str, Any]] = [
        {"status": "SLEEPING"},
        {"status": 3},
        {"status": "LATE", "expectedVersion": 2**31},
        {"status": "LATE", "expectedVersion": "1"},
        {"status": "LATE", "note": 5},
        {"status": "LATE", "colour": "red"},
        {"target": {}},
        {"target": {"id": "x", "staffDate": {"staffId": "x", "date": TODAY}}},
        {"target": {"id": None}},
        {"target": {"staffDate": {"staffId": "x", "date": "2026-02-30"}}},
        {"target": {"staffDate": {"staffId": "x", "date": "20260115"}}},
        {"target": {"staffDate": {"staffId": "x", "date": "2026-W03-4"}}},
    ]
    for values in wrong:
        assert fault(await mark(installation, **values)) == "BAD_REQUEST", values
    assert await revisions(installation) == 0


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_values_that_cannot_be_are_refused_in_the_payload(installation: Installation) -> None:
    expected: dict[str, list[dict[str, Any]]] = {
        "NOT_FOUND": [
            {"target": {"id": "nonsense"}},
            {"target": {"id": installation.staff["Amina"]}},
            {"target": {"id": global_id("Attendance", 2**70, TODAY)}},
            {"target": {"id": global_id("Attendance", 1, "2026-02-30")}},
            {"target": {"staffDate": {"staffId": global_id("Staff", 999), "date": TODAY}}},
            {"target": {"staffDate": {"staffId": global_id("Account", 1), "date": TODAY}}},
        ],
        "INVALID": [
            {"status": None},
            {"note": "x" * 3_000},
            {"photoUrl": "javascript:alert(1)"},
        ],
    }
    for code, inputs in expected.items():
        for values in inputs:
            assert refusal(await mark(installation, **{"status": "LATE", **values}))[0] == code, values
    assert await revisions(installation) == 0


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_the_path_leads_to_what_was_wrong(installation: Installation) -> None:
    assert refusal(await mark(installation, status="LATE", photoUrl="data:,"))[1] == ["photoUrl"]
    assert refusal(await mark(installation, status=None))[1] == ["status"]


async def test_nul_and_half_characters_are_told_and_not_stored(installation: Installation) -> None:
    headers = {"Authorization": f"Bearer {installation.marker.token}", "Content-Type": "application/json"}
    target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
    for text in ("\\u0000", "\\ud800"):
        body = json.dumps({"query": MARK, "variables": {"input": {"target": target, "status": "LATE", "note": "NOTE"}}})
        response = await installation.http.post("/graphql", content=body.replace("NOTE", text), headers=headers)
        assert response.status_code == 400
        assert fault(response.json()) == "BAD_REQUEST"
    assert await revisions(installation) == 0


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_note_of_ten_megabytes_is_not_even_read(installation: Installation) -> None:
    async with connected(installation.address) as (reader, writer):
        writer.write(
            b"POST /graphql HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 10000000\r\n\r\n"
        )
        async with asyncio.timeout(WAIT_SECONDS):
            assert (await reader.readline()).split()[1] == b"413"


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_pages_and_cursors_of_another_kind_are_bad_requests(installation: Installation) -> None:
    for variables in ({"first": -1}, {"first": 100_000}, {"after": "nonsense"}, {"after": "WyJ4Il0"}):
        assert (await installation.viewer.fail(BOARD, date=TODAY, **variables))[0] == "BAD_REQUEST"
    document = "query ($scope: StaffScope) { attendanceDay { records(scope: $scope) { totalCount } } }"
    code, message = await installation.viewer.fail(document, scope={"staffIds": ["nonsense"]})
    assert (code, message) == ("BAD_REQUEST", "This id is not valid.")


@pytest.mark.parametrize("date", ["0001-01-01", "9999-12-31"])
async def test_the_first_and_the_last_day_of_the_calendar_are_days(installation: Installation, date: str) -> None:
    day = (await installation.viewer.ask(BOARD, date=date))["attendanceDay"]
    assert (day["date"], day["state"]) == (date, "OPEN")
    payload = await installation.admin.mark(installation.staff["Amina"], date, status="LATE")
    assert payload["errors"][0]["code"] == ("STAFF_INACTIVE" if date < TODAY else "FUTURE_DATE")
    async with installation.socket() as socket, installation.one_more_follower(date):
        await socket.subscribe("1", WATCH, date=date)


@pytest.mark.parametrize("search", ["%", "_", "\\", "'; DROP TABLE staff; --", "%' OR 1=1"])
async def test_search_takes_every_character_as_itself(installation: Installation, search: str) -> None:
    assert (await installation.viewer.ask(BOARD, date=TODAY, search=search))["attendanceDay"]["records"]["edges"] == []


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_bulk_change_names_each_entry_that_is_wrong(installation: Installation) -> None:
    amina = installation.staff["Amina"]
    entries = [{"staffId": amina, "status": "PRESENT"}, {"staffId": amina, "status": "LATE"}]
    answer = await installation.marker.ask(BULK, input={"date": TODAY, "change": {"entries": entries}})
    payload = answer["bulkUpdateAttendance"]
    assert payload["day"] is None
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [
        ("DUPLICATE", ["entries", "1", "staffId"])
    ]
    assert await revisions(installation) == 0
    empty = await installation.marker.ask(BULK, input={"date": TODAY, "change": {"entries": []}})
    assert (empty["bulkUpdateAttendance"]["errors"], await revisions(installation)) == ([], 0)


async def test_an_idempotency_key_does_the_work_once(installation: Installation) -> None:
    request = {"date": TODAY, "change": {"fill": {"status": "PRESENT"}}, "idempotencyKey": "rush-1"}
    first = (await installation.marker.ask(BULK, input=request))["bulkUpdateAttendance"]
    await installation.marker.mark(installation.staff["Amina"], TODAY, status="UNMARKED")
    again = (await installation.marker.ask(BULK, input=request))["bulkUpdateAttendance"]
    assert len(first["attendances"]) == 4
    assert [record["staffName"] for record in again["attendances"]] == ["Björn", "Chloé", "Дмитрий"]
    assert await revisions(installation) == 5
    other = {**request, "change": {"fill": {"status": "ABSENT"}}}
    [error] = (await installation.marker.ask(BULK, input=other))["bulkUpdateAttendance"]["errors"]
    assert (error["code"], error["path"]) == ("INVALID", ["idempotencyKey"])


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_the_log_holds_no_note_and_no_password(
    installation: Installation, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is on fire")

    with caplog.at_level(logging.DEBUG):
        monkeypatch.setattr("memberstaff.attendance.commands.update_each", broken)
        answer = await mark(installation, status="LATE", note="secret-note")
        login = "mutation L($i: LoginInput!) { login(input: $i) { errors { code } } }"
        await installation.nobody.ask(login, i={"email": "x@y.example", "password": "secret-password"})
    assert fault(answer) == "INTERNAL"
    reference = answer["errors"][0]["message"].rpartition(" ")[2].rstrip(".")
    logged = "\n".join(
        f"{record.name} {record.getMessage()} {record.__dict__} {record.exc_text or ''}"
        for record in caplog.records
        if not record.name.startswith("aiosqlite")  # kept at WARNING by log_config, as another test shows
    )
    assert reference in logged
    assert "the disk is on fire" in logged
    assert "secret-note" not in logged
    assert "secret-password" not in logged


TYPED = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["LATE", "ABSENT", "", "late"]) | st.none() | st.integers(),
        "note": st.none() | st.text(max_size=30) | st.integers() | st.lists(st.text(), max_size=2),
        "photoUrl": st.none() | st.text(max_size=30) | st.booleans(),
        "expectedVersion": st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "clientMutationId": st.none() | st.text(max_size=10),
        "target": st.none() | st.dictionaries(st.sampled_from(["id", "staffDate"]), st.text(max_size=20)),
    },
)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_whatever_is_sent_gets_a_well_formed_answer(installation: Installation) -> None:
    seen: list[dict[str, Any]] = []

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(TYPED)
    def collect(values: dict[str, Any]) -> None:
        seen.append(values)

    collect()
    for values in seen:
        answer = await mark(installation, **values)
        if "errors" in answer:
            assert fault(answer) == "BAD_REQUEST", (values, answer)
        else:
            payload = answer["data"]["updateAttendance"]
            assert (payload["attendance"] is None) == bool(payload["errors"])
