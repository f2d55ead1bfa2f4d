"""The time: instants in UTC, and today as a date where the organisation is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
"""Answers the present instant, in UTC. Tests hand in one of their own."""


def utc_now() -> datetime:
    """The present instant; whole milliseconds, so that every database keeps it exactly."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def today(now: datetime, zone: ZoneInfo) -> date:
    """The calendar day in the organisation's time zone."""
    return now.astimezone(zone).date()
