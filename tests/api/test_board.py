"""The day's board as a front end reads it: whole, in one snapshot, and for a constant number of statements."""

from __future__ import annotations

import pytest

from memberstaff.access import COMMAND_LINE
from memberstaff.staff import commands
from memberstaff.staff.commands import Details
from tests.clock import TODAY
from tests.front_ends import BOARD
from tests.installation import Installation
from tests.statements import statements

DEEP = """
query Deep($date: Date, $first: Int) {
  attendanceDay(date: $date) {
    summary { total }
    records(first: $first) {
      totalCount
      edges { node { staffName staff { name } day { state } } }
    }
  }
}
"""

HISTORIES = """
query Histories($date: Date) {
  attendanceDay(date: $date) {
    records(first: 100) { edges { node { staff { id } history(first: 2) { edges { node { status } } } } } }
  }
}
"""


async def hire(installation: Installation, number: int) -> None:
    async with installation.application.database.write() as work:
        work.caller = COMMAND_LINE
        for index in range(number):
            await commands.create(work, Details(name=f"Person {index:04}", category="Teaching"))


async def test_a_board_has_everybody_marked_or_not_by_name(installation: Installation) -> None:
    await installation.marker.mark(installation.staff["Chloé"], TODAY, status="LATE", note="Bus")
    day = (await installation.marker.ask(BOARD, date=TODAY))["attendanceDay"]
    assert day["summary"] == {"total": 4, "unmarked": 3, "present": 0, "late": 1, "absent": 0, "presentRate": 1.0}
    assert (day["date"], day["state"], day["isWorkingDay"], day["label"]) == (TODAY, "OPEN", True, None)
    assert [(edge["node"]["staffName"], edge["node"]["status"]) for edge in day["records"]["edges"]] == [
        ("Amina", "UNMARKED"),
        ("Björn", "UNMARKED"),
        ("Chloé", "LATE"),
        ("Дмитрий", "UNMARKED"),
    ]
    assert day["records"]["totalCount"] == 4


async def test_the_day_is_today_where_the_organisation_is(installation: Installation) -> None:
    assert (await installation.viewer.ask("{ attendanceDay { date } }"))["attendanceDay"]["date"] == TODAY


async def test_pages_follow_each_other_and_answer_the_first_pages_cursor(installation: Installation) -> None:
    first = (await installation.marker.ask(BOARD, date=TODAY, first=3))["attendanceDay"]["records"]
    await installation.marker.mark(installation.staff["Amina"], TODAY, status="PRESENT")
    end = first["pageInfo"]["endCursor"]
    second = (await installation.marker.ask(BOARD, date=TODAY, first=3, after=end))["attendanceDay"]["records"]
    assert first["pageInfo"]["hasNextPage"] is True
    assert second["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": True,
        "endCursor": second["pageInfo"]["endCursor"],
    }
    assert [edge["node"]["staffName"] for edge in second["edges"]] == ["Дмитрий"]
    assert second["feedCursor"] == first["feedCursor"]


@pytest.mark.parametrize(("search", "found"), [("CHLOE", ["Chloé"]), ("björn kitch", ["Björn"]), ("дмит", ["Дмитрий"])])
async def test_search_knows_neither_case_nor_accents(installation: Installation, search: str, found: list[str]) -> None:
    day = (await installation.viewer.ask(BOARD, date=TODAY, search=search))["attendanceDay"]
    assert [edge["node"]["staffName"] for edge in day["records"]["edges"]] == found
    assert day["records"]["totalCount"] == 1


async def test_search_does_not_look_into_notes(installation: Installation) -> None:
    await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE", note="Hospital")
    day = (await installation.admin.ask(BOARD, date=TODAY, search="hospital"))["attendanceDay"]
    assert day["records"]["edges"] == []


async def test_a_board_of_500_costs_the_statements_of_a_board_of_10(installation: Installation) -> None:
    await hire(installation, 6)
    with statements(installation.application.database) as few:
        day = (await installation.marker.ask(DEEP, date=TODAY, first=100))["attendanceDay"]
    assert day["records"]["totalCount"] == 10
    await hire(installation, 490)
    with statements(installation.application.database) as many:
        day = (await installation.marker.ask(DEEP, date=TODAY, first=500))["attendanceDay"]
    assert day["summary"]["total"] == 500
    assert len(day["records"]["edges"]) == 500
    # Three ask whether a cached answer is current; the last counts, unless the board is there first to be counted.
    assert abs(len(few) - len(many)) <= 1
    assert len(many) <= 8


async def test_a_hundred_histories_cost_the_statements_of_ten(installation: Installation) -> None:
    await hire(installation, 6)
    with statements(installation.application.database) as few:
        await installation.marker.ask(HISTORIES, date=TODAY)
    await hire(installation, 90)
    with statements(installation.application.database) as many:
        day = (await installation.marker.ask(HISTORIES, date=TODAY))["attendanceDay"]
    assert len(day["records"]["edges"]) == 100
    assert len(many) == len(few) <= 9


async def test_past_days_stay_as_they_were_when_people_come_and_go(installation: Installation) -> None:
    await installation.admin.ask(
        "mutation Leave($input: UpdateStaffInput!) { updateStaff(input: $input) { errors { message } } }",
        input={"id": installation.staff["Amina"], "endsOn": "2026-01-11"},
    )
    today = (await installation.viewer.ask(BOARD, date=TODAY))["attendanceDay"]
    friday = (await installation.viewer.ask(BOARD, date="2026-01-09"))["attendanceDay"]
    assert (today["summary"]["total"], friday["summary"]["total"]) == (3, 4)


async def test_every_entity_is_found_again_by_its_id(installation: Installation) -> None:
    await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
    asked = await installation.marker.ask(
        """query All($target: AttendanceTarget!) {
          viewer { id }
          attendance(target: $target) {
            id staff { id } day { id summary { id } } history { edges { node { id } } }
          }
        }""",
        target={"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}},
    )
    record = asked["attendance"]
    ids = {
        "Viewer": asked["viewer"]["id"],
        "Attendance": record["id"],
        "Staff": record["staff"]["id"],
        "AttendanceDay": record["day"]["id"],
        "DaySummary": record["day"]["summary"]["id"],
        "AttendanceRevision": record["history"]["edges"][0]["node"]["id"],
    }
    for type_name, id_ in ids.items():
        node = (await installation.marker.ask("query N($id: ID!) { node(id: $id) { __typename id } }", id=id_))["node"]
        assert node == {"__typename": type_name, "id": id_}
