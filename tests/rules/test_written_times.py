"""Times as people write them in files are read in the organisation's zone, and never guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from memberstaff.attendance.written_times import BadTime, read_time

BERLIN = ZoneInfo("Europe/Berlin")
THURSDAY, FORWARD, BACK = date(2026, 1, 15), date(2026, 3, 29), date(2026, 10, 25)


@pytest.mark.parametrize(
    ("text", "on", "instant"),
    [
        ("08:05", THURSDAY, datetime(2026, 1, 15, 7, 5, tzinfo=UTC)),
        ("8:05", THURSDAY, datetime(2026, 1, 15, 7, 5, tzinfo=UTC)),
        ("08:05:30", THURSDAY, datetime(2026, 1, 15, 7, 5, 30, tzinfo=UTC)),
        ("2026-01-16 06:00", THURSDAY, datetime(2026, 1, 16, 5, tzinfo=UTC)),
        ("2026-01-16t06:00:01", THURSDAY, datetime(2026, 1, 16, 5, 0, 1, tzinfo=UTC)),
        ("2026-01-15T07:05:00.123Z", THURSDAY, datetime(2026, 1, 15, 7, 5, 0, 123_000, tzinfo=UTC)),
        ("2026-01-15 08:05:00+05:30", THURSDAY, datetime(2026, 1, 15, 2, 35, tzinfo=UTC)),
        ("01:59", FORWARD, datetime(2026, 3, 29, 0, 59, tzinfo=UTC)),
        ("03:00", FORWARD, datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("01:59", BACK, datetime(2026, 10, 24, 23, 59, tzinfo=UTC)),
        ("03:00", BACK, datetime(2026, 10, 25, 2, tzinfo=UTC)),
        ("2026-10-25T02:30:00+01:00", BACK, datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("-", THURSDAY, None),
    ],
)
def test_a_time_is_read_as_it_is_meant(text: str, on: date, instant: datetime | None) -> None:
    assert read_time(text, on, BERLIN) == instant


NOT_A_TIME = "is not a time such as 08:05, 2026-01-15 08:05 or 2026-01-15T08:05:00+01:00."
TWICE = (
    "comes twice on 2026-10-25, when the clocks were put back: write 2026-10-25T02:30:00+02:00 or "
    "2026-10-25T02:30:00+01:00."
)


@pytest.mark.parametrize(
    ("text", "on", "why"),
    [
        ("02:30", FORWARD, "does not exist on 2026-03-29: the clocks were put forward."),
        ("2026-03-29 02:30", THURSDAY, "does not exist on 2026-03-29: the clocks were put forward."),
        ("02:30", BACK, TWICE),
        *((text, THURSDAY, NOT_A_TIME) for text in ("8", "8.05", "24:00", "08:60", "early", "2026-01-15", "٠٨:٠٥")),
        *((text, THURSDAY, NOT_A_TIME) for text in ("2026-02-30 08:00", "20260115T0805", "08:05+01:00", "0.336805")),
    ],
)
def test_what_a_clock_shows_twice_or_never_and_what_is_no_time_is_refused(text: str, on: date, why: str) -> None:
    with pytest.raises(BadTime) as refused:
        read_time(text, on, BERLIN)
    assert str(refused.value) == f"{text!r} {why}"


def test_the_ends_of_the_calendar_are_no_times() -> None:
    for text in ("0001-01-01 00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        with pytest.raises(BadTime):
            read_time(text, THURSDAY, ZoneInfo("Asia/Tokyo"))
