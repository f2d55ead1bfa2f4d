"""`first: 0` is a page without edges, of a list that is not empty for that."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clock import TODAY
from tests.installation import Installation

PAGE = "edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
LISTS = f"""query Lists($target: AttendanceTarget!, $first: Int, $nobody: String) {{
  attendanceDay {{
    records(first: $first) {{ totalCount feedCursor {PAGE} }}
    none: records(first: $first, search: $nobody) {{ totalCount {PAGE} }}
  }}
  attendance(target: $target) {{ history(first: $first) {{ {PAGE} }} }}
  staff(first: $first) {{ totalCount {PAGE} }}
  accounts(first: $first) {{ totalCount {PAGE} }}
  audit(first: $first) {{ {PAGE} }}
}}"""


def empty(*, more: bool) -> dict[str, Any]:
    info = {"hasNextPage": more, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    return {"edges": [], "pageInfo": info}


async def test_every_list_has_an_empty_page_that_knows_whether_there_is_more(installation: Installation) -> None:
    amina = installation.staff["Amina"]
    cursor = (await installation.marker.mark(amina, TODAY, status="LATE"))["attendance"]["feedCursor"]
    target = {"staffDate": {"staffId": amina, "date": TODAY}}
    assert await installation.admin.ask(LISTS, target=target, first=0, nobody="nobody") == {
        "attendanceDay": {
            "records": {"totalCount": 4, "feedCursor": cursor, **empty(more=True)},
            "none": {"totalCount": 0, **empty(more=False)},
        },
        "attendance": {"history": empty(more=True)},
        "staff": {"totalCount": 4, **empty(more=True)},
        "accounts": {"totalCount": 3, **empty(more=True)},
        "audit": empty(more=True),
    }


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_an_empty_page_after_a_cursor_is_that_of_the_rest(installation: Installation) -> None:
    document = f"query ($first: Int, $after: String) {{ staff(first: $first, after: $after) {{ totalCount {PAGE} }} }}"
    edges = (await installation.viewer.ask(document, first=4))["staff"]["edges"]
    for edge, more in ((edges[1], True), (edges[3], False)):
        page = (await installation.viewer.ask(document, first=0, after=edge["cursor"]))["staff"]
        info = empty(more=more)["pageInfo"] | {"hasPreviousPage": True}
        assert page == {"totalCount": 4, "edges": [], "pageInfo": info}


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("first", [-1, -(2**31)])
async def test_fewer_than_none_are_refused_by_each_list(installation: Installation, first: int) -> None:
    target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
    answer = await installation.admin.send(LISTS, target=target, first=first, nobody="nobody")
    assert answer["data"] == dict.fromkeys(("attendanceDay", "attendance", "staff", "accounts", "audit"))
    assert {error["message"] for error in answer["errors"]} == {
        "`first` must be between 0 and 100.",
        "`first` must be between 0 and 1,000.",
    }
