"""A change of one person's record on one day, what of it is confidential, and the state of a day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self

from memberstaff.access import Reader, Right


class Status(StrEnum):
    """A person's attendance on a day. UNMARKED means that nobody has decided yet; it never counts as absent."""

    UNMARKED = "UNMARKED"
    PRESENT = "PRESENT"
    LATE = "LATE"
    HALF_DAY = "HALF_DAY"
    REMOTE = "REMOTE"
    ON_LEAVE = "ON_LEAVE"
    ABSENT = "ABSENT"


ON_SITE = frozenset({Status.PRESENT, Status.LATE, Status.HALF_DAY})
"""Statuses of people who have come; nobody else has an arrival or a departure."""

_STATUSES = {status.value: status for status in Status}


def is_known(stored: str) -> bool:
    """Whether a stored status is one of this release's."""
    return stored in _STATUSES


def status_of(stored: str) -> Status:
    """A stored status; UNMARKED for one of a later release, which only a process can find that is no longer ready."""
    return _STATUSES.get(stored, Status.UNMARKED)


NOTES = frozenset({"note", "photo_url"})
"""Values of a record that can tell of somebody's health."""
TIMES = frozenset({"arrived_at", "left_at"})
REASON = "reason"
"""The reason, where it is not one for viewers."""
CONFIDENTIAL = NOTES | TIMES | {REASON}
"""What is shown to those alone who have `Right.READ_NOTES`, unless `Visibility` says otherwise."""
VIEWERS_REASON = "viewers_reason"
"""The reason, where it is one for viewers."""
FROM_ANYBODY = CONFIDENTIAL | {VIEWERS_REASON}
"""What is hidden from whoever does not log in."""


@dataclass(frozen=True, slots=True)
class Visibility:
    """What settings show to those who may not read notes."""

    times: bool = False
    """Whether they are told when people came and left."""

    def hidden_from(self, reader: Reader) -> frozenset[str]:
        """The values of a record that this reader may not see; what is kept for one is kept for all with the same."""
        if reader.may(Right.READ_NOTES):
            return frozenset()
        return CONFIDENTIAL - TIMES if self.times else CONFIDENTIAL


@dataclass(frozen=True, slots=True)
class Reason:
    """Why somebody is late or absent, from the list that administrators keep."""

    id: int
    name: str
    for_viewers: bool
    """Whether it is shown to those, too, who may not read notes."""
    retired: bool
    """Whether it can be chosen no more; where it was chosen, it stays."""

    def is_hidden(self, hidden: frozenset[str]) -> bool:
        """Whether it is hidden from a reader."""
        return (VIEWERS_REASON if self.for_viewers else REASON) in hidden


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
    arrived_at: datetime | None = None
    left_at: datetime | None = None
    reason: Reason | None = None

    @property
    def on_site(self) -> bool:
        """Whether the person has come, and not left. Of whoever has been erased nobody knows that any more.

        Nor can it be told from what is `shown`, from which times may be missing.
        """
        return self.status in ON_SITE and self.left_at is None and self.staff_name is not None

    def shown(self, hidden: frozenset[str]) -> Self:
        """The change without what is hidden from a reader."""
        values: dict[str, Any] = dict.fromkeys(hidden & (NOTES | TIMES))
        if self.reason is not None and self.reason.is_hidden(hidden):
            values["reason"] = None
        return replace(self, **values) if values else self


@dataclass(frozen=True, slots=True)
class DayProgress:
    """How far a day has come: a reader who has seen both numbers has nothing to fetch."""

    date: date
    position: int
    day_version: int
