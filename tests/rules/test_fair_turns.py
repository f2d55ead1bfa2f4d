"""Turns for what an owner asks for beside something else, and for what holds the loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from memberstaff.fanout.turns import LONGEST_PAUSE_SECONDS, FairTurns, HalfTime
from tests.rules.groups import Loop, settled
from tests.waiting import WAIT_SECONDS as SECONDS


async def test_what_an_owner_asks_for_first_begins_at_once_and_the_rest_in_turns() -> None:
    turns, began, end = FairTurns(2), list[str](), asyncio.Event()

    async def take(name: str) -> None:
        async with turns.turn(name[0]):
            began.append(name)
            await end.wait()

    taking = [asyncio.create_task(take(name)) for name in ("a1", "a2", "a3", "a4", "b1", "b2", "c1")]
    await settled()
    assert sorted(began) == ["a1", "a2", "a3", "b1", "c1"]
    assert len(turns) == 7
    end.set()
    await asyncio.gather(*taking)
    assert sorted(began) == ["a1", "a2", "a3", "a4", "b1", "b2", "c1"]
    assert len(turns) == 0


async def test_what_is_ahead_comes_before_all_else_of_its_owner_and_before_no_other_owner() -> None:
    turns, began, end = FairTurns(1), list[str](), asyncio.Event()

    async def take(name: str) -> None:
        async with turns.turn(name[0], ahead=name[1] == "!"):
            began.append(name)
            await end.wait()

    names = ("a0", "b0", "a1", "b1", "a2", "a!1", "a3", "a!2", "b2")
    taking = [asyncio.create_task(take(name)) for name in names]
    await settled()
    assert began == ["a0", "b0", "a1"]
    end.set()
    await asyncio.gather(*taking)
    assert [name for name in began if name[0] == "a"] == ["a0", "a1", "a!1", "a!2", "a2", "a3"]
    assert began.index("b1") < began.index("a!2")


@pytest.mark.parametrize(("took", "pause"), [(0.125, 0.125), (3_600, LONGEST_PAUSE_SECONDS)])
async def test_after_a_turn_that_held_the_loop_the_next_one_waits_for_as_long_within_reason(
    monkeypatch: pytest.MonkeyPatch, took: float, pause: float
) -> None:
    """A process can be stopped for an hour meanwhile, with the machine that it runs on."""
    loop, turns, later = Loop(monkeypatch), HalfTime(), list[Any]()
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", lambda *call: later.append(call))
    async with turns.turn("a"):
        loop.now += took
    began = False

    async def take() -> None:
        nonlocal began
        async with turns.turn("b"):
            began = True

    taking = asyncio.create_task(take())
    await settled()
    ((seconds, release, *arguments),) = later
    assert (seconds, began) == (pause, False)
    release(*arguments)
    await taking


async def test_whoever_is_cancelled_while_it_waits_leaves_no_trace() -> None:
    turns = FairTurns(1)

    async def take() -> None:
        async with turns.turn("a"):
            await asyncio.Event().wait()

    taking = [asyncio.create_task(take()) for _ in range(4)]
    await settled()
    for each in reversed(taking):
        each.cancel()
        await settled()
    assert len(turns) == 0
    async with asyncio.timeout(SECONDS), turns.turn("a"), turns.turn("a"):
        pass
