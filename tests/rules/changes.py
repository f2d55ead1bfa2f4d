"""Logs of changes that tests make up: contiguous, with a name that says which change it is."""

from __future__ import annotations

from datetime import UTC, date, datetime

from memberstaff.changes import Change, Status
from tests.clock import MONDAY

DAY = MONDAY


def change(position: int, *, day: date = DAY, name: str | None = None, roster_version: int = 1) -> Change:
    """The change at this position."""
    return Change(
        date=day,
        position=position,
        staff_id=position,
        version=1,
        status=Status.PRESENT,
        note=None,
        photo_url=None,
        changed_at=datetime(2026, 1, 12, 8, tzinfo=UTC),
        changed_by=1,
        changed_by_name="Front desk",
        staff_name=name or f"Person {position}",
        staff_category=None,
        staff_photo_url=None,
        roster_version=roster_version,
    )


def changes(first: int, last: int, *, roster_version: int = 1) -> list[Change]:
    """The changes from one position to another, both included."""
    return [change(position, roster_version=roster_version) for position in range(first, last + 1)]
