"""Dates and instants are written one way only, whatever else Python would take."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from schema.scalars import parse_date, parse_instant, write_instant

DATE = "A Date must be YYYY-MM-DD, such as 2026-01-15."
INSTANT = "A DateTime must be RFC 3339, such as 2026-01-15T08:30:00Z."
JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()) | st.just({"a": 1})


def message(parse: Any, value: Any) -> str:
    with pytest.raises(GraphQLError) as refused:
        parse(value)
    return str(refused.value.message)


@given(st.dates())
def test_a_date_comes_back_as_it_was(day: date) -> None:
    assert parse_date(day.isoformat()) == day


@pytest.mark.parametrize(
    "value",
    [
        "20260115",
        "2026-W03-4",
        "2026W034",
        "2026-015",
        "2026-1-15",
        "26-01-15",
        "15.01.2026",
        "2026-01-15T00:00:00Z",
        " 2026-01-15",
        "2026-01-15\n",
        "２０２６-01-15",
        "+2026-01-15",
        "12026-01-15",
        "today",
        "",
        None,
        20260115,
        1.5,
        True,
        ["2026-01-15"],
        {"date": "2026-01-15"},
    ],
)
def test_a_date_of_another_form_is_told_how_to_be_written(value: Any) -> None:
    assert message(parse_date, value) == DATE


@pytest.mark.parametrize("value", ["2026-02-30", "2026-13-01", "2026-00-10", "2026-01-00", "2025-02-29", "0000-01-01"])
def test_a_day_that_never_comes_is_told_so(value: str) -> None:
    assert message(parse_date, value) == f"{value} does not exist in the calendar."


@given(JSON)
def test_any_value_is_a_date_or_refused_in_plain_words(value: Any) -> None:
    try:
        day = parse_date(value)
    except GraphQLError as refused:
        assert refused.message == DATE or refused.message.startswith("There is no ")
        return
    assert day.isoformat() == value


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-15T08:30:00Z", datetime(2026, 1, 15, 8, 30, tzinfo=UTC)),
        ("2026-01-15T08:30:00.250+00:00", datetime(2026, 1, 15, 8, 30, 0, 250_000, tzinfo=UTC)),
        ("2026-01-15T10:00:00+01:30", datetime(2026, 1, 15, 8, 30, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_with_its_offset(text: str, instant: datetime) -> None:
    assert parse_instant(text) == instant
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-15T08:30:00",
        "2026-01-15",
        "20260115T083000Z",
        "2026-W03-4T08:30:00Z",
        "2026-02-30T08:30:00Z",
        "2026-01-15T25:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "yesterday",
        None,
        1_768_466_400,
        True,
    ],
)
def test_what_is_no_instant_is_told_how_one_is_written(value: Any) -> None:
    assert message(parse_instant, value) == INSTANT


@given(JSON)
def test_any_value_is_an_instant_or_refused_in_plain_words(value: Any) -> None:
    try:
        assert parse_instant(value).tzinfo is UTC
    except GraphQLError as refused:
        assert refused.message == INSTANT


def test_an_instant_is_written_in_utc_with_milliseconds() -> None:
    instant = datetime(2026, 1, 15, 10, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=1, minutes=30)))
    assert write_instant(instant) == "2026-01-15T08:30:00.123Z"


@given(st.lists(st.datetimes(timezones=st.just(UTC)), min_size=2))
def test_instants_as_text_are_in_the_order_of_time(instants: list[datetime]) -> None:
    written = [write_instant(instant) for instant in sorted(instants)]
    assert written == sorted(written)
    assert {len(text) for text in written} == {24}
