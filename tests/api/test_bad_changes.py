"""Changes that cannot be made: each says what is wrong and where, and leaves nothing behind."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from sqlalchemy import func, select

from memberstaff.db.tables import attendance_day, audit, idempotency
from schema.ids import global_id
from tests.api.bad import BULK, INSIDES, revisions
from tests.clock import TODAY
from tests.front_ends import MARK, Client
from tests.installation import Installation

NOBODY = "There is no such person."
STAFF_ID = ["target", "staffDate", "staffId"]

UPDATE = """mutation ($input: UpdateStaffInput!) {
  updateStaff(input: $input) { staff { version } errors { code path message } }
}"""
CREATE = """mutation ($input: CreateStaffInput!) {
  createStaff(input: $input) { staff { version } errors { code path message } }
}"""
DAY = """mutation ($input: SetAttendanceDayStateInput!) {
  setAttendanceDayState(input: $input) { day { state } errors { code path message } }
}"""

Told = tuple[str, list[str], str]


async def refusals(client: Client, document: str, **input: Any) -> list[Told]:
    """Code, path and message of each error in the payload."""
    data = await client.ask(document, input=input)
    assert not INSIDES.search(json.dumps(data)), data
    [payload] = data.values()
    return [(error["code"], error["path"], error["message"]) for error in payload["errors"]]


async def rows(installation: Installation, table: Any) -> int:
    async with installation.application.database.read() as reading:
        return int(await reading.scalar(select(func.count()).select_from(table)))


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_mark_says_where_in_the_input_it_is_wrong(installation: Installation) -> None:
    amina, record = installation.staff["Amina"], global_id("Attendance", 1, TODAY)
    another = "This is the id of an Attendance, not of a Staff."
    wrong: list[tuple[dict[str, Any], Told]] = [
        (
            {"target": {"id": amina}},
            ("NOT_FOUND", ["target", "id"], "This is the id of a Staff, not of an Attendance."),
        ),
        ({"target": {"id": "x"}}, ("NOT_FOUND", ["target", "id"], "This id is not valid.")),
        ({"target": {"staffDate": {"staffId": record, "date": TODAY}}}, ("NOT_FOUND", STAFF_ID, another)),
        (
            {"target": {"staffDate": {"staffId": global_id("Staff", 10**18 - 1), "date": TODAY}}},
            ("NOT_FOUND", ["target"], NOBODY),
        ),
        ({"status": None}, ("INVALID", ["status"], "A status cannot be cleared; use UNMARKED to take a mark back.")),
        ({"note": "x" * 2_001}, ("INVALID", ["note"], "The note is longer than 2,000 characters.")),
        (
            {"photoUrl": "//evil.example/x.png"},
            ("INVALID", ["photoUrl"], "A photo URL must start with https://, http:// or a single slash."),
        ),
    ]
    for values, told in wrong:
        target = {"staffDate": {"staffId": amina, "date": TODAY}}
        mark = {"target": target, "status": "LATE", **values}
        assert await refusals(installation.marker, MARK, **mark) == [told], values
    assert (await revisions(installation), await rows(installation, attendance_day)) == (0, 0)


async def test_what_is_refused_is_never_announced(installation: Installation) -> None:
    amina = installation.staff["Amina"]
    async with installation.watching(TODAY) as board:
        for values in ({"status": None}, {"note": "x" * 2_001}, {"expectedVersion": 2}, {"photoUrl": "data:,"}):
            assert (await installation.marker.mark(amina, TODAY, **{"status": "LATE", **values}))["attendance"] is None
        entries = [{"staffId": amina, "status": "LATE"}, {"staffId": "x", "status": "LATE"}]
        assert await refusals(installation.marker, BULK, date=TODAY, change={"entries": entries})
        good = await installation.marker.mark(amina, TODAY, status="PRESENT")
        first = await board.change()
    assert (first["status"], first["version"], first["feedCursor"]) == (
        "PRESENT",
        1,
        good["attendance"]["feedCursor"],
    )


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_each_wrong_entry_of_a_bulk_is_told_in_its_place(installation: Installation) -> None:
    amina, björn, chloé, _ = installation.staff.values()
    entries = [
        {"staffId": amina, "status": "PRESENT"},
        {"staffId": "nonsense", "status": "PRESENT"},
        {"staffId": global_id("Attendance", 2, TODAY), "status": "PRESENT"},
        {"staffId": global_id("Staff", 999), "status": "PRESENT"},
        {"staffId": björn, "status": "LATE", "note": "x" * 2_001},
        {"staffId": chloé, "status": "LATE", "expectedVersion": 3},
        {"staffId": amina, "status": "LATE"},
    ]
    change = {"entries": entries}
    told = [
        ("NOT_FOUND", ["entries", "1", "staffId"], NOBODY),
        ("NOT_FOUND", ["entries", "2", "staffId"], NOBODY),
        ("NOT_FOUND", ["entries", "3", "staffId"], NOBODY),
        ("INVALID", ["entries", "4", "note"], "The note is longer than 2,000 characters."),
        (
            "VERSION_CONFLICT",
            ["entries", "5", "expectedVersion"],
            "Somebody else has changed this record: it is at version 0, not 3.",
        ),
        ("DUPLICATE", ["entries", "6", "staffId"], "This person is in the request twice."),
    ]
    assert await refusals(installation.marker, BULK, date=TODAY, change=change, idempotencyKey="k") == told
    assert (await revisions(installation), await rows(installation, idempotency)) == (0, 0)
    skipping = {"date": TODAY, "change": change, "errorPolicy": "SKIP_FAILED"}
    assert await refusals(installation.marker, BULK, **skipping) == told
    assert await revisions(installation) == 1


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_bulk_with_nulls_where_there_is_a_default_is_a_bad_request(installation: Installation) -> None:
    entries = {"entries": [{"staffId": installation.staff["Amina"], "status": "LATE"}]}
    fill = {"fill": {"status": "LATE", "onlyUnmarked": None}}
    wrong: list[dict[str, Any]] = [
        {"date": TODAY, "change": entries, "errorPolicy": None},
        {"date": TODAY, "change": fill},
        {"date": None, "change": entries},
        {"date": TODAY, "change": None},
        {"date": TODAY, "change": {"entries": [None]}},
        {"date": TODAY, "change": {"entries": [{"staffId": None, "status": "LATE"}]}},
        {"date": TODAY, "change": entries, "idempotencyKey": {"a": 1}},
    ]
    for bulk in wrong:
        code, message = await installation.marker.fail(BULK, input=bulk)
        assert (code, INSIDES.search(message)) == ("BAD_REQUEST", None), bulk
    for key in ("", "k" * 201):
        [(code, path, _)] = await refusals(installation.marker, BULK, date=TODAY, change=entries, idempotencyKey=key)
        assert (code, path) == ("INVALID", ["idempotencyKey"])
    assert await revisions(installation) == 0


async def test_nulls_that_mean_nothing_change_nothing(installation: Installation) -> None:
    amina = installation.staff["Amina"]
    nulls = {"note": None, "photoUrl": None, "expectedVersion": None, "clientMutationId": None}
    payload = await installation.marker.mark(amina, TODAY, **nulls)
    assert (payload["errors"], payload["attendance"]["version"]) == ([], 0)
    assert await revisions(installation) == 0


async def test_a_person_is_changed_only_into_what_a_person_can_be(installation: Installation) -> None:
    amina = installation.staff["Amina"]
    await installation.admin.ask(UPDATE, input={"id": installation.staff["Björn"], "externalRef": "B-1"})
    audited = await rows(installation, audit)
    wrong: list[tuple[dict[str, Any], tuple[str, list[str]]]] = [
        ({"id": "nonsense"}, ("NOT_FOUND", ["id"])),
        ({"id": global_id("Attendance", 1, TODAY)}, ("NOT_FOUND", ["id"])),
        ({"id": global_id("Staff", 10**18 - 1)}, ("NOT_FOUND", ["id"])),
        ({"name": None}, ("INVALID", ["name"])),
        ({"name": " \t "}, ("INVALID", ["name"])),
        ({"name": "x" * 201}, ("INVALID", ["name"])),
        ({"category": "x" * 201}, ("INVALID", ["category"])),
        ({"startsOn": None}, ("INVALID", ["startsOn"])),
        ({"endsOn": "0001-01-01"}, ("INVALID", ["endsOn"])),
        ({"startsOn": "9999-12-31", "endsOn": "9999-12-30"}, ("INVALID", ["endsOn"])),
        ({"photoUrl": "javascript:alert(1)"}, ("INVALID", ["photoUrl"])),
        ({"externalRef": "B-1"}, ("DUPLICATE", ["externalRef"])),
        ({"name": "Amina B.", "expectedVersion": 9}, ("VERSION_CONFLICT", ["expectedVersion"])),
    ]
    for values, told in wrong:
        [(code, path, _)] = await refusals(installation.admin, UPDATE, **{"id": amina, **values})
        assert (code, path) == told, values
    for values in ({"name": " "}, {"name": "Eve", "externalRef": "B-1"}, {"name": "Eve", "photoUrl": "data:,"}):
        assert len(await refusals(installation.admin, CREATE, **values)) == 1, values
    assert await rows(installation, audit) == audited
    unchanged = await installation.admin.ask(UPDATE, input={"id": amina, "expectedVersion": 2**31 - 1})
    assert unchanged["updateStaff"] == {"staff": {"version": 1}, "errors": []}


async def test_a_day_that_has_not_come_is_not_locked(installation: Installation) -> None:
    for date in ("2026-01-13", "9999-12-31"):
        [(code, path, message)] = await refusals(installation.admin, DAY, date=date, state="LOCKED")
        assert (code, path, message) == ("FUTURE_DATE", ["date"], f"{date} is in the future and cannot be locked.")
    [(code, path, _)] = await refusals(installation.admin, DAY, date=TODAY, state="LOCKED", reason="x" * 501)
    assert (code, path) == ("INVALID", ["reason"])
    assert await rows(installation, attendance_day) == 0


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_was_typed_does_not_stand_in_the_log(
    installation: Installation, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    amina, token = installation.staff["Amina"], installation.marker.token
    assert token
    with caplog.at_level(logging.INFO):
        for values in ({"note": "secret " * 400}, {"note": ["secret"]}, {"note": "secret", "status": "secret"}):
            target = {"staffDate": {"staffId": amina, "date": TODAY}}
            await installation.marker.send(MARK, input={"target": target, "status": "LATE", **values})
        await installation.marker.send("{ secret", secret="secret")
        await Client(installation.http, f"{token}secret").send("{ viewer { id } }")
        login = "mutation ($i: LoginInput!) { login(input: $i) { errors { code } } }"
        await installation.nobody.send(login, i={"email": "secret@school.example", "password": ["secret"]})
        refresh = "mutation ($i: RefreshSessionInput!) { refreshSession(input: $i) { errors { code } } }"
        await installation.nobody.send(refresh, i={"refreshToken": "secret"})
    printed = capfd.readouterr()
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "'path': '/graphql'" in logged
    for text in (logged, printed.out, printed.err):
        assert "secret" not in text
        assert token not in text
