"""Boards that come, watch and go leave nothing behind, and neither does what they have seen."""

from __future__ import annotations

import pytest

from tests.clock import TurnedClock
from tests.installation import install
from tests.soak.leaks import left_by_boards, left_by_events


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_300_boards_that_come_and_vanish_leave_nothing_behind(furnished_url: str, clock: TurnedClock) -> None:
    async with install(furnished_url, clock=clock, poll_seconds=0.1) as office:
        left = await left_by_boards(office, 300)
    assert left.total() < 300, left.most_common(5)  # one object a board would be a leak


@pytest.mark.parametrize("engine", ["sqlite"])  # on PostgreSQL it takes four times as long
async def test_1500_events_with_nested_selections_leave_nothing_behind(furnished_url: str, clock: TurnedClock) -> None:
    async with install(furnished_url, clock=clock, poll_seconds=0.1, recent_changes=10) as office:
        left, _ = await left_by_events(office, 1_500)
    assert left.total() < 1_500, left.most_common(5)  # one object for each event
