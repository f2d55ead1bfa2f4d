"""What several fields wait for together does not go when one of them is given up."""

from __future__ import annotations

import asyncio
import gc
from datetime import date
from typing import Any

import pytest
from sqlalchemy import event

from memberstaff.access import Role
from memberstaff.errors import Unavailable
from memberstaff.server.connection import Connection
from schema.context import Context
from schema.loaders import Loader
from tests.clock import TODAY
from tests.installation import Installation

GIVEN_UP = """{
  given_up: attendanceDay { summary { total } records(first: 1, after: "no cursor") { totalCount } }
  asked: attendanceDay { summary { total } }
}"""

WRONG_RANGE = """{ staff(first: 1) {
  totalCount edges { node { attendance(from: "2026-01-12", to: "2026-01-01") { id } } }
} }"""


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_field_whose_neighbour_fails_takes_no_other_with_it(installation: Installation) -> None:
    headers = {"Authorization": f"Bearer {installation.tokens[Role.VIEWER]}"}
    answer = await installation.http.post("/graphql", json={"query": GIVEN_UP}, headers=headers)
    assert answer.status_code == 200
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["BAD_REQUEST"]


async def test_a_field_whose_neighbour_fails_while_it_is_read_costs_no_connection(installation: Installation) -> None:
    lost: list[object] = []
    event.listen(installation.application.database.engine.sync_engine, "invalidate", lambda *about: lost.append(about))
    for _ in range(3):
        answer = await installation.viewer.send(WRONG_RANGE)
        assert answer["data"] == {"staff": None}
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_REQUEST"]
    assert lost == []


async def test_an_error_for_which_nobody_waits_any_more_is_not_logged() -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def load(_keys: list[int]) -> list[int]:
        begun.set()
        await gate.wait()
        raise ValueError("the database is away")

    async def ask_and_give_up() -> None:
        loader = Loader(load_fn=load)

        async def ask() -> int:
            return await loader.load(1)

        asking = [asyncio.create_task(ask()) for _ in range(2)]
        await begun.wait()
        for each in asking:
            each.cancel()
        await asyncio.wait(asking)
        gate.set()
        for _ in range(10):
            await asyncio.sleep(0)

    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    await ask_and_give_up()
    gc.collect()
    assert told == []


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_an_operation_that_has_ended_opens_no_snapshot_that_nobody_would_close(
    installation: Installation,
) -> None:
    connection = Connection("192.0.2.1", "request", installation.tokens[Role.VIEWER])
    context = Context(installation.application, connection)
    await context.snapshot()
    await context.close()
    for late in (context.snapshot(), context.load.day.load(date.fromisoformat(TODAY))):
        with pytest.raises(Unavailable):
            await late
