"""The report through the API: the days of a few weeks by category, within what an answer may hold."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import parse

from memberstaff.engine.limits import Limits, measure
from schema.root import make_schema
from tests.installation import Installation

REPORT = """query Report($from: Date!, $to: Date!, $scope: StaffScope) {
  attendanceReport(from: $from, to: $to, scope: $scope) {
    from to
    categories { category days {
      date isWorkingDay total unmarked present late halfDay remote onLeave absent presentRate } } } }"""
IMPORT = "mutation ($input: ImportStaffInput!) { importStaff(input: $input) { created errors { message } } }"
NONE = dict.fromkeys(("unmarked", "present", "late", "halfDay", "remote", "onLeave", "absent"), 0)


async def report(installation: Installation, start: str, end: str, **scope: Any) -> dict[str, Any]:
    variables = {"from": start, "to": end, "scope": scope or None}
    found: dict[str, Any] = (await installation.viewer.ask(REPORT, **variables))["attendanceReport"]
    return found


async def test_a_report_shows_each_calendar_day_of_each_category(installation: Installation) -> None:
    amina, chloé = installation.staff["Amina"], installation.staff["Chloé"]
    await installation.marker.mark(amina, "2026-01-12", status="HALF_DAY")
    await installation.admin.mark(chloé, "2026-01-11", status="ON_LEAVE")
    found = await report(installation, "2026-01-11", "2026-01-12")
    assert (found["from"], found["to"]) == ("2026-01-11", "2026-01-12")
    assert [line["category"] for line in found["categories"]] == ["Facilities", "Kitchen", "Teaching"]
    assert found["categories"][2]["days"] == [
        {
            **NONE,
            "date": "2026-01-11",
            "isWorkingDay": False,
            "total": 2,
            "unmarked": 1,
            "onLeave": 1,
            "presentRate": None,
        },
        {
            **NONE,
            "date": "2026-01-12",
            "isWorkingDay": True,
            "total": 2,
            "unmarked": 1,
            "halfDay": 1,
            "presentRate": 0.5,
        },
    ]


async def test_a_report_adds_up_to_what_the_day_itself_says(installation: Installation) -> None:
    for name, status in (("Amina", "LATE"), ("Björn", "REMOTE"), ("Chloé", "ABSENT")):
        await installation.marker.mark(installation.staff[name], "2026-01-12", status=status)
    counts = ["total", *NONE]
    document = f"{{ attendanceDay {{ date isWorkingDay summary {{ {' '.join(counts)} }} }} }}"
    day = (await installation.viewer.ask(document))["attendanceDay"]
    days = [line["days"][0] for line in (await report(installation, day["date"], day["date"]))["categories"]]
    assert {name: sum(each[name] for each in days) for name in counts} == day["summary"]
    assert {each["isWorkingDay"] for each in days} == {day["isWorkingDay"]}


async def test_a_report_of_some_leaves_the_others_out(installation: Installation) -> None:
    amina, björn = installation.staff["Amina"], installation.staff["Björn"]
    for scope, lines in (
        ({"categories": ["Teaching"]}, [("Teaching", 2)]),
        ({"staffIds": [amina, björn]}, [("Kitchen", 1), ("Teaching", 1)]),
        ({"staffIds": []}, []),
    ):
        found = await report(installation, "2026-01-12", "2026-01-12", **scope)
        assert [(line["category"], line["days"][0]["total"]) for line in found["categories"]] == lines


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_report_has_92_days_at_most(installation: Installation) -> None:
    message = "Select 1 to 92 days, with `from` not after `to`."
    for start, end in (("2026-01-01", "2026-04-03"), ("2026-01-02", "2026-01-01")):
        assert await installation.viewer.fail(REPORT, **{"from": start, "to": end}) == ("BAD_REQUEST", message)
    assert len((await report(installation, "2026-01-01", "2026-04-02"))["categories"][0]["days"]) == 92


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_report_of_more_categories_than_it_can_show_says_how_to_ask(installation: Installation) -> None:
    rows = [{"name": "Eve", "category": f"Category {number}"} for number in range(38)]
    await installation.admin.ask(IMPORT, input={"rows": rows})
    code, message = await installation.viewer.fail(REPORT, **{"from": "2026-01-12", "to": "2026-01-12"})
    assert (code, message) == (
        "BAD_REQUEST",
        "The report has 41 categories; the limit is 40. Select some in `scope`.",
    )
    some = await report(installation, "2026-01-12", "2026-01-12", categories=["Teaching", "Category 7"])
    assert [line["category"] for line in some["categories"]] == ["Category 7", "Teaching"]


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (REPORT, None),
        ("{ accounts(first: 100) { edges { node { id } } } }", None),
        (
            """{ a: attendanceReport(from: "2026-01-01", to: "2026-01-02") { categories { days { date } } }
                 b: attendanceReport(from: "2026-01-01", to: "2026-01-02") { categories { days { date } } } }""",
            "The operation could return 7,442 objects; the limit is 5,000. Ask for smaller pages.",
        ),
        (
            "mutation { "
            + " ".join(f"i{n}: importStaff(input: {{rows: null}}) {{ changes {{ row }} }}" for n in range(5))
            + " }",
            "The operation could return 5,005 objects; the limit is 5,000. Ask for smaller pages.",
        ),
    ],
)
def test_lists_count_with_all_that_they_can_hold(document: str, complaint: str | None) -> None:
    verdict = measure(make_schema(Limits()).core, parse(document), Limits())
    assert [error.message for error in verdict.errors] == ([complaint] if complaint else [])
