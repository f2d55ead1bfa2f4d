"""A watched day: whatever is heard or missed, a follower sees each position exactly once, in order."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.changes import DayProgress
from memberstaff.errors import RestartRequired
from memberstaff.live.watched_day import WatchedDay
from tests.rules.changes import DAY, change, changes


def state(position: int, day_version: int = 0) -> DayProgress:
    return DayProgress(DAY, position, day_version)


def day_at(position: int, *, recent_limit: int = 10) -> WatchedDay:
    day = WatchedDay(DAY, recent_limit=recent_limit)
    assert day.advance(state(0), 1, ())
    assert day.advance(state(position), 1, changes(max(0, position - recent_limit) + 1, position))
    return day


def seen(day: WatchedDay, after: int) -> list[int] | None:
    found = day.since(after)
    return None if found is None else [change.position for change in found]


def in_memory(day: WatchedDay) -> int:
    """How many changes need not be read from the log."""
    return sum(seen(day, position) is not None for position in range(day.position))


def test_a_change_that_continues_is_delivered() -> None:
    day = day_at(3)
    assert day.advance(state(4), 1, changes(4, 4))
    assert seen(day, 3) == [4]


def test_a_ring_that_skips_is_refused_and_delivers_nothing() -> None:
    day = day_at(3)
    assert not day.advance(state(6), 1, changes(6, 6))
    assert not day.advance(state(6), 1, ())
    assert (day.position, seen(day, 3)) == (3, [])


def test_a_ring_heard_again_changes_nothing() -> None:
    day = day_at(3)
    assert day.advance(state(2), 1, changes(2, 2))
    assert (day.position, seen(day, 2)) == (3, [3])


def test_what_is_no_longer_in_memory_is_to_be_read_from_the_log() -> None:
    day = day_at(30, recent_limit=10)
    assert seen(day, 19) is None
    assert seen(day, 20) == list(range(21, 31))


def test_a_changed_roster_forgets_the_names_in_memory() -> None:
    day = day_at(3)
    assert day.advance(state(3), 2, ())
    assert seen(day, 1) is None
    assert day.advance(state(4), 2, [change(4, name="Amina B.", roster_version=2)])
    assert seen(day, 3) == [4]


def test_a_change_with_the_names_of_an_older_roster_is_to_be_read_from_the_log() -> None:
    day = day_at(3)
    assert day.advance(state(3), 2, ())
    assert not day.advance(state(4), 2, changes(4, 4))
    assert (day.position, seen(day, 3)) == (3, [])
    assert day.advance(state(4), 2, changes(4, 4, roster_version=3))
    assert seen(day, 3) == [4]


def test_a_day_begins_at_its_last_position_with_nothing_in_memory() -> None:
    day = WatchedDay(DAY, recent_limit=10)
    assert day.read_from(30) == 30
    assert day.advance(state(30), 1, ())
    assert (day.position, seen(day, 30), seen(day, 29)) == (30, [], None)
    assert day.advance(state(31), 1, changes(31, 31))
    assert (seen(day, 30), seen(day, 29)) == ([31], None)


def test_nothing_need_be_kept_in_memory() -> None:
    day = day_at(5, recent_limit=0)
    assert day.advance(state(6), 1, changes(6, 6))
    assert (seen(day, 6), seen(day, 5)) == ([], None)


def test_a_log_that_has_ended_sends_everybody_back_to_the_start() -> None:
    day = day_at(3)
    day.end("The history was restored from a backup.")
    with pytest.raises(RestartRequired, match="restored from a backup"):
        day.since(3)


async def test_whoever_waits_is_woken_by_any_news_and_by_nothing_else() -> None:
    day = day_at(3)
    waiting = asyncio.ensure_future(day.changed())
    await asyncio.sleep(0)
    day.advance(state(3), 1, ())
    await asyncio.sleep(0)
    assert not waiting.done()
    day.advance(state(3, day_version=1), 1, ())
    await asyncio.wait_for(waiting, 5)


def test_at_most_twice_as_much_as_was_asked_for_stays_in_memory() -> None:
    day = day_at(0, recent_limit=4)
    kept = []
    for position in range(1, 13):
        assert day.advance(state(position), 1, changes(position, position))
        kept.append(in_memory(day))
    assert kept == [1, 2, 3, 4, 5, 6, 7, 8, 4, 5, 6, 7]


HOW = ["heard", "heard again", "heard in part", "heard late", "lost", "without changes", "renamed", "read"]


@given(
    recent_limit=st.integers(0, 5),
    steps=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(HOW)),
        max_size=30,
    ),
)
def test_a_follower_sees_each_position_once_whatever_is_heard(recent_limit: int, steps: list[tuple[int, str]]) -> None:
    log, roster = 0, 1
    day = day_at(0, recent_limit=recent_limit)
    followed: list[int] = []

    def follow() -> None:
        while (found := day.since(followed[-1] if followed else 0)) is None or found:
            after = followed[-1] if followed else 0
            followed.extend(
                [made.position for made in found] if found is not None else range(after + 1, min(after + 3, log) + 1)
            )

    for number, how in [*steps, (1, "read")]:
        before, log = log, log + number
        if how == "heard":
            day.advance(state(log), roster, changes(before + 1, log, roster_version=roster))
        elif how == "heard again":
            for _ in range(2):
                day.advance(state(log), roster, changes(1, log, roster_version=roster))
        elif how == "heard in part":
            day.advance(state(log), roster, changes(before + 2, log, roster_version=roster))
        elif how == "heard late":
            day.advance(state(before), roster, changes(1, before))
            day.advance(state(log), roster - 1, changes(before + 1, log, roster_version=roster - 1))
        elif how == "without changes":
            day.advance(state(log), roster, ())
        elif how == "renamed":
            roster += 1
            day.advance(state(day.position), roster, ())
        elif how == "read":
            assert day.advance(state(log), roster, changes(day.read_from(log) + 1, log, roster_version=roster))
        follow()
        assert in_memory(day) <= 2 * recent_limit
    assert followed == list(range(1, log + 1))


def test_each_change_is_the_first_to_be_sent_once_whatever_groups_send_it() -> None:
    watched = WatchedDay(DAY, recent_limit=4)
    watched.advance(DayProgress(DAY, 3, 0), 1, [])
    watched.advance(DayProgress(DAY, 7, 0), 1, changes(4, 7))
    assert [change.position for change in watched.first_sent(3, 5)] == [4, 5]
    assert [change.position for change in watched.first_sent(3, 5)] == []
    assert [change.position for change in watched.first_sent(3, 7)] == [6, 7]
    assert [change.position for change in watched.first_sent(5, 6)] == []
    watched.advance(DayProgress(DAY, 9, 0), 2, changes(8, 9, roster_version=2))
    assert [change.position for change in watched.first_sent(6, 9)] == [8, 9]
