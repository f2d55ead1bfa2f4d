"""The clock: instants in UTC, and today's date in the organisation's time zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
"""Returns the current instant, in UTC; tests pass one of their own."""


def utc_now() -> datetime:
    """The current instant in whole milliseconds, which every database stores exactly."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def today(now: datetime, zone: ZoneInfo) -> date:
    """The date of this instant in the organisation's time zone."""
    return now.astimezone(zone).date()
