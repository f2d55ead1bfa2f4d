"""Feed cursors: opaque, exact, and nothing else is one."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.errors import RestartRequired
from memberstaff.live.cursor import Cursor

EPOCHS = st.text(st.characters(categories=["Lu", "Ll", "Nd"], max_codepoint=127), min_size=1, max_size=16)


@given(EPOCHS, st.dates(), st.integers(0, 2**63 - 1))
def test_a_cursor_is_read_back(epoch: str, day: date, position: int) -> None:
    cursor = Cursor(epoch, day, position)
    assert Cursor.parse(str(cursor)) == cursor


@given(st.text(max_size=80))
def test_any_other_text_is_refused(text: str) -> None:
    try:
        assert str(Cursor.parse(text)) == text
    except RestartRequired as refused:
        assert refused.code == "RESTART_REQUIRED"


@pytest.mark.parametrize("position", [-1, 2**63])
def test_positions_that_no_log_has_are_refused(position: int) -> None:
    with pytest.raises(RestartRequired):
        Cursor.parse(str(Cursor("epoch", date(2026, 1, 12), position)))
