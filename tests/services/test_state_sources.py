"""Of a day's state a group is always sent the latest."""

from __future__ import annotations

import asyncio

import pytest

from memberstaff.access import COMMAND_LINE
from memberstaff.changes import Status
from memberstaff.db.installation import new_epoch
from memberstaff.errors import RestartRequired, Unavailable
from memberstaff.live.feed import Feed
from memberstaff.live.sources import DayStates
from tests.databases import Engine
from tests.services.boards import held
from tests.services.school import TODAY, School
from tests.services.sourced import after, mark_all


class Counts:
    """Renders how far a day has come, by a statement of its own."""

    def __init__(self, school: School) -> None:
        self._school = school
        self.failing: list[Exception] = []
        """Raised one by one."""
        self.times = 0

    async def render(self) -> bytes:
        self.times += 1
        if self.failing:
            raise self.failing.pop(0)
        return str(await self._school.position()).encode()


@pytest.fixture
def engine() -> Engine:
    """What is made of a day's state, wherever it was read."""
    return "sqlite"


@pytest.fixture
def counts(school: School) -> Counts:
    return Counts(school)


@pytest.fixture
def states(feed: Feed, counts: Counts) -> DayStates:
    """Today's state, which is its position."""
    return DayStates(feed, TODAY, counts.render)


async def test_a_state_is_sent_at_once_and_again_when_it_has_changed(
    school: School, feed: Feed, states: DayStates
) -> None:
    await school.mark("Amina", Status.LATE)
    async with states.open() as position:
        assert (position, await states.start(None)) == (0, 0)
        assert await after(states, 0) == (1, ["1"])
        waiting = asyncio.create_task(after(states, 1))
        await school.mark("Björn", Status.LATE)
        feed.on_notification(school.notifications[-1])
        assert await waiting == (2, ["2"])


async def test_changes_that_come_together_are_one_state(school: School, feed: Feed, states: DayStates) -> None:
    async with states.open():
        assert await after(states, 0) == (1, ["0"])
        await mark_all(school)
        for notification in school.notifications:
            feed.on_notification(notification)
        assert await after(states, 1) == (2, ["3"])


async def test_who_is_behind_is_given_the_latest_without_another_rendering(
    school: School, feed: Feed, states: DayStates, counts: Counts
) -> None:
    async with states.open():
        await after(states, 0)
        await school.mark("Amina", Status.LATE)
        feed.on_notification(school.notifications[-1])
        assert await after(states, 1) == (2, ["1"])
        assert await after(states, 0) == (2, ["1"])
        assert await after(states, 1) == (2, ["1"])
    assert counts.times == 2


async def test_a_state_whose_rendering_failed_is_still_news(
    school: School, feed: Feed, states: DayStates, counts: Counts
) -> None:
    async with states.open():
        assert await after(states, 0) == (1, ["0"])
        await school.mark("Amina", Status.LATE)
        feed.on_notification(school.notifications[-1])
        counts.failing = [Unavailable("The database does not answer."), Unavailable("Nor now.")]
        for _ in range(2):
            with pytest.raises(Unavailable):
                await after(states, 1)
        assert await after(states, 1) == (2, ["1"])  # though nothing else has changed


async def test_a_change_that_comes_during_a_rendering_is_rendered_next(
    school: School, feed: Feed, states: DayStates
) -> None:
    async with states.open():
        await after(states, 0)
        await school.mark("Amina", Status.LATE)
        feed.on_notification(school.notifications[-1])
        with held(school.database, "SELECT attendance_day.position") as reading:
            first = asyncio.create_task(after(states, 1))
            await reading.read.wait()
            await school.mark("Björn", Status.LATE)
            feed.on_notification(school.notifications[-1])
            reading.go.set()
            assert await first == (2, ["1"])
        assert await after(states, 2) == (3, ["2"])


async def test_a_state_ends_with_its_epoch(school: School, feed: Feed, states: DayStates) -> None:
    async with states.open():
        await after(states, 0)
        waiting = asyncio.create_task(after(states, 1))
        async with school.work(COMMAND_LINE) as work:
            await new_epoch(work)
        await feed.refresh()
        with pytest.raises(RestartRequired, match="restored from a backup"):
            await waiting
