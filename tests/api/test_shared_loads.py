"""What several fields wait for together does not go when one of them is given up."""

from __future__ import annotations

import pytest

from memberstaff.access import Role
from tests.installation import Installation

GIVEN_UP = """{
  given_up: attendanceDay { summary { total } records(first: 1, after: "no cursor") { totalCount } }
  asked: attendanceDay { summary { total } }
}"""


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_field_whose_neighbour_fails_takes_no_other_with_it(installation: Installation) -> None:
    headers = {"Authorization": f"Bearer {installation.tokens[Role.VIEWER]}"}
    answer = await installation.http.post("/graphql", json={"query": GIVEN_UP}, headers=headers)
    assert answer.status_code == 200
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["BAD_REQUEST"]
