"""Pages: how large they may be, and where the next one begins."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.errors import RequestError, RequestErrorCode
from schema.relay import BOARD_PAGE, PAGE, PageInfo, page_cursor, page_size, parse_page_cursor
from tests.rules.encoding import encoded

FOREIGN = "`after` is not a cursor of this list."
STORABLE = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))


def message(action: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(RequestError) as refused:
        action(*arguments, **options)
    assert refused.value.code is RequestErrorCode.BAD_REQUEST
    return refused.value.message


@pytest.mark.parametrize(("first", "size"), [(None, 50), (0, 0), (1, 1), (99, 99), (PAGE, PAGE)])
def test_a_page_is_as_large_as_asked_for(first: int | None, size: int) -> None:
    assert page_size(first, default=50) == size


@pytest.mark.parametrize("first", [-1, PAGE + 1, 2**31 - 1, -(2**31)])
def test_a_page_of_another_size_is_refused(first: int) -> None:
    assert message(page_size, first, default=50) == "`first` must be between 0 and 100."


def test_a_days_board_may_be_one_page() -> None:
    assert page_size(BOARD_PAGE, default=100, most=BOARD_PAGE) == 1_000
    assert message(page_size, 1_001, default=100, most=BOARD_PAGE) == "`first` must be between 0 and 1,000."


@given(STORABLE, st.integers(-(2**63), 2**63 - 1), STORABLE)
def test_a_place_comes_back_as_it_was(name: str, number: int, cursor: str) -> None:
    text = page_cursor(name, number, cursor)
    assert text.isascii()
    assert parse_page_cursor(text, str, int, str) == (name, number, cursor)


def test_no_cursor_is_the_beginning() -> None:
    assert parse_page_cursor(None, str, int) is None


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "ü",
        "\ud800",
        page_cursor("amina"),
        page_cursor(1, "amina"),
        page_cursor("amina", 1, "x"),
        page_cursor("amina", "1"),
        page_cursor("amina", 1.5),
        page_cursor("amina", True),
        page_cursor("amina", None),
        page_cursor("amina", 2**63),
        page_cursor(["amina"], 1),
        page_cursor("amina", 1) + "=",
        page_cursor("amina", 1)[:-1],
        encoded('["amina", 1]'),
        encoded('["amina",1e0]'),
        encoded('["amina",-9223372036854775809]'),
        encoded('["amina",99999999999999999999999999]'),
        encoded('["\\u0000",1'),
        encoded('{"amina":1}'),
        encoded("null"),
        encoded("[" * 3_000),
        encoded(b"\xff"),
    ],
)
def test_a_cursor_of_another_list_is_refused(cursor: str) -> None:
    assert message(parse_page_cursor, cursor, str, int) == FOREIGN


def test_a_cursor_holds_no_text_that_no_database_keeps() -> None:
    assert message(parse_page_cursor, page_cursor("a\x00", 1), str, int) == FOREIGN


@given(
    st.text() | st.text().map(encoded) | st.lists(st.integers() | st.text()).map(lambda place: encoded(dumped(place)))
)
def test_any_text_is_a_place_or_refused(cursor: str) -> None:
    try:
        place = parse_page_cursor(cursor, str, int)
    except RequestError as refused:
        assert refused.message == FOREIGN
        return
    assert place is not None
    assert page_cursor(*place) == cursor


def dumped(place: list[Any]) -> bytes:
    """JSON, also of numbers that are longer than any we write."""
    try:
        return msgspec.json.encode(place)
    except TypeError:
        return str(place).encode()


def test_a_page_says_where_it_lies() -> None:
    info = PageInfo.of(["a", "b"], after=None, more=True)
    assert (info.has_next_page, info.has_previous_page, info.start_cursor, info.end_cursor) == (True, False, "a", "b")
    end = PageInfo.of([], after="b", more=False)
    assert (end.has_next_page, end.has_previous_page, end.start_cursor, end.end_cursor) == (False, True, None, None)
