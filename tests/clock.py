"""A clock that stands still until a test turns it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 12, 8, 0, tzinfo=UTC)
"""A Monday."""


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
