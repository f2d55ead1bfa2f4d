"""Rings between processes: what one wrote the other reads, and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.events import Change, DayState, Ring, Status
from memberstaff.live.wire import MOST_CHANGES, Unreadable, decode, encode
from tests.rules.changes import DAY, changes

TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(0, 2**53)
CHANGES = st.builds(
    Change,
    date=st.dates(),
    position=NUMBERS,
    staff_id=NUMBERS,
    version=NUMBERS,
    status=st.sampled_from(Status),
    note=TEXT,
    photo_url=TEXT,
    changed_at=st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC)),
    changed_by=st.none() | NUMBERS,
    changed_by_name=TEXT,
    staff_name=TEXT,
    staff_category=TEXT,
    staff_photo_url=TEXT,
)
RINGS = st.builds(
    Ring,
    epoch=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    roster_version=st.none() | NUMBERS,
    days=st.lists(st.builds(DayState, st.dates(), NUMBERS, NUMBERS), max_size=3).map(tuple),
    changes=st.lists(CHANGES, max_size=3).map(tuple),
    accounts=st.lists(NUMBERS, max_size=3).map(tuple),
    sessions=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=3).map(tuple),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["epoch", "days", "x"]), inner),
)


@given(RINGS)
def test_a_ring_is_read_back(ring: Ring) -> None:
    assert decode(encode(ring)) == ring


@given(st.text(max_size=40) | JSON.map(json.dumps))
def test_anything_else_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        decode(text)


def test_a_ring_for_many_changes_says_only_how_far_the_day_came() -> None:
    state = DayState(DAY, MOST_CHANGES + 1, 0)
    ring = Ring("epoch", days=(state,), changes=tuple(changes(1, MOST_CHANGES + 1)))
    assert decode(encode(ring)) == Ring("epoch", days=(state,))
