"""What a mutation about many people answers is priced by how many they are, and bounded however many there are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.bad import revisions
from tests.clock import TODAY
from tests.installation import Installation
from tests.statements import statements

CONFLICTS = """mutation ($input: BulkUpdateAttendanceInput!, $n: Int) { bulkUpdateAttendance(input: $input) {
  errors { code ... on VersionConflictError { current { day {
    records(first: $n) { edges { node { staffName } } } } } } } } }"""
BOARDS = """mutation ($input: BulkUpdateAttendanceInput!) { bulkUpdateAttendance(input: $input) {
  errors { ... on VersionConflictError { current { staff { name } updatedByAccount { id } day { summary { late }
    records(first: 1) { edges { node { staffName } } totalCount }
    late: records(statuses: [LATE]) { edges { node { staffName } } totalCount }
  } } } } } }"""
MARK = """mutation ($input: BulkUpdateAttendanceInput!) { bulkUpdateAttendance(input: $input) {
  day { summary { late } } attendances { staffName } errors { code message path } } }"""
IMPORT = """mutation ($input: ImportStaffInput!) { importStaff(input: $input) {
  created changes { row } errors { code message path } } }"""


@pytest.fixture
def engine() -> str:
    """What is priced and listed does not depend on the database."""
    return "sqlite"


def marks(staff_id: str, number: int, **more: Any) -> dict[str, Any]:
    entries = [{"staffId": staff_id, "status": "LATE", "expectedVersion": 7}] * number
    return {"date": TODAY, "change": {"entries": entries}, "errorPolicy": "SKIP_FAILED", **more}


async def test_what_each_error_could_return_counts_for_each_entry_before_anything_is_done(
    installation: Installation,
) -> None:
    amina = installation.staff["Amina"]
    answer = await installation.marker.send(CONFLICTS, input=marks(amina, 900), n=240)
    cost = 1 + 900 * (4 + 240 * 2)
    assert answer["errors"] == [
        {
            "message": (
                f"The operation could return {cost:,} objects; the limit is 5,000. "
                "Ask for smaller pages, or send fewer at once."
            ),
            "locations": [{"line": 1, "column": 1}],
            "extensions": {"code": "BAD_REQUEST", "reason": "OPERATION_TOO_EXPENSIVE", "cost": cost, "limit": 5_000},
        }
    ]
    assert await revisions(installation) == 0
    few = (await installation.marker.ask(CONFLICTS, input=marks(amina, 2), n=240))["bulkUpdateAttendance"]["errors"]
    assert [error["code"] for error in few] == ["VERSION_CONFLICT", "DUPLICATE"]
    assert len(few[0]["current"]["day"]["records"]["edges"]) == 4


async def test_the_days_of_many_conflicts_cost_the_statements_of_one(installation: Installation) -> None:
    sent = []
    for name in installation.staff:
        await installation.marker.mark(installation.staff[name], TODAY, status="LATE")
    for number in (1, 4):
        ids = [*installation.staff.values()][:number]
        entries = [{"staffId": staff_id, "status": "ABSENT", "expectedVersion": 7} for staff_id in ids]
        with statements(installation.application.database) as each:
            answer = await installation.admin.ask(BOARDS, input={"date": TODAY, "change": {"entries": entries}})
        errors = answer["bulkUpdateAttendance"]["errors"]
        assert [error["current"]["day"]["records"] for error in errors] == [
            {"edges": [{"node": {"staffName": "Amina"}}], "totalCount": 4}
        ] * number
        assert [error["current"]["day"]["late"]["totalCount"] for error in errors] == [4] * number
        sent.append(each)
    assert len(sent[0]) == len(sent[1]) == 13


@pytest.mark.parametrize("policy", ["SKIP_FAILED", "REJECT_ALL"])
async def test_of_more_than_a_thousand_errors_the_last_says_how_many_are_left_out(
    installation: Installation, policy: str
) -> None:
    request = marks("nobody", 1_001, errorPolicy=policy, idempotencyKey=policy)
    answer = await installation.marker.ask(MARK, input=request)
    *errors, last = answer["bulkUpdateAttendance"]["errors"]
    message = "2 more are wrong. Up to 1,000 errors are listed: send fewer at once."
    assert last == {"code": "LIMIT_EXCEEDED", "message": message, "path": ["entries"]}
    assert [error["path"] for error in errors] == [["entries", str(index), "staffId"] for index in range(999)]
    assert await installation.marker.ask(MARK, input=request) == answer
    exactly = await installation.marker.ask(MARK, input=marks("nobody", 1_000, errorPolicy=policy))
    assert exactly["bulkUpdateAttendance"]["errors"][-1]["path"] == ["entries", "999", "staffId"]


async def test_of_more_than_a_thousand_rows_a_thousand_are_listed(installation: Installation) -> None:
    nameless = (await installation.admin.ask(IMPORT, input={"rows": [{"name": ""}] * 1_003}))["importStaff"]
    message = "4 more are wrong. Up to 1,000 errors are listed: send fewer at once."
    assert nameless["errors"][-1] == {"code": "LIMIT_EXCEEDED", "message": message, "path": ["rows"]}
    assert (len(nameless["errors"]), nameless["errors"][998]["path"]) == (1_000, ["rows", "998", "name"])
    rows = [{"name": f"Somebody {number}"} for number in range(1_001)]
    preview = (await installation.admin.ask(IMPORT, input={"rows": rows, "dryRun": True}))["importStaff"]
    assert (preview["created"], len(preview["changes"])) == (1_001, 1_000)


async def test_more_than_a_thousand_records_are_marked_and_not_listed(installation: Installation) -> None:
    rows = [{"name": f"Somebody {number}"} for number in range(997)]
    await installation.admin.ask(IMPORT, input={"rows": rows[:996]})
    fill = {"date": TODAY, "change": {"fill": {"status": "LATE"}}}
    thousand = (await installation.marker.ask(MARK, input=fill))["bulkUpdateAttendance"]
    assert (len(thousand["attendances"]), thousand["day"]) == (1_000, {"summary": {"late": 1_000}})
    await installation.admin.ask(IMPORT, input={"rows": rows})
    everybody = {"fill": {"status": "PRESENT", "onlyUnmarked": False}}
    answer = await installation.marker.send(MARK, input={"date": TODAY, "change": everybody})
    payload = answer["data"]["bulkUpdateAttendance"]
    assert payload == {"day": {"summary": {"late": 0}}, "attendances": None, "errors": []}
    [error] = answer["errors"]
    assert (error["path"], error["message"], error["extensions"]) == (
        ["bulkUpdateAttendance", "attendances"],
        "1,001 records were changed, and up to 1,000 are listed. The day has them all.",
        {"code": "BAD_REQUEST", "reason": "OPERATION_TOO_EXPENSIVE", "cost": 1_001, "limit": 1_000},
    )
