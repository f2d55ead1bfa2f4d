"""A feed cursor comes back as it was handed out, and nothing else is one."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memberstaff.attendance.cursor import LONGEST, Cursor
from memberstaff.errors import RequestErrorCode, RestartRequired

CURSOR = Cursor(1_795_000_000, date(2026, 1, 12), 7)
EPOCHS = st.integers(0, 2**63 - 1)
CURSORS = st.builds(Cursor, EPOCHS, st.dates(), st.integers(0, 2**63 - 1))


def encoded(plain: str | bytes) -> str:
    """Text as a cursor would be written."""
    return urlsafe_b64encode(plain.encode() if isinstance(plain, str) else plain).decode().rstrip("=")


@given(CURSORS)
def test_a_cursor_comes_back_as_it_was(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor)) == cursor


@given(CURSORS)
def test_a_cursor_is_safe_in_an_address_and_short(cursor: Cursor) -> None:
    text = str(cursor)
    assert text.isascii()
    assert text.replace("-", "").replace("_", "").isalnum()
    assert len(text) <= 90


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "ü",
        "\ud800",
        str(CURSOR) + "=",
        str(CURSOR) + " ",
        str(CURSOR)[:-1],
        "A" * LONGEST,
        "A" * (LONGEST + 1),
        encoded(b"\xff\xfe.2026-01-12.7"),
        encoded("e.2026-01-12.7"),
        encoded("-5.2026-01-12.7"),
        encoded("05.2026-01-12.7"),
        encoded(f"{2**63}.2026-01-12.7"),
        encoded("5.2026-01-12"),
        encoded("5.2026-01-12.7.8"),
        encoded("5.2026-02-30.7"),
        encoded("5.20260112.7"),
        encoded("5.2026-W03-1.7"),
        encoded("5.2026-01-12.-1"),
        encoded("5.2026-01-12.07"),
        encoded("5.2026-01-12.+7"),
        encoded("5.2026-01-12. 7"),
        encoded("5.2026-01-12.1_000"),
        encoded("5.2026-01-12.٧"),
        encoded("5.2026-01-12.7.0"),
        encoded(f"5.2026-01-12.{2**63}"),
        encoded("5.2026-01-12." + "9" * 100),
    ],
)
def test_what_was_never_handed_out_is_told_so(text: str) -> None:
    with pytest.raises(RestartRequired) as refused:
        Cursor.parse(text)
    assert refused.value.code is RequestErrorCode.RESTART_REQUIRED
    assert refused.value.message == (
        "This is not a feed cursor. Query the day again and subscribe from the feedCursor in its answer."
    )


def test_the_last_position_that_a_database_holds_can_be_resumed_from() -> None:
    last = Cursor(2**63 - 1, date(2026, 1, 12), 2**63 - 1)
    assert Cursor.parse(str(last)) == last


@given(st.text() | st.text("ABCDEFabcdef0123456789-_=") | st.text().map(encoded) | st.binary(max_size=90).map(encoded))
@example(encoded(".2026-01-12.0"))
def test_any_text_is_a_cursor_or_means_to_start_again(text: str) -> None:
    try:
        cursor = Cursor.parse(text)
    except RestartRequired:
        return
    assert str(cursor) == text
    assert 0 <= cursor.position < 2**63


@given(CURSORS, st.data())
def test_a_cursor_with_another_letter_is_never_the_same_place(cursor: Cursor, data: st.DataObject) -> None:
    text = str(cursor)
    index = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda letter: letter != text[index]))
    try:
        other = Cursor.parse(text[:index] + letter + text[index + 1 :])
    except RestartRequired:
        return
    assert other != cursor
