"""Redis that answers and passes nothing on is noticed by what the log has, and nobody has announced."""

from __future__ import annotations

from datetime import timedelta

import pytest

from memberstaff.live import announcements
from memberstaff.live.announcements import Announcements
from tests.rules.changes import DAY

OTHER_DAY = DAY + timedelta(days=1)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one reading finds should have been heard of by the next."""
    monkeypatch.setattr(announcements, "LATE_SECONDS", 0)


@pytest.fixture
def calls() -> list[None]:
    return []


@pytest.fixture
def announced(calls: list[None]) -> Announcements:
    return Announcements(lambda: calls.append(None))


async def test_three_positions_that_nobody_announces_within_a_minute_are_deafness_until_one_is_announced(
    announced: Announcements, calls: list[None]
) -> None:
    for position in (1, 2, 3):
        announced.read({DAY: position})
        assert (announced.deaf, calls) == (False, [])
    announced.read({})
    assert (announced.deaf, calls) == (True, [None])
    announced.heard(DAY, 4)
    assert not announced.deaf


async def test_while_it_lasts_it_is_told_once_a_minute(
    announced: Announcements, calls: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for position in range(1, 20):
        announced.read({DAY: position})
    assert (announced.deaf, len(calls)) == (True, 1)
    monkeypatch.setattr(announced, "_call_at", 0)  # a minute later
    announced.read({DAY: 20})
    assert (announced.deaf, len(calls)) == (True, 2)


async def test_what_is_announced_only_after_it_was_read_is_not_missed(
    announced: Announcements, calls: list[None]
) -> None:
    for position in range(1, 20):
        announced.read({DAY: position})
        announced.heard(DAY, position)
    assert (announced.deaf, calls) == (False, [])


async def test_what_is_announced_of_another_day_does_not_stand_for_it(
    announced: Announcements, calls: list[None]
) -> None:
    for position in range(1, 5):
        announced.read({DAY: position})
        announced.heard(OTHER_DAY, position)
    assert (announced.deaf, calls) == (True, [None])


async def test_a_position_has_a_second_to_be_announced(
    announced: Announcements, calls: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcements, "LATE_SECONDS", 3_600)
    for position in range(1, 20):
        announced.read({DAY: position})
    assert (announced.deaf, calls) == (False, [])


async def test_commands_that_announce_nothing_are_no_deafness_unless_they_come_often(
    announced: Announcements, calls: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcements, "WITHIN_SECONDS", 0)
    for position in range(1, 20):
        announced.read({DAY: position})
    assert (announced.deaf, calls) == (False, [])
