"""The queue of those who come anew: how long it is, whom it refuses, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from memberstaff.errors import Unavailable
from memberstaff.fanout.admission_control import LONGEST_RETRY_SECONDS, SAMPLES, AdmissionControl
from tests.rules.groups import settled

COST = 1 / 64
"""Seconds of a turn here, by the clock of the test: 640 of them are a queue of ten seconds."""
PLACES = 642
"""One who has a turn, and those who would wait for ten seconds at the most."""


@dataclass
class Door:
    """A queue whose turns take as long as the test says."""

    limit: int = 1
    now: float = 1_000.0
    let_in: list[Hashable] = field(default_factory=list)
    refused: dict[Hashable, list[int]] = field(default_factory=dict)
    """By owner, the seconds that each was told to wait."""
    gone: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = AdmissionControl(self.limit, clock=lambda: self.now)
        self.ending = asyncio.Queue[None]()

    async def come(self, owner: Hashable, *, fails: bool = False) -> None:
        """Wait to be let in, and stay until the test ends the turn."""
        is_in = False
        try:
            async with self.queue.turn(owner):
                is_in = True
                self.let_in.append(owner)
                await self.ending.get()
                if fails:
                    raise Unavailable("The database does not answer.")
        except Unavailable as error:
            if not is_in:
                self.refused.setdefault(owner, []).append(error.extensions["retryAfter"])

    def crowd(self, number: int, owner: Callable[[int], Hashable] = lambda index: index) -> None:
        """So many come at once."""
        self.gone += [asyncio.create_task(self.come(owner(index))) for index in range(number)]

    async def end(self, turns: int, seconds: float = COST) -> None:
        """So many turns end, one after the other."""
        for _ in range(turns):
            self.now += seconds
            self.ending.put_nowait(None)
            for _ in range(5):
                await asyncio.sleep(0)


@asynccontextmanager
async def door(limit: int = 1, *, measured: bool = True) -> AsyncIterator[Door]:
    """A queue that knows, if it is measured, what a turn costs, and in which nobody is."""
    it = Door(limit)
    if measured:
        it.crowd(SAMPLES + limit)
        await settled()
        await it.end(SAMPLES + limit)
        it.let_in.clear()
        assert it.queue.cost == COST
    yield it
    for task in it.gone:
        task.cancel()
    await asyncio.gather(*it.gone, return_exceptions=True)
    assert len(it.queue) == 0


async def test_beyond_a_queue_of_ten_seconds_newcomers_are_refused() -> None:
    async with door() as it:
        it.crowd(700)
        await settled()
        # The 641st that waits does so for 640 × 15.6 ms; the next one would for longer than ten seconds.
        assert (len(it.let_in), len(it.queue), len(it.refused)) == (1, 641, 700 - PLACES)
        await it.end(700)
        assert len(it.let_in) == PLACES


async def test_the_more_a_turn_costs_the_fewer_wait() -> None:
    async with door() as it:
        it.crowd(1_000)
        await settled()
        await it.end(PLACES - 1, seconds=8 * COST)  # as when each has a board rendered
        assert it.queue.cost == pytest.approx(8 * COST, rel=0.001)
        it.crowd(200)
        await settled()
        assert len(it.queue) == 81


async def test_those_who_are_refused_are_told_to_come_one_after_the_other() -> None:
    async with door() as it:
        it.crowd(PLACES + 500)
        await settled()
        seconds = [told for [told] in it.refused.values()]
        # As the queue would go on: 64 in each second.
        assert seconds == sorted(seconds)
        assert [seconds.count(second) for second in range(11, 19)] == [64, 64, 64, 64, 64, 64, 64, 52]
        it.crowd(8_000, lambda index: f"later {index}")
        await settled()
        late = [told for [told] in it.refused.values()][7_000:]
        assert LONGEST_RETRY_SECONDS / 2 <= min(late) < max(late) <= LONGEST_RETRY_SECONDS


async def test_whoever_comes_again_and_again_before_its_time_keeps_others_waiting_for_little() -> None:
    async with door() as it:
        it.crowd(PLACES)
        it.crowd(5_000, lambda _: "impatient")
        it.crowd(1, lambda _: "another")
        await settled()
        # The time of whoever comes first, and of the hundred that one owner may have: 100 × 15.6 ms.
        assert (min(it.refused["impatient"]), it.refused["another"]) == (11, [12])


async def test_after_a_storm_the_next_one_is_told_no_longer_times_for_it() -> None:
    async with door() as it:
        it.crowd(PLACES + 20_000)
        await settled()
        await it.end(PLACES)
        it.now += LONGEST_RETRY_SECONDS
        it.refused.clear()
        it.crowd(PLACES + 1, lambda index: f"later {index}")
        await settled()
        assert list(it.refused.values()) == [[11]]


async def test_an_owner_that_comes_in_crowds_delays_no_other_and_books_for_itself() -> None:
    async with door() as it:
        it.crowd(5_000, lambda _: "a crowd")
        await settled()
        assert len(it.refused["a crowd"]) == 5_000 - PLACES
        it.crowd(3)
        await settled()
        assert list(it.refused) == ["a crowd"]
        await it.end(5)
        # Its own turns and those of the others alternate.
        assert sorted(map(str, it.let_in[:6])) == ["0", "1", "2", "a crowd", "a crowd", "a crowd"]


async def test_until_the_cost_is_known_nobody_is_refused() -> None:
    async with door(measured=False) as it:
        it.crowd(1_000)
        await settled()
        await it.end(SAMPLES - 1, seconds=1.0)
        assert (it.queue.cost, it.refused) == (0.0, {})
        await it.end(1, seconds=1.0)
        assert it.queue.cost == 1.0


async def test_while_nobody_waits_nothing_is_measured() -> None:
    async with door(limit=2) as it:
        it.crowd(1)
        await settled()
        await it.end(1, seconds=3_600)
        assert it.queue.cost == COST


async def test_a_turn_that_fails_is_not_measured() -> None:
    async with door() as it:
        it.gone += [asyncio.create_task(it.come(index, fails=True)) for index in range(100)]
        await settled()
        await it.end(100, seconds=5.0)
        assert it.queue.cost == COST


async def test_whoever_leaves_is_not_in_the_queue_any_more() -> None:
    async with door() as it:
        it.crowd(400)
        await settled()
        for task in it.gone[-300:]:
            task.cancel()
        await settled()
        assert len(it.queue) == 99
        await it.end(400)
        assert len(it.let_in) == 100


async def test_a_turn_that_does_not_come_in_time_is_given_up() -> None:
    """As while the database hangs, when nothing can be measured."""
    queue = AdmissionControl(1, longest_seconds=0.01)
    async with queue.turn("first"):
        for owner in range(3):
            with pytest.raises(Unavailable):
                async with queue.turn(owner):
                    pass
        assert len(queue) == 0
    async with queue.turn("next"):
        pass
