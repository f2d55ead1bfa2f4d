"""Questions that cannot be answered: each is told why in plain words, and none is our fault."""

from __future__ import annotations

import json
from typing import Any

import pytest

from memberstaff.access import COMMAND_LINE
from memberstaff.staff import commands
from memberstaff.staff.commands import Details
from schema.ids import global_id
from schema.relay import page_cursor
from tests.api.bad import BULK, INSIDES, revisions
from tests.clock import TODAY, TurnedClock
from tests.front_ends import BOARD, Client
from tests.installation import Installation, install

NODE = "query ($id: ID!) { node(id: $id) { id } }"
RECORD = "query ($target: AttendanceTarget!) { attendance(target: $target) { version } }"
SCOPED = """query ($scope: StaffScope, $statuses: [AttendanceStatus!], $search: String) {
  attendanceDay { records(scope: $scope, statuses: $statuses, search: $search) { totalCount edges { cursor } } }
}"""
STAFF = """query ($filter: StaffFilter, $first: Int, $after: String) {
  staff(filter: $filter, first: $first, after: $after) { totalCount edges { cursor node { name } } }
}"""
HISTORY = """query ($target: AttendanceTarget!, $first: Int, $after: String) {
  attendance(target: $target) { history(first: $first, after: $after) { edges { cursor node { version } } } }
}"""
SPAN = """query ($from: Date!, $to: Date!) {
  staff { edges { node { attendance(from: $from, to: $to) { date } } } }
}"""

FIRST = "`first` must be between 0 and 100."
FOREIGN = "`after` is not a cursor of this list."
DAYS = "Select 1 to 92 days, with `from` not after `to`."


async def told(client: Client, document: str, **variables: Any) -> tuple[str, str]:
    """Code and message of the first error that a question is answered with."""
    answer = await client.send(document, **variables)
    error, *_ = answer["errors"]
    assert not INSIDES.search(json.dumps(answer).replace("Syntax Error: ", "")), answer
    return error["extensions"]["code"], error["message"]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_pages_that_no_list_has_are_refused_in_plain_words(installation: Installation) -> None:
    amina = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
    await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
    viewer = installation.viewer
    place = (await viewer.ask(STAFF))["staff"]["edges"][0]["cursor"]
    board = (await viewer.ask(BOARD))["attendanceDay"]["records"]["pageInfo"]["endCursor"]
    history = (await viewer.ask(HISTORY, target=amina))["attendance"]["history"]["edges"][0]["cursor"]
    for first in (-1, -(2**31), 101, 2**31 - 1):
        assert await told(viewer, STAFF, first=first) == ("BAD_REQUEST", FIRST)
        assert await told(viewer, HISTORY, target=amina, first=first) == ("BAD_REQUEST", FIRST)
    for after in (board, history, "", "null", page_cursor("a\x00", 1), page_cursor("a", 2**63)):
        assert await told(viewer, STAFF, after=after) == ("BAD_REQUEST", FOREIGN)
    for after in (place, history, page_cursor("a", 1, None)):
        assert await told(viewer, BOARD, after=after) == ("BAD_REQUEST", FOREIGN)
    assert (await told(viewer, STAFF, first=2**31))[0] == "BAD_REQUEST"


async def test_cursors_with_numbers_that_are_nobodys_lead_to_an_empty_page_or_the_whole_list(
    installation: Installation,
) -> None:
    amina = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
    await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
    for version, found in ((2**31, 1), (2**62, 1), (2**63 - 1, 1), (0, 0), (-(2**31) - 1, 0), (-(2**63), 0)):
        answer = await installation.viewer.ask(HISTORY, target=amina, after=page_cursor(version))
        assert len(answer["attendance"]["history"]["edges"]) == found, version
    for number, found in ((2**63 - 1, 3), (-(2**63), 4)):
        answer = await installation.viewer.ask(STAFF, after=page_cursor("amina", number))
        assert len(answer["staff"]["edges"]) == found, number


async def test_ids_of_nobody_and_of_something_else_are_null(installation: Installation) -> None:
    await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
    one = 1
    nobodys = [
        "",
        "nonsense",
        "1",
        str(2**63),
        "A" * 5_000,
        global_id("Staff", 999),
        global_id("Staff", 10**18 - 1),
        global_id("Staff", 2**63),
        global_id("Account", one),
        global_id("Viewer", 999),
        global_id("Attendance", 999, TODAY),
        global_id("Attendance", one, "2026-02-30"),
        global_id("AttendanceDay", "20260112"),
        global_id("AttendanceRevision", one, TODAY, 2),
        global_id("AttendanceRevision", one, TODAY, 0),
        global_id("AttendanceRevision", one, TODAY, 2**31 - 1),
        global_id("AttendanceRevision", one, TODAY, 2**31),
        global_id("AttendanceRevision", one, TODAY, 10**18 - 1),
        global_id("AttendanceRevision", one),
    ]
    for id_ in nobodys:
        assert await installation.viewer.ask(NODE, id=id_) == {"node": None}, id_
    for id_ in ("", "nonsense", installation.staff["Amina"], global_id("Attendance", 10**18 - 1, TODAY)):
        assert await installation.viewer.ask(RECORD, target={"id": id_}) == {"attendance": None}, id_
    assert (await installation.viewer.ask(NODE, id=global_id("AttendanceRevision", 1, TODAY, 1)))["node"] is not None


async def test_a_number_is_taken_as_an_id_and_names_nothing(installation: Installation) -> None:
    for number in (1, 2**31, 2**63, -1):
        assert await installation.viewer.ask(NODE, id=number) == {"node": None}
    assert (await told(installation.viewer, NODE, id=1.5))[0] == "BAD_REQUEST"


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_target_is_one_thing_and_not_two_or_none(installation: Installation) -> None:
    amina = {"staffId": installation.staff["Amina"], "date": TODAY}
    for target in (
        {},
        {"id": None},
        {"staffDate": None},
        {"id": "x", "staffDate": amina},
        {"id": "x", "staffDate": None},
    ):
        assert (await told(installation.viewer, RECORD, target=target))[0] == "BAD_REQUEST", target
    written: list[tuple[str, dict[str, Any]]] = [
        ("query { attendance(target: {}) { id } }", {}),
        ("query { attendance(target: {id: null}) { id } }", {}),
        ("query ($id: ID) { attendance(target: {id: $id}) { id } }", {}),
        ("query ($id: ID) { attendance(target: {id: $id}) { id } }", {"id": None}),
        ("query ($id: ID = null) { attendance(target: {id: $id}) { id } }", {}),
        (
            "query ($id: ID!, $on: StaffDateInput) { attendance(target: {id: $id, staffDate: $on}) { id } }",
            {"id": "x", "on": None},
        ),
    ]
    for document, variables in written:
        assert (await told(installation.viewer, document, **variables))[0] == "BAD_REQUEST", document
    for change in ({}, {"entries": None}, {"fill": None}, {"entries": [], "fill": {"status": "LATE"}}):
        assert (await told(installation.marker, BULK, input={"date": TODAY, "change": change}))[0] == "BAD_REQUEST"
    assert await revisions(installation) == 0


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_nulls_are_as_good_as_nothing_where_nothing_is_needed(installation: Installation) -> None:
    nothing = await installation.viewer.ask(BOARD)
    nulls = await installation.viewer.ask(BOARD, date=None, first=None, after=None, search=None, statuses=None)
    assert nulls == nothing
    scope = {"staffIds": None, "categories": None}
    assert (await installation.viewer.ask(SCOPED, scope=scope))["attendanceDay"]["records"]["totalCount"] == 4
    staff = {"categories": None, "search": None, "on": None}
    assert (await installation.viewer.ask(STAFF, filter=staff, first=None, after=None))["staff"]["totalCount"] == 4


async def test_an_empty_list_is_nobody(installation: Installation) -> None:
    empty: list[dict[str, Any]] = [{"scope": {"staffIds": []}}, {"scope": {"categories": []}}, {"statuses": []}]
    for variables in empty:
        answer = await installation.viewer.ask(SCOPED, **variables)
        assert answer["attendanceDay"]["records"] == {"totalCount": 0, "edges": []}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_list_says_which_of_its_ids_is_no_persons(installation: Installation) -> None:
    amina = installation.staff["Amina"]
    record = global_id("Attendance", 1, TODAY)
    message = "This is the id of an Attendance, not of a Staff."
    assert await told(installation.viewer, SCOPED, scope={"staffIds": [amina, record]}) == ("BAD_REQUEST", message)
    unknown = {"staffIds": [amina, global_id("Staff", 10**18 - 1)]}
    assert (await installation.viewer.ask(SCOPED, scope=unknown))["attendanceDay"]["records"]["totalCount"] == 1


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_lists_too_long_for_any_page_are_refused(furnished_url: str, clock: TurnedClock) -> None:
    async with install(furnished_url, clock=clock, max_body_bytes=10_000_000) as installation:  # more than by default
        await lists_too_long(installation)


async def lists_too_long(installation: Installation) -> None:
    many = [global_id("Staff", number) for number in range(40_000)]
    message = "A request may have at most 1,000 people."
    assert await told(installation.viewer, SCOPED, scope={"staffIds": many}) == ("BAD_REQUEST", message)
    categories = [str(number) for number in range(40_000)]
    message = "A request may have at most 1,000 categories."
    assert await told(installation.viewer, SCOPED, scope={"categories": categories}) == ("BAD_REQUEST", message)
    assert await told(installation.viewer, STAFF, filter={"categories": categories}) == ("BAD_REQUEST", message)
    fill = {"fill": {"status": "LATE", "scope": {"staffIds": many}}}
    [error] = (await installation.marker.ask(BULK, input={"date": TODAY, "change": fill}))["bulkUpdateAttendance"][
        "errors"
    ]
    assert error["code"] == "LIMIT_EXCEEDED"
    assert await revisions(installation) == 0
    again = {"staffIds": [installation.staff["Amina"]] * 40_000, "categories": ["Teaching"] * 40_000}
    found = await installation.viewer.ask(SCOPED, scope=again, statuses=["UNMARKED"] * 40_000)
    assert found["attendanceDay"]["records"]["totalCount"] == 1


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_search_of_thousands_of_words_is_refused(installation: Installation) -> None:
    words = "a b " * 20_000
    message = "A search may have at most 200 characters."
    assert await told(installation.viewer, SCOPED, search=words) == ("BAD_REQUEST", message)
    assert await told(installation.viewer, STAFF, filter={"search": words}) == ("BAD_REQUEST", message)
    for longest in ("a " * 100, "\ufdfa" * 200):  # the latter folds to eighteen letters each
        assert (await installation.viewer.ask(SCOPED, search=longest))["attendanceDay"]["records"]["totalCount"] < 4


async def test_signs_that_mean_something_to_a_database_are_searched_for_as_they_are(installation: Installation) -> None:
    async with installation.application.database.write() as work:
        work.caller = COMMAND_LINE
        await commands.create(work, Details(name="100% Ann_Lee \\ 'Bob'"))
    for search in ("%", "_", "\\", "'", "0%", "n_l", "\\ '"):
        answer = await installation.viewer.ask(STAFF, filter={"search": search})
        assert [edge["node"]["name"] for edge in answer["staff"]["edges"]] == ["100% Ann_Lee \\ 'Bob'"], search


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0001-01-01", "9999-12-31"),
        ("9999-12-31", "0001-01-01"),
        ("2026-01-12", "2026-01-11"),
        ("2026-01-01", "2026-04-03"),
    ],
)
@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_span_is_a_quarter_at_most(installation: Installation, start: str, end: str) -> None:
    answer = await installation.viewer.send(SPAN, **{"from": start, "to": end})
    assert {error["message"] for error in answer["errors"]} == {DAYS}


async def test_the_ends_of_the_calendar_hold_people_and_days(installation: Installation) -> None:
    admin = installation.admin
    create = """mutation ($input: CreateStaffInput!) {
      createStaff(input: $input) { staff { startsOn endsOn } errors { code } } }"""
    ever = {"startsOn": "0001-01-01", "endsOn": "9999-12-31"}
    payload = (await admin.ask(create, input={"name": "Methuselah", **ever}))["createStaff"]
    assert payload == {"staff": ever, "errors": []}
    update = (
        "mutation ($input: UpdateAttendanceDayInput!) { updateAttendanceDay(input: $input) { day { date label } } }"
    )
    for date, people in (("0001-01-01", 1), ("9999-12-31", 5)):
        day = (await admin.ask(update, input={"date": date, "label": "The end"}))["updateAttendanceDay"]["day"]
        assert day == {"date": date, "label": "The end"}
        board = (await admin.ask(BOARD, date=date))["attendanceDay"]
        assert (board["label"], board["summary"]["total"]) == ("The end", people)
        assert (await admin.ask(STAFF, filter={"on": date}))["staff"]["totalCount"] == people
        assert await admin.send(SPAN, **{"from": date, "to": date})
    filled = {"date": "0001-01-01", "change": {"fill": {"status": "LATE"}}}
    answer = (await admin.ask(BULK, input=filled))["bulkUpdateAttendance"]
    assert (answer["attendances"], answer["errors"]) == ([{"staffName": "Methuselah"}], [])


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_request_that_is_no_single_operation_is_told_so(installation: Installation) -> None:
    many = "The document has several operations; operationName must name the one to run."
    assert await told(installation.viewer, "query A { viewer { id } } query B { viewer { id } }") == (
        "BAD_REQUEST",
        many,
    )
    unknown = await told(installation.viewer, "{ viewer { password } }")
    assert unknown == ("BAD_REQUEST", "Cannot query field 'password' on type 'Viewer'.")
    for document in ("", "{", "fragment F on Viewer { id }", "{ viewer }", "query ($x: Y) { viewer { id } }", "{ a: b"):
        assert (await told(installation.viewer, document))[0] == "BAD_REQUEST", document
    headers = {"Authorization": f"Bearer {installation.viewer.token}", "Content-Type": "application/json"}
    response = await installation.http.post("/graphql", content=b'{"query": "{ viewer', headers=headers)
    expected = {
        "message": "The request is not valid JSON.",
        "extensions": {"code": "BAD_REQUEST", "reason": "MALFORMED_REQUEST"},
    }
    assert (response.status_code, response.json()) == (400, {"errors": [expected]})
