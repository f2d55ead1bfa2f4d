"""Which account has changed something: administrators are told, in answers and in events; others see a name."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import update

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.accounts import directory
from memberstaff.db.tables import attendance, attendance_revision
from schema.ids import global_id
from tests.api.bad import BULK
from tests.clock import TODAY
from tests.installation import PASSWORD, Installation, email
from tests.statements import statements

WHO = "updatedBy updatedByAccount { id displayName role email }"
EVERYWHERE = f"""query Everywhere($id: ID!, $staff: ID!, $revision: ID!) {{
  attendance(target: {{id: $id}}) {{ {WHO} }}
  node(id: $id) {{ ... on Attendance {{ {WHO} }} }}
  attendanceDay {{ records(first: 1) {{ edges {{ node {{ {WHO} }} }} }} }}
  found: attendanceDay {{ records(first: 1, search: "amina") {{ edges {{ node {{ {WHO} }} }} }} }}
  person: node(id: $staff) {{ ... on Staff {{ attendance(from: "{TODAY}", to: "{TODAY}") {{ {WHO} }} }} }}
  changed: node(id: $revision) {{ ...change }}
  history: attendance(target: {{id: $id}}) {{ history {{ edges {{ node {{ ...change }} }} }} }}
}}
fragment change on AttendanceRevision {{
  updatedBy: changedBy updatedByAccount: changedByAccount {{ id displayName role email }} }}"""
WATCH = f"subscription WatchWho($date: Date) {{ attendanceUpdated(date: $date) {{ staffName {WHO} }} }}"


def values(data: Any, name: str) -> list[Any]:
    """All values of fields with this name."""
    if isinstance(data, list):
        return [value for item in data for value in values(item, name)]
    if not isinstance(data, dict):
        return []
    own = [data[name]] if name in data else []
    return own + [value for item in data.values() for value in values(item, name)]


async def account_of(installation: Installation, role: Role) -> dict[str, Any]:
    async with installation.application.database.read() as reading:
        reading.caller = COMMAND_LINE
        found = await directory.find(reading, email(role))
    return {"id": global_id("Account", found.id), "displayName": role.title(), "role": role.value, "email": email(role)}


async def test_administrators_see_the_account_wherever_others_see_a_name(installation: Installation) -> None:
    amina = installation.staff["Amina"]
    marked = (await installation.marker.mark(amina, TODAY, status="LATE"))["attendance"]
    revision = global_id("AttendanceRevision", 1, TODAY, 1)
    variables = {"id": marked["id"], "staff": amina, "revision": revision}
    marker = await account_of(installation, Role.MARKER)
    for client, account in ((installation.admin, marker), (installation.marker, None), (installation.viewer, None)):
        answer = await client.ask(EVERYWHERE, **variables)
        assert values(answer, "updatedBy") == ["Marker"] * 7
        assert values(answer, "updatedByAccount") == [account] * 7


async def test_a_payload_and_a_conflict_name_the_account(installation: Installation) -> None:
    document = f"""mutation ($input: UpdateAttendanceInput!) {{ updateAttendance(input: $input) {{
      attendance {{ {WHO} }} errors {{ ... on VersionConflictError {{ current {{ {WHO} }} }} }} }} }}"""
    target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
    admin = await account_of(installation, Role.ADMIN)
    for version, status in ((0, "LATE"), (0, "ABSENT")):
        given = {"target": target, "status": status, "expectedVersion": version}
        payload = (await installation.admin.ask(document, input=given))["updateAttendance"]
        assert values(payload, "updatedByAccount") == [admin]


async def test_nobody_is_the_account_of_an_import_and_of_what_is_not_marked(installation: Installation) -> None:
    await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
    async with installation.application.database.write() as work:
        work.caller = COMMAND_LINE
        await work.write(update(attendance).values(updated_by=None))
        await work.write(update(attendance_revision).values(changed_by=None))
    board = f"{{ attendanceDay {{ records(first: 2) {{ edges {{ node {{ id {WHO} }} }} }} }} }}"
    answer = await installation.admin.ask(board)
    assert values(answer, "updatedBy") == values(answer, "updatedByAccount") == [None, None]
    history = """query ($id: ID!) { attendance(target: {id: $id}) { history { edges { node {
      changedBy changedByAccount { id } } } } } }"""
    found = await installation.admin.ask(history, id=values(answer, "id")[0])
    assert (values(found, "changedBy"), values(found, "changedByAccount")) == ([None], [None])


async def test_an_event_names_the_account_to_administrators_and_is_still_rendered_once(
    installation: Installation, event_executions: Counter[str]
) -> None:
    roles = (Role.ADMIN, Role.ADMIN, Role.MARKER, Role.MARKER)
    marker = await account_of(installation, Role.MARKER)
    sockets = []
    try:
        for role in roles:
            opened = installation.socket(role)
            sockets.append((opened, await opened.__aenter__()))
            async with installation.one_more_follower(TODAY):
                await sockets[-1][1].subscribe("1", WATCH, date=TODAY)
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
        seen = [await socket.change() for _, socket in sockets]
    finally:
        for opened, _ in reversed(sockets):
            await opened.__aexit__(None, None, None)
    assert [event["updatedByAccount"] for event in seen] == [marker, marker, None, None]
    assert {event["updatedBy"] for event in seen} == {"Marker"}
    assert event_executions == {"WatchWho": 2}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_burst_of_events_reads_its_account_once_and_only_for_administrators(
    installation: Installation,
) -> None:
    read: dict[Role, int] = {}
    for role, status in ((Role.ADMIN, "LATE"), (Role.MARKER, "ABSENT")):
        async with installation.socket(role) as socket:
            async with installation.one_more_follower(TODAY):
                await socket.subscribe("1", WATCH, date=TODAY)
            with statements(installation.application.database) as sent:
                given = {"date": TODAY, "change": {"fill": {"status": status, "onlyUnmarked": False}}}
                await installation.marker.ask(BULK, input=given)
                events = [await socket.change() for _ in installation.staff]
        assert [event["staffName"] for event in events] == list(installation.staff)
        read[role] = sum("account.created_at" in statement for statement in sent)
    assert read == {Role.ADMIN: 1, Role.MARKER: 0}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_viewer_and_their_account_are_the_same_person_from_the_login_on(installation: Installation) -> None:
    login = """mutation ($input: LoginInput!) { login(input: $input) { viewer { accountId } } }"""
    for role in Role:
        account = await account_of(installation, role)
        given = {"email": email(role), "password": PASSWORD}
        answer = await installation.nobody.ask(login, input=given)
        assert answer == {"login": {"viewer": {"accountId": account["id"]}}}
    own = (await installation.admin.ask("{ viewer { accountId } }"))["viewer"]["accountId"]
    found = await installation.admin.ask(
        "query ($id: ID!) { node(id: $id) { ... on Account { displayName } } }", id=own
    )
    assert found == {"node": {"displayName": "Admin"}}
