"""A change of one person's record on one day, and the state of a day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self


class Status(StrEnum):
    """A person's attendance on a day. UNMARKED means that nobody has decided yet; it never counts as absent."""

    UNMARKED = "UNMARKED"
    PRESENT = "PRESENT"
    LATE = "LATE"
    HALF_DAY = "HALF_DAY"
    REMOTE = "REMOTE"
    ON_LEAVE = "ON_LEAVE"
    ABSENT = "ABSENT"


_STATUSES = {status.value: status for status in Status}


def is_known(stored: str) -> bool:
    """Whether a stored status is one of this release's."""
    return stored in _STATUSES


def status_of(stored: str) -> Status:
    """A stored status; UNMARKED for one of a later release, which only a process can find that is no longer ready."""
    return _STATUSES.get(stored, Status.UNMARKED)


CONFIDENTIAL = ("note", "photo_url")
"""What only those are shown who have `Right.READ_NOTES`: a note or a photo can tell of somebody's health."""


@dataclass(frozen=True, slots=True)
class Change:
    """One revision of one record, as committed, with the names that the roster had at `roster_version` or later.

    `position` counts the changes of `date`: 1, 2, 3, without gaps, in commit order. `version` counts the changes
    of this person's record on that day.
    """

    date: date
    position: int
    staff_id: int
    version: int
    status: Status
    note: str | None
    photo_url: str | None
    changed_at: datetime
    changed_by: int | None
    changed_by_name: str | None
    staff_name: str | None
    staff_category: str | None
    staff_photo_url: str | None
    roster_version: int

    def shown(self, *, notes: bool) -> Self:
        """The change as those see it who may read notes, or may not."""
        hidden: dict[str, Any] = dict.fromkeys(CONFIDENTIAL)
        return self if notes else replace(self, **hidden)


@dataclass(frozen=True, slots=True)
class DayProgress:
    """How far a day has come: a reader who has seen both numbers has nothing to fetch."""

    date: date
    position: int
    day_version: int
