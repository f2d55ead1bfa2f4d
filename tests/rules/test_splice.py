"""Joining what was read to what was heard: each position once, in order, or a Gap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.live.splice import Gap, splice
from tests.rules.changes import change, changes


def positions(*given: int, after: int) -> list[int]:
    return [joined.position for joined in splice([change(position) for position in given], after=after)]


def test_what_was_seen_already_is_left_out() -> None:
    assert positions(1, 2, 3, 4, after=2) == [3, 4]


def test_sources_may_overlap_and_come_in_any_order() -> None:
    assert positions(5, 3, 4, 3, 5, after=2) == [3, 4, 5]


def test_nothing_follows_nothing() -> None:
    assert positions(after=7) == []


def test_a_missing_position_is_a_gap_and_nothing_is_delivered() -> None:
    with pytest.raises(Gap) as gap:
        positions(3, 5, after=2)
    assert (gap.value.expected, gap.value.found) == (4, 5)


@given(st.integers(0, 20), st.integers(0, 20), st.randoms(use_true_random=False), st.integers(0, 30))
def test_any_overlap_of_a_whole_log_gives_each_position_once(
    after: int, length: int, random: object, repeats: int
) -> None:
    log = changes(1, after + length)
    heard = [log[index % len(log)] for index in range(repeats)] if log else []
    mixed = [*log, *heard]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert [found.position for found in splice(mixed, after=after)] == list(range(after + 1, after + length + 1))


@given(st.integers(0, 10), st.integers(2, 20), st.data())
def test_any_hole_is_noticed(after: int, length: int, data: st.DataObject) -> None:
    missing = data.draw(st.integers(after + 1, after + length - 1))
    with pytest.raises(Gap) as gap:
        splice([found for found in changes(1, after + length) if found.position != missing], after=after)
    assert gap.value.expected == missing
