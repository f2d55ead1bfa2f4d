"""Made-up changes of one day."""

from __future__ import annotations

from datetime import UTC, date, datetime

from memberstaff.events import Change, Status

DAY = date(2026, 1, 12)


def change(position: int, *, name: str = "Amina") -> Change:
    """The change at a position."""
    return Change(
        date=DAY,
        position=position,
        staff_id=1,
        version=position,
        status=Status.LATE,
        note=None,
        photo_url=None,
        changed_at=datetime(2026, 1, 12, 8, tzinfo=UTC),
        changed_by=None,
        changed_by_name=None,
        staff_name=name,
        staff_category=None,
        staff_photo_url=None,
    )


def changes(first: int, last: int) -> list[Change]:
    """The changes from one position to another, both included."""
    return [change(position) for position in range(first, last + 1)]
