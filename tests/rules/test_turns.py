"""Turns: so many at a time, and owners in rotation."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as some

from memberstaff.fanout import turns as module
from memberstaff.fanout.turns import (
    CREDIT_SECONDS,
    MOST_CHARGED_SECONDS,
    TURN_SECONDS,
    Payers,
    Turns,
)
from tests.rules.groups import Loop, settled


class Queue:
    """Takes turns that last until they are ended by name."""

    def __init__(self, limit: int) -> None:
        self.turns = Turns(limit, "query")
        self.began: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    def ask(self, name: str, *owners: str) -> None:
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self.take(name, owners or (name[0],)))

    async def take(self, name: str, owners: Collection[Hashable]) -> None:
        async with self.turns.turn(owners):
            self.began.append(name)
            await self.ends[name].wait()

    async def end_all(self) -> list[str]:
        """End each turn as soon as it began; in which order they began."""
        for end in self.ends.values():
            end.set()
        await settled()
        return self.began


async def test_owners_are_served_in_rotation_however_much_each_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    Loop(monkeypatch)
    queue = Queue(1)
    for name in ("a1", "a2", "a3", "a4", "b1", "b2", "c1"):
        queue.ask(name)
    await settled()
    assert queue.began == ["a1"]
    assert await queue.end_all() == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_many_short_turns_of_an_owner_take_no_longer_than_a_long_one_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All boards may share an account; it would have one turn for each of somebody's dear queries."""
    loop, turns, began = Loop(monkeypatch), Turns(1, "query"), list[str]()

    async def take(name: str, seconds: float) -> None:
        async with turns.turn((name,)):
            began.append(name)
            loop.now += seconds

    dear = [asyncio.create_task(take("dear", 0.75)) for _ in range(3)]
    await asyncio.gather(*dear, *(take("board", 0.25) for _ in range(6)))
    assert began == [*["dear", "board", "board", "board"] * 2, "dear"]


async def test_whoever_comes_now_and_then_and_asks_for_little_is_next(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, turns, began = Loop(monkeypatch), Turns(1, "query"), list[str]()

    async def take(name: str, seconds: float) -> None:
        async with turns.turn((name,)):
            began.append(name)
            loop.now += seconds
            if name == "a":
                asking.append(asyncio.create_task(take("seldom", CREDIT_SECONDS / 8)))
                await settled()

    asking = [asyncio.create_task(take(name, 0.25)) for name in "abcabc"]
    while (asked := list(asking)) and not all(each.done() for each in asked):
        await asyncio.gather(*asked)
    assert began == ["a", "b", "c", "seldom", "a", "seldom", "b", "c"]  # at first all are new


async def test_whoever_comes_anew_and_asks_for_much_does_not_make_up_for_the_past(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, turns, began = Loop(monkeypatch), Turns(1, "query"), list[str]()

    async def take(name: str) -> None:
        async with turns.turn((name,)):
            began.append(name)
            loop.now += 0.25
            if began == ["a", "b", "a", "b", "a", "b"]:
                taking.extend(asyncio.create_task(take("new")) for _ in range(4))
                await settled()

    taking = [asyncio.create_task(take(name)) for name in "aaaaabbbbb"]
    while (waited := list(taking)) and not all(each.done() for each in waited):
        await asyncio.gather(*waited)
    assert "".join(name[0] for name in began) == "abababnnabnabn"


async def test_nobody_makes_up_for_an_hour_in_which_the_process_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, turns, began = Loop(monkeypatch), Turns(1, "query"), list[str]()

    async def take(name: str, seconds: float) -> None:
        async with turns.turn((name,)):
            began.append(name)
            loop.now += seconds

    unlucky = [asyncio.create_task(take("unlucky", seconds)) for seconds in (3_600, 0.5)]
    await asyncio.gather(*unlucky, *(take("other", MOST_CHARGED_SECONDS) for _ in range(3)))
    assert began == ["unlucky", "other", "unlucky", "other", "other"]


async def test_what_is_shared_waits_with_the_owner_who_waits_for_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    Loop(monkeypatch)
    queue = Queue(1)
    for name in ("a1", "a2", "a3"):
        queue.ask(name)
    queue.ask("shared", "a", "b")
    queue.ask("theirs", "a")
    await settled()
    assert await queue.end_all() == ["a1", "a2", "shared", "a3", "theirs"]


@pytest.mark.parametrize(
    ("had", "joins", "order"),
    [
        ({}, "b", ["a1", "a2", "shared", "a3"]),
        ({}, "a", ["a1", "a2", "a3", "shared"]),
        ({"b": 9.0}, "b", ["a1", "a2", "a3", "shared"]),
    ],
    ids=["somebody else", "the same", "somebody who has had more"],
)
async def test_who_joins_what_waits_brings_it_forward_to_their_own_place(
    monkeypatch: pytest.MonkeyPatch, had: dict[str, float], joins: str, order: list[str]
) -> None:
    Loop(monkeypatch)
    queue, payers = Queue(1), Payers(("a",))
    for name in ("a1", "a2", "a3"):
        queue.ask(name)
    queue.ends["shared"] = asyncio.Event()
    queue.tasks["shared"] = asyncio.create_task(queue.take("shared", payers))
    await settled()
    queue.turns._had.update(had)  # noqa: SLF001 - without an hour of turns
    payers.join(joins)
    assert [*payers] == (["a", "b"] if joins == "b" else ["a"])
    assert await queue.end_all() == order


async def test_so_many_have_a_turn_and_each_that_ends_gives_way_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    Loop(monkeypatch)
    queue = Queue(2)
    for name in ("a1", "a2", "a3", "b1"):
        queue.ask(name)
    await settled()
    assert queue.began == ["a1", "a2"]
    queue.ends["a2"].set()
    await settled()
    assert queue.began == ["a1", "a2", "a3"]
    assert await queue.end_all() == ["a1", "a2", "a3", "b1"]


async def test_those_who_ask_together_begin_one_after_the_other_even_if_none_waits() -> None:
    turns, began, largest = Turns(1, "query"), 0, 0

    async def take() -> None:
        nonlocal began
        async with turns.turn("a"):
            began += 1

    async def look() -> None:
        nonlocal largest
        while began < 10:
            before = began
            await asyncio.sleep(0)
            largest = max(largest, began - before)

    await asyncio.gather(look(), *(take() for _ in range(10)))
    assert largest == 1


async def test_a_turn_is_lost_neither_when_it_is_cancelled_waiting_nor_when_it_has_just_come() -> None:
    queue = Queue(1)
    for name in ("a1", "a2", "a3", "a4"):
        queue.ask(name)
    await settled()
    queue.tasks["a2"].cancel()
    queue.ends["a1"].set()
    await asyncio.sleep(0)  # a1 has ended, and a3 not begun
    assert queue.tasks["a1"].done()
    queue.tasks["a3"].cancel()
    assert await queue.end_all() == ["a1", "a4"]


@pytest.mark.parametrize(
    ("seconds", "waiting_owner", "over"), [(0, "b", True), (0, "a", False), (TURN_SECONDS + 60, "b", False)]
)
async def test_a_turn_is_over_after_its_time_if_another_owner_waits(
    monkeypatch: pytest.MonkeyPatch, seconds: float, waiting_owner: str, over: bool
) -> None:
    monkeypatch.setattr(module, "TURN_SECONDS", seconds)
    turns = Turns(1, "query")

    async def wait() -> None:
        async with turns.turn(waiting_owner):
            pass

    async with turns.turn("a") as is_over:
        assert not is_over()
        waiting = asyncio.create_task(wait())
        await settled()
        assert is_over() is over
    await waiting


async def test_a_turn_is_not_over_for_somebody_who_no_longer_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_SECONDS", 0)
    turns = Turns(1, "query")

    async def take() -> None:
        async with turns.turn("b"):
            pass

    async with turns.turn("a") as is_over:
        taking = asyncio.create_task(take())
        await settled()
        assert is_over()
        taking.cancel()
        await settled()
        assert not is_over()


@given(
    some.integers(1, 3),
    some.lists(some.tuples(some.sampled_from(["ask", "end", "cancel", "step"]), some.integers(0, 9)), max_size=60),
)
def test_however_they_ask_and_end_and_are_cancelled_no_turn_is_lost_and_none_too_many(
    limit: int, steps: list[tuple[str, int]]
) -> None:
    async def play() -> None:
        queue, asked, cancelled = Queue(limit), list[str](), set[str]()
        for step, number in steps:
            name = asked[number % len(asked)] if asked else ""
            if step == "ask":
                asked.append(f"{'abc'[number % 3]}{len(asked)}")
                queue.ask(asked[-1])
            elif step == "end" and name:
                queue.ends[name].set()
            elif step == "cancel" and name:
                queue.tasks[name].cancel()
                cancelled.add(name)
            else:
                await asyncio.sleep(0)
            ended = {name for name, task in queue.tasks.items() if task.done()}
            assert len(set(queue.began) - ended) <= limit
        await queue.end_all()
        endings = await asyncio.gather(*queue.tasks.values(), return_exceptions=True)
        assert all(ending is None or isinstance(ending, asyncio.CancelledError) for ending in endings)
        assert set(asked) - cancelled <= set(queue.began)
        for _ in range(limit):  # all turns are free again
            queue.ask(f"z{len(queue.tasks)}")
        await settled()
        assert len([name for name in queue.began if name[0] == "z"]) == limit
        await queue.end_all()
        await asyncio.gather(*queue.tasks.values(), return_exceptions=True)

    asyncio.run(play())
