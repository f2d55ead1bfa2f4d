"""A real roster of 500 people, in many scripts: imported, read and marked through the API."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.clock import TODAY
from tests.front_ends import BOARD
from tests.installation import Installation

ROSTER = Path(__file__).parents[1] / "rosters" / "school.csv"
IMPORT = """mutation ImportStaff($input: ImportStaffInput!) {
  importStaff(input: $input) { created updated unchanged errors { code message path } }
}"""
FILL = """mutation Fill($input: BulkUpdateAttendanceInput!) {
  bulkUpdateAttendance(input: $input) { day { summary { total unmarked present late } } errors { message } }
}"""


def rows() -> list[dict[str, str]]:
    with ROSTER.open(encoding="utf-8", newline="") as file:
        return [
            {
                "name": row["Name"],
                "category": row["Category"],
                "externalRef": row["External ref"],
                "startsOn": row["Starts on"],
            }
            for row in csv.DictReader(file)
        ]


async def test_a_school_is_imported_searched_and_marked(installation: Installation) -> None:
    people = rows()
    counts = {"created": 500, "updated": 0, "unchanged": 0, "errors": []}
    dry = await installation.admin.ask(IMPORT, input={"rows": people, "dryRun": True})
    assert dry["importStaff"] == counts
    assert (await installation.admin.ask(IMPORT, input={"rows": people}))["importStaff"] == counts
    again = (await installation.admin.ask(IMPORT, input={"rows": people}))["importStaff"]
    assert again == {"created": 0, "updated": 0, "unchanged": 500, "errors": []}

    for search, found in (
        ("o'brien", "Anne-Marie O'Brien"),
        ("dang thi", "Đặng Thị Hồng"),
        ("smith,", "Smith, Dr. Jean-Luc"),
    ):
        day = (await installation.viewer.ask(BOARD, date=TODAY, search=search))["attendanceDay"]
        assert [edge["node"]["staffName"] for edge in day["records"]["edges"]] == [found]
        staff_id = day["records"]["edges"][0]["node"]["staffId"]
        assert (await installation.marker.mark(staff_id, TODAY, status="LATE"))["errors"] == []

    change = {"fill": {"status": "PRESENT"}}
    filled = (await installation.marker.ask(FILL, input={"date": TODAY, "change": change}))["bulkUpdateAttendance"]
    assert filled == {
        "day": {"summary": {"total": 504, "unmarked": 0, "present": 501, "late": 3}},
        "errors": [],
    }
    board = (await installation.viewer.ask(BOARD, date=TODAY, first=1_000))["attendanceDay"]["records"]
    assert len(board["edges"]) == board["totalCount"] == 504
    names = {edge["node"]["staffName"] for edge in board["edges"]}
    assert {row["name"] for row in people} <= names


async def test_a_dry_run_previews_what_an_import_would_change(installation: Installation) -> None:
    document = """mutation ($input: ImportStaffInput!) { importStaff(input: $input) {
      created updated unchanged changes { row action name fields } errors { code } } }"""
    preview = [
        {"name": "Amina", "category": "Teaching", "photoUrl": "/amina.png", "endsOn": "2026-06-30"},
        {"name": "Björn", "category": "Kitchen"},
        {"name": "  Eve ", "externalRef": "S1"},
    ]
    dry = (await installation.admin.ask(document, input={"rows": preview, "dryRun": True}))["importStaff"]
    assert dry == {
        "created": 1,
        "updated": 1,
        "unchanged": 1,
        "changes": [
            {"row": 0, "action": "UPDATED", "name": "Amina", "fields": ["photoUrl", "endsOn"]},
            {"row": 2, "action": "CREATED", "name": "Eve", "fields": ["name", "externalRef"]},
        ],
        "errors": [],
    }
    done = (await installation.admin.ask(document, input={"rows": preview}))["importStaff"]
    assert done == {**dry, "changes": []}
    after = (await installation.admin.ask(document, input={"rows": preview, "dryRun": True}))["importStaff"]
    assert after == {"created": 0, "updated": 0, "unchanged": 3, "changes": [], "errors": []}


async def test_a_preview_shows_a_thousand_changes_and_counts_all(installation: Installation) -> None:
    document = """mutation ($input: ImportStaffInput!) { importStaff(input: $input) {
      created changes { row } } }"""
    rows = [{"name": f"Person {number}"} for number in range(1_001)]
    dry = (await installation.admin.ask(document, input={"rows": rows, "dryRun": True}))["importStaff"]
    assert dry["created"] == 1_001
    assert [change["row"] for change in dry["changes"]] == list(range(1_000))


async def test_a_bad_row_is_named_and_nobody_is_imported(installation: Installation) -> None:
    bad = [{"name": "Eve"}, {"name": "Mallory", "photoUrl": "javascript:alert(1)"}, {"name": " "}]
    answer = (await installation.admin.ask(IMPORT, input={"rows": bad}))["importStaff"]
    assert [(error["code"], error["path"]) for error in answer["errors"]] == [
        ("INVALID", ["rows", "1", "photoUrl"]),
        ("INVALID", ["rows", "2", "name"]),
    ]
    assert (await installation.viewer.ask("{ staff { totalCount } }"))["staff"]["totalCount"] == 4


async def test_an_import_with_a_key_is_done_once(installation: Installation) -> None:
    request = {"rows": [{"name": "Eve", "category": "Kitchen"}], "idempotencyKey": "september"}
    first = (await installation.admin.ask(IMPORT, input=request))["importStaff"]
    again = (await installation.admin.ask(IMPORT, input=request))["importStaff"]
    assert first == again == {"created": 1, "updated": 0, "unchanged": 0, "errors": []}
