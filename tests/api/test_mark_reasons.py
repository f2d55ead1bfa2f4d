"""Reasons of marks, as administrators keep them, markers choose them, and everybody is shown them."""

from __future__ import annotations

from typing import Any

import pytest

from memberstaff.access import Role
from tests.clock import TODAY
from tests.front_ends import Client
from tests.installation import Installation

CREATE = """mutation ($input: CreateReasonInput!) { createReason(input: $input) {
  reason { id name isForViewers isRetired } errors { code path } } }"""
UPDATE = """mutation ($input: UpdateReasonInput!) { updateReason(input: $input) {
  reason { id name isForViewers isRetired } errors { code message path } } }"""
LIST = "query ($all: Boolean!) { reasons(includeRetired: $all) { name } }"
MARK = """mutation ($input: UpdateAttendanceInput!) { updateAttendance(input: $input) {
  attendance { reason { id name } } errors { code path } } }"""
BULK = """mutation ($input: BulkUpdateAttendanceInput!) { bulkUpdateAttendance(input: $input) {
  attendances { reason { name } } errors { code path } } }"""
WATCH = """subscription ($date: Date!) { attendanceUpdated(date: $date) { reason { name } } }"""
BOARD = """query ($date: Date!, $of: AttendanceTarget!) {
  attendanceDay(date: $date) { records(first: 1) { edges { node { reason { name isRetired } } } } }
  attendance(target: $of) { reason { name isRetired } history { edges { node { reason { name } } } } } }"""
REPORT = """query ($date: Date!) { attendanceReport(from: $date, to: $date) {
  reasons { reason { name } status count } } }"""
NODE = "query ($id: ID!) { node(id: $id) { ... on Reason { name } } }"


async def create(installation: Installation, name: str, **values: Any) -> Any:
    payload = (await installation.admin.ask(CREATE, input={"name": name, **values}))["createReason"]
    assert payload["errors"] == []
    return payload["reason"]


async def update(installation: Installation, **values: Any) -> Any:
    return (await installation.admin.ask(UPDATE, input=values))["updateReason"]


async def mark(client: Client, staff_id: str, **values: Any) -> Any:
    target = {"staffDate": {"staffId": staff_id, "date": TODAY}}
    return (await client.ask(MARK, input={"target": target, **values}))["updateAttendance"]


async def names(client: Client, *, all: bool = False) -> list[str]:
    return [each["name"] for each in (await client.ask(LIST, all=all))["reasons"]]


async def test_a_reason_is_created_renamed_retired_and_brought_back(installation: Installation) -> None:
    train = await create(installation, "Train")
    assert train == {"id": train["id"], "name": "Train", "isForViewers": False, "isRetired": False}
    await create(installation, "Bus", isForViewers=True)
    assert await names(installation.marker) == ["Bus", "Train"]
    assert await names(installation.viewer) == ["Bus"]
    renamed = await update(installation, id=train["id"], name="A train")
    assert renamed == {"reason": {**train, "name": "A train"}, "errors": []}
    await update(installation, id=train["id"], isRetired=True)
    assert (await names(installation.marker), await names(installation.marker, all=True)) == (
        ["Bus"],
        ["A train", "Bus"],
    )
    await update(installation, id=train["id"], isRetired=False)
    assert await names(installation.marker) == ["A train", "Bus"]
    assert (await installation.marker.ask(NODE, id=train["id"]))["node"] == {"name": "A train"}
    assert (await installation.viewer.ask(NODE, id=train["id"]))["node"] is None


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_cannot_be_is_refused_by_a_code(installation: Installation) -> None:
    train = await create(installation, "Train")
    amina = installation.staff["Amina"]
    payload = (await installation.admin.ask(CREATE, input={"name": "train"}))["createReason"]
    assert payload == {"reason": None, "errors": [{"code": "DUPLICATE", "path": ["name"]}]}
    for values, code, message in (
        ({"id": train["id"], "name": None}, "INVALID", "name cannot be null. Leave it out to keep it as it is."),
        ({"id": amina, "name": "Bus"}, "NOT_FOUND", "This is the id of a Staff, not of a Reason."),
    ):
        payload = await update(installation, **values)
        assert [(each["code"], each["message"]) for each in payload["errors"]] == [(code, message)]
    for id_ in ("nonsense", amina, "UmVhc29uOjk5"):
        refused = await mark(installation.marker, amina, status="LATE", reasonId=id_)
        assert refused == {"attendance": None, "errors": [{"code": "NOT_FOUND", "path": ["reasonId"]}]}
    entries = [{"staffId": amina, "status": "LATE", "reasonId": "nonsense"}]
    bulk = {"date": TODAY, "change": {"entries": entries}}
    payload = (await installation.marker.ask(BULK, input=bulk))["bulkUpdateAttendance"]
    assert payload["errors"] == [{"code": "NOT_FOUND", "path": ["entries", "0", "reasonId"]}]


async def test_a_reason_is_shown_on_boards_events_and_reports_to_whom_it_may_be_shown(
    installation: Installation,
) -> None:
    ill, train = await create(installation, "Ill"), await create(installation, "Train", isForViewers=True)
    amina = installation.staff["Amina"]
    async with installation.socket(Role.VIEWER) as wall, installation.socket(Role.MARKER) as desk:
        for socket in (wall, desk):
            async with installation.one_more_follower(TODAY):
                await socket.subscribe("1", WATCH, date=TODAY)
        for reason, seen in ((ill, None), (train, {"name": "Train"})):
            marked = await mark(installation.marker, amina, status="ABSENT", reasonId=reason["id"])
            shown = {"id": reason["id"], "name": reason["name"]}
            assert marked == {"attendance": {"reason": shown}, "errors": []}
            assert await wall.change() == {"reason": seen}
            assert await desk.change() == {"reason": {"name": reason["name"]}}

    async def board(client: Client) -> tuple[Any, list[Any]]:
        found = await client.ask(BOARD, date=TODAY, of={"staffDate": {"staffId": amina, "date": TODAY}})
        [edge] = found["attendanceDay"]["records"]["edges"]
        assert edge["node"]["reason"] == found["attendance"]["reason"]
        return edge["node"]["reason"], [each["node"]["reason"] for each in found["attendance"]["history"]["edges"]]

    for name, visible in (("Train", True), ("Trains", True), ("Trains", False)):
        await update(installation, id=train["id"], name=name, isForViewers=visible)
        now = {"name": name, "isRetired": False}
        assert await board(installation.marker) == (now, [{"name": name}, {"name": "Ill"}])
        assert await board(installation.viewer) == ((now, [{"name": name}, None]) if visible else (None, [None, None]))
        counted = [{"reason": {"name": name}, "status": "ABSENT", "count": 1}]
        for client, expected in ((installation.marker, counted), (installation.viewer, counted if visible else [])):
            assert (await client.ask(REPORT, date=TODAY))["attendanceReport"]["reasons"] == expected


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_the_audit_tells_who_changed_a_reason(installation: Installation) -> None:
    train = await create(installation, "Train")
    found = await installation.admin.ask("{ audit(subject: REASON) { edges { node { action subject subjectId } } } }")
    assert [edge["node"] for edge in found["audit"]["edges"]] == [
        {"action": "created", "subject": "REASON", "subjectId": train["id"]}
    ]
