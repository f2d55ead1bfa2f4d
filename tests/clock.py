"""A clock that stands still until a test turns it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

MONDAY = date(2026, 1, 12)
START = datetime(2026, 1, 12, 8, 0, tzinfo=UTC)
TODAY = "2026-01-12"
"""MONDAY, as the API writes it: the day of nearly all tests, whatever day it is for whoever runs them."""


class TurnedClock:
    """Answers the same instant each time, until it is turned."""

    def __init__(self, start: datetime = START) -> None:
        self.instant = start

    def __call__(self) -> datetime:
        """The present, as far as the test is concerned."""
        return self.instant

    def turn(self, **by: float) -> None:
        """Move on, by the arguments of timedelta."""
        self.instant += timedelta(**by)
