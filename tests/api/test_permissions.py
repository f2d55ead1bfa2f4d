"""Who may do what, for every field at the root of the schema; a new field must be added here."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.accounts import directory
from memberstaff.db.tables import account, attendance_day, attendance_revision, reason, staff
from memberstaff.engine.limits import Limits
from schema.ids import global_id, staff_key
from schema.root import make_schema
from tests.clock import TODAY, TurnedClock
from tests.databases import Engine
from tests.front_ends import BOARD, WATCH, Client
from tests.installation import Installation, email

YESTERDAY = "2026-01-09"

VIEWERS_ACCOUNT = global_id("Account", 1)
SOME_REASON = global_id("Reason", 1)

OK, LOGIN, NO = "ok", "UNAUTHENTICATED", "FORBIDDEN"

# field: document, then the outcome for nobody, VIEWER, MARKER and ADMIN. $staff is Amina's id.
FIELDS: dict[str, tuple[str, str, str, str, str]] = {
    "viewer": ("{ viewer { id } }", OK, OK, OK, OK),
    "node": ("query ($staff: ID!) { node(id: $staff) { id } }", LOGIN, OK, OK, OK),
    "attendanceDay": ("{ attendanceDay { id summary { total } } }", LOGIN, OK, OK, OK),
    "attendance": (
        'query ($staff: ID!) { attendance(target: {staffDate: {staffId: $staff, date: "2026-01-12"}}) { id } }',
        LOGIN,
        OK,
        OK,
        OK,
    ),
    "staff": ("{ staff { totalCount } }", LOGIN, OK, OK, OK),
    "attendanceReport": (
        '{ attendanceReport(from: "2026-01-09", to: "2026-01-12") { categories { category } } }',
        LOGIN,
        OK,
        OK,
        OK,
    ),
    "audit": ("{ audit { edges { node { action } } } }", LOGIN, NO, NO, OK),
    "accounts": ("{ accounts { totalCount } }", LOGIN, NO, NO, OK),
    "login": (
        'mutation { login(input: {email: "x@y.example", password: "wrong"}) { errors { code } } }',
        OK,
        OK,
        OK,
        OK,
    ),
    "refreshSession": ('mutation { refreshSession(input: {refreshToken: "x"}) { errors { code } } }', OK, OK, OK, OK),
    "logout": ("mutation { logout { errors { code } } }", LOGIN, OK, OK, OK),
    "updateAttendance": (
        """mutation ($staff: ID!) { updateAttendance(input: {
          target: {staffDate: {staffId: $staff, date: "2026-01-12"}}, status: LATE}) { errors { code } } }""",
        LOGIN,
        NO,
        OK,
        OK,
    ),
    "bulkUpdateAttendance": (
        """mutation { bulkUpdateAttendance(input: {
          date: "2026-01-12", change: {fill: {status: PRESENT}}}) { errors { code } } }""",
        LOGIN,
        NO,
        OK,
        OK,
    ),
    "updateAttendanceDay": (
        'mutation { updateAttendanceDay(input: {date: "2026-01-12", label: "Sports day"}) { errors { code } } }',
        LOGIN,
        NO,
        NO,
        OK,
    ),
    "openAttendanceDay": (
        'mutation { openAttendanceDay(input: {date: "2026-01-12", label: "Sports day"}) { errors { code } } }',
        LOGIN,
        NO,
        NO,
        OK,
    ),
    "setAttendanceDayState": (
        'mutation { setAttendanceDayState(input: {date: "2026-01-09", state: LOCKED}) { errors { code } } }',
        LOGIN,
        NO,
        NO,
        OK,
    ),
    "createStaff": ('mutation { createStaff(input: {name: "Eve"}) { errors { code } } }', LOGIN, NO, NO, OK),
    "updateStaff": (
        'mutation ($staff: ID!) { updateStaff(input: {id: $staff, name: "A"}) { errors { code } } }',
        LOGIN,
        NO,
        NO,
        OK,
    ),
    "importStaff": ('mutation { importStaff(input: {rows: [{name: "Eve"}]}) { errors { code } } }', LOGIN, NO, NO, OK),
    "reasons": ("{ reasons { name } }", LOGIN, OK, OK, OK),
    "createReason": ('mutation { createReason(input: {name: "Train"}) { errors { code } } }', LOGIN, NO, NO, OK),
    "updateReason": (
        f'mutation {{ updateReason(input: {{id: "{SOME_REASON}", name: "Bus"}}) {{ errors {{ code }} }} }}',
        LOGIN,
        NO,
        NO,
        OK,
    ),
    "createAccount": (
        """mutation { createAccount(input: {email: "eve@school.example", role: VIEWER, password: "short"}) {
          errors { code } } }""",
        LOGIN,
        NO,
        NO,
        OK,
    ),
    "updateAccount": (
        f'mutation {{ updateAccount(input: {{id: "{VIEWERS_ACCOUNT}", role: VIEWER}}) {{ errors {{ code }} }} }}',
        LOGIN,
        NO,
        NO,
        OK,
    ),
    "changePassword": (
        'mutation { changePassword(input: {currentPassword: "wrong", newPassword: "short"}) { errors { code } } }',
        LOGIN,
        OK,
        OK,
        OK,
    ),
    "attendanceUpdated": (WATCH, LOGIN, OK, OK, OK),
    "attendanceDayUpdated": (
        'subscription { attendanceDayUpdated(date: "2026-01-12") { state } }',
        LOGIN,
        OK,
        OK,
        OK,
    ),
}
MARKERS = "Requires MARKER for today and the `correctionDays` before it, and ADMIN for other days."
SUBSCRIPTIONS = {"attendanceUpdated", "attendanceDayUpdated"}


@pytest.fixture
def engine() -> Engine:
    """Rights are looked up in the code."""
    return "sqlite"


def test_the_table_has_every_field_of_the_schema() -> None:
    types = make_schema(Limits()).core.type_map
    fields = [name for root in ("Query", "Mutation", "Subscription") for name in types[root].fields]  # type: ignore[attr-defined]
    assert set(fields) == set(FIELDS)


def test_the_schema_says_who_may_use_a_field() -> None:
    types = make_schema(Limits()).core.type_map
    said = {"Requires ADMIN.": (NO, NO, OK), MARKERS: (NO, OK, OK)}
    for root in ("Query", "Mutation", "Subscription"):
        for name, field in types[root].fields.items():  # type: ignore[attr-defined]
            rights = [allowed for words, allowed in said.items() if words in field.description]
            assert FIELDS[name][2:] == (rights[0] if rights else (OK, OK, OK)), name


async def outcome(client: Client, name: str, staff: str) -> str:
    answer = await client.send(FIELDS[name][0], staff=staff)
    if "errors" in answer:
        return str(answer["errors"][0]["extensions"]["code"])
    return OK


async def test_every_field_lets_in_exactly_whom_it_should(installation: Installation) -> None:
    found: dict[str, tuple[str, ...]] = {}
    for name in FIELDS:
        if name in SUBSCRIPTIONS or name == "logout":
            continue
        clients = (installation.nobody, installation.viewer, installation.marker, installation.admin)
        found[name] = tuple([await outcome(client, name, installation.staff["Amina"]) for client in clients])
    expected = {name: row[1:] for name, row in FIELDS.items() if name in found}
    assert found == expected


@pytest.mark.parametrize("name", sorted(SUBSCRIPTIONS))
async def test_subscriptions_let_in_exactly_whom_they_should(installation: Installation, name: str) -> None:
    document = FIELDS[name][0]
    for role in Role:
        async with installation.socket(role) as socket, installation.one_more_follower(TODAY):
            await socket.subscribe("1", document, date=TODAY)
    body = {"query": document, "variables": {"date": TODAY}}
    response = await installation.http.post("/graphql", json=body, headers={"Accept": "text/event-stream"})
    assert "UNAUTHENTICATED" in response.text
    assert "event: complete" in response.text


async def test_logging_out_needs_a_login_and_ends_it(installation: Installation) -> None:
    document = FIELDS["logout"][0]
    assert (await installation.nobody.fail(document))[0] == LOGIN
    await installation.viewer.ask(document)
    code, message = await installation.viewer.fail("{ attendanceDay { id } }")
    assert (code, message) == (LOGIN, "The session has been ended. Log in again.")
    await installation.marker.ask("{ attendanceDay { id } }")


WATCH_ALL = """subscription ($date: Date!) {
  attendanceUpdated(date: $date) { note photoUrl staffPhotoUrl arrivedAt leftAt isOnSite } }"""
CAME, LEFT = "2026-01-12T08:00:00.000Z", "2026-01-12T09:00:00.000Z"


async def test_a_viewer_sees_no_note_no_photo_of_a_mark_and_no_time_anywhere(installation: Installation) -> None:
    amina = installation.staff["Amina"]
    own, taken = "https://photos.example/amina.jpg", "https://photos.example/bed.jpg"
    await installation.admin.ask(
        "mutation ($input: UpdateStaffInput!) { updateStaff(input: $input) { errors { code } } }",
        input={"id": amina, "photoUrl": own},
    )
    async with installation.socket(Role.VIEWER) as wall, installation.socket(Role.MARKER) as desk:
        for socket in (wall, desk):
            async with installation.one_more_follower(TODAY):
                await socket.subscribe("1", WATCH_ALL, date=TODAY)
        marked = await installation.marker.mark(
            amina, TODAY, status="LATE", note="Hospital", photoUrl=taken, leftAt=LEFT
        )
        shown = {"staffPhotoUrl": own, "isOnSite": False}
        assert await wall.change() == {"note": None, "photoUrl": None, "arrivedAt": None, "leftAt": None, **shown}
        assert await desk.change() == {
            "note": "Hospital",
            "photoUrl": taken,
            "arrivedAt": CAME,
            "leftAt": LEFT,
            **shown,
        }
    document = """query ($id: ID!, $staff: ID!, $revision: ID!) {
      node(id: $id) { ...seen }
      revision: node(id: $revision) { ... on AttendanceRevision { note photoUrl arrivedAt leftAt } }
      attendance(target: {id: $id}) { ...seen }
      attendanceDay { records(search: "hospital") { totalCount } }
      board: attendanceDay { records(first: 1) { edges { node { ...seen } } } }
      found: attendanceDay { records(first: 1, search: "amina") { edges { node { ...seen } } } }
      person: node(id: $staff) { ... on Staff { attendance(from: "2026-01-12", to: "2026-01-12") { ...seen } } }
    }
    fragment seen on Attendance {
      note photoUrl staffPhotoUrl arrivedAt leftAt isOnSite
      history(first: 1) { edges { node { note photoUrl arrivedAt leftAt } } }
    }"""
    revision = global_id("AttendanceRevision", staff_key(amina), TODAY, 1)
    variables = {"id": marked["attendance"]["id"], "staff": amina, "revision": revision}
    viewed = await installation.viewer.ask(document, **variables)
    marker = await installation.marker.ask(document, **variables)
    hidden = {"note": "Hospital", "photoUrl": taken, "arrivedAt": CAME, "leftAt": LEFT}
    for name, value in hidden.items():
        assert (values(viewed, name), values(marker, name)) == ([None] * 11, [value] * 11)
    assert values(viewed, "isOnSite") == values(marker, "isOnSite") == [False] * 5
    assert values(viewed, "staffPhotoUrl") == values(marker, "staffPhotoUrl") == [own] * 5
    assert viewed["attendanceDay"]["records"]["totalCount"] == 0
    first = (await records(installation.viewer))["edges"][0]["node"]
    assert (first["staffName"], first["note"]) == ("Amina", None)


async def records(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = (await client.ask(BOARD, date=TODAY))["attendanceDay"]["records"]
    return found


def values(data: Any, name: str) -> list[str | bool | None]:
    """All values of fields with this name, wherever they are."""
    if isinstance(data, list):
        return [value for item in data for value in values(item, name)]
    if not isinstance(data, dict):
        return []
    own = [data[name]] if name in data else []
    return own + [value for item in data.values() for value in values(item, name)]


async def test_a_marker_may_not_touch_another_day(installation: Installation) -> None:
    document = """mutation ($input: UpdateAttendanceInput!) {
      updateAttendance(input: $input) { errors { code } } }"""
    target = {"staffDate": {"staffId": installation.staff["Amina"], "date": YESTERDAY}}
    code, message = await installation.marker.fail(document, input={"target": target, "status": "LATE"})
    assert (code, message) == (NO, "A MARKER may not mark attendance for days ahead, or that are long over.")
    assert (await installation.admin.mark(installation.staff["Amina"], YESTERDAY, status="LATE"))["errors"] == []


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("garbage", "The access token is not valid. Log in again."),
        ("a.b.c", "The access token is not valid. Log in again."),
    ],
)
async def test_a_token_that_is_none_lets_nobody_in(installation: Installation, token: str, message: str) -> None:
    client = Client(installation.http, token)
    assert await client.fail("{ attendanceDay { id } }") == (LOGIN, message)
    assert (await client.fail("{ viewer { id } }"))[0] == LOGIN


async def test_a_disabled_account_is_out_at_once(installation: Installation) -> None:
    async with installation.application.database.write() as work:
        work.caller = COMMAND_LINE
        marker = await directory.find(work, email(Role.MARKER))
        await directory.disable(work, marker.id)
    assert (await installation.marker.fail("{ attendanceDay { id } }"))[0] == LOGIN


async def test_only_administrators_introspect(installation: Installation) -> None:
    document = "{ __schema { queryType { name } } }"
    assert (await installation.nobody.fail(document))[0] == LOGIN
    assert (await installation.marker.fail(document))[0] == NO
    assert await installation.admin.ask(document) == {"__schema": {"queryType": {"name": "Query"}}}


async def test_a_token_that_has_expired_says_so_to_person_and_program(
    installation: Installation, clock: TurnedClock
) -> None:
    clock.turn(seconds=installation.application.settings.access_token_seconds - 1)
    await installation.marker.ask("{ attendanceDay { id } }")
    clock.turn(seconds=1)
    [error] = (await installation.marker.send("{ attendanceDay { id } }"))["errors"]
    assert error["extensions"] == {"code": LOGIN, "reason": "TOKEN_EXPIRED"}
    assert error["message"] == "The access token has expired. Refresh the session, or log in again."


async def test_whoever_is_refused_changes_nothing(installation: Installation) -> None:
    writes = [name for name, row in FIELDS.items() if NO in row and "mutation" in row[0]]
    assert len(writes) == 12
    for name in writes:
        for client in (installation.nobody, installation.viewer):
            assert await outcome(client, name, installation.staff["Amina"]) in {LOGIN, NO}
    async with installation.application.database.read() as reading:
        for table in (attendance_day, attendance_revision, reason):
            assert await reading.scalar(select(func.count()).select_from(table)) == 0
        assert await reading.scalar(select(func.count()).select_from(staff)) == len(installation.staff)
        assert await reading.scalar(select(func.count()).select_from(account)) == len(Role)


async def test_nobody_learns_whether_an_id_exists(installation: Installation) -> None:
    document = "query ($target: AttendanceTarget!) { attendance(target: $target) { id } }"
    change = "mutation ($input: UpdateAttendanceInput!) { updateAttendance(input: $input) { errors { code } } }"
    for id_ in ("nonsense", installation.staff["Amina"], global_id("Attendance", 1, TODAY)):
        assert (await installation.nobody.fail(document, target={"id": id_}))[0] == LOGIN
        assert (await installation.nobody.fail(change, input={"target": {"id": id_}}))[0] == LOGIN
        assert (await outcome(installation.nobody, "node", id_)) == LOGIN
