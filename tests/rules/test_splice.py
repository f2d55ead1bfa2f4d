"""Log and live are joined to each change once, in order; a hole is never passed over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.changes import Change
from memberstaff.live.splice import Gap, splice
from tests.rules.changes import change, changes


def positions(joined: list[Change]) -> list[int]:
    return [change.position for change in joined]


def test_nothing_joined_to_nothing_is_nothing() -> None:
    assert splice([], after=0) == []


def test_what_was_seen_already_is_left_out() -> None:
    assert positions(splice(changes(1, 5), after=3)) == [4, 5]


def test_what_lies_in_log_and_live_comes_once() -> None:
    assert positions(splice([*changes(1, 4), *changes(3, 6)], after=0)) == [1, 2, 3, 4, 5, 6]


def test_live_may_come_before_the_log() -> None:
    assert positions(splice([*changes(4, 6), *changes(1, 3)], after=0)) == [1, 2, 3, 4, 5, 6]


def test_only_old_changes_join_to_nothing() -> None:
    assert splice(changes(1, 7), after=7) == []


@pytest.mark.parametrize(
    ("given", "after", "expected", "found"),
    [
        ([2], 0, 1, 2),
        ([1, 3], 0, 2, 3),
        ([9], 7, 8, 9),
        ([8, 9, 11, 12], 7, 10, 11),
        ([1, 2, 9], 7, 8, 9),
    ],
)
def test_a_hole_says_what_is_missing(given: list[int], after: int, expected: int, found: int) -> None:
    with pytest.raises(Gap) as gap:
        splice(map(change, given), after=after)
    assert (gap.value.expected, gap.value.found) == (expected, found)
    assert str(gap.value) == f"expected position {expected}, found {found}"


@st.composite
def heard(draw: st.DrawFn) -> tuple[list[int], int, int]:
    """Positions up to the last, each at least once, in any order; and where the reader stands."""
    last = draw(st.integers(0, 30))
    again = draw(st.lists(st.integers(1, last), max_size=20)) if last else []
    return draw(st.permutations([*range(1, last + 1), *again])), draw(st.integers(0, last)), last


@given(heard())
def test_in_whatever_order_and_however_often_changes_come_each_is_delivered_once(
    log: tuple[list[int], int, int],
) -> None:
    shuffled, after, last = log
    assert splice(map(change, shuffled), after=after) == changes(after + 1, last)


@given(heard(), st.data())
def test_whichever_change_is_missing_nothing_behind_it_is_delivered(
    log: tuple[list[int], int, int], data: st.DataObject
) -> None:
    shuffled, after, last = log
    lost = data.draw(st.integers(after + 1, last + 1))
    kept = [position for position in [*shuffled, last + 2] if position != lost]
    following = min(position for position in [*range(lost + 1, last + 1), last + 2] if position > lost)
    with pytest.raises(Gap) as gap:
        splice(map(change, kept), after=after)
    assert gap.value.expected == lost
    assert gap.value.found == (following if lost <= last else last + 2)
