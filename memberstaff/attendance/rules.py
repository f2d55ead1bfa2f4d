"""The rules for applying a mark to a record, free of I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from memberstaff.attendance.model import Day, Record
from memberstaff.changes import Status
from memberstaff.errors import ErrorCode, Refusal
from memberstaff.inputs import LONGEST_NOTE, UNSET, Unset, paragraph, photo_address

FUTURE = frozenset({Status.ON_LEAVE, Status.UNMARKED})
"""What can be recorded in advance: leave, and that leave was cancelled."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A change to one person's record on one day; `UNSET` keeps the stored value."""

    staff_id: int
    status: Status | None | Unset = UNSET
    note: str | None | Unset = UNSET
    photo_url: str | None | Unset = UNSET
    expected_version: int | None = None

    def checked(self) -> Mark:
        """The mark with its texts normalised for storage. Raises Refusal."""
        if self.status is None:
            raise Refusal(ErrorCode.INVALID, "A status cannot be cleared; use UNMARKED to take a mark back.", "status")
        note = self.note
        if note is not UNSET:
            note = paragraph(note, longest=LONGEST_NOTE, what="The note", path="note")
        photo = self.photo_url
        if photo is not UNSET:
            photo = photo_address(photo, path="photoUrl")
        return replace(self, note=note, photo_url=photo)


def apply(mark: Mark, to: Record, day: Day, *, today: date) -> Record | None:
    """The record with a checked mark applied; None when that changes nothing. `day` is its day, locked for this work.

    Raises Refusal.

    A mark that changes nothing is a retry of one that was acknowledged, so it succeeds even if the day has been
    locked since, and even with an old `expected_version`.
    """
    values = {
        name: value
        for name, value in (("status", mark.status), ("note", mark.note), ("photo_url", mark.photo_url))
        if value is not UNSET
    }
    after = to._replace(**values)  # type: ignore[arg-type]
    if after == to:
        return None
    check_day(to.date, after.status, locked=day.locked, today=today)
    if not to.person.is_employed_on(to.date) or to.person.name is None:
        raise Refusal(ErrorCode.STAFF_INACTIVE, f"This person is not employed on {to.date}.", "staffId")
    if mark.expected_version is not None and mark.expected_version != to.version:
        raise VersionConflict(to, mark.expected_version, day)
    return after


def check_day(day: date, status: Status, *, locked: bool, today: date) -> None:
    """Raise Refusal when the day does not take this status."""
    if locked:
        raise Refusal(ErrorCode.DAY_LOCKED, f"{day} is locked; an administrator can unlock it.", "date")
    if day > today and status not in FUTURE:
        raise Refusal(ErrorCode.FUTURE_DATE, f"{day} is in the future; only leave can be recorded in advance.", "date")


class VersionConflict(Refusal):
    """Somebody else changed the record first; `current` is the record now, for people to see, read with its `day`."""

    def __init__(self, current: Record, expected: int, day: Day) -> None:
        super().__init__(
            ErrorCode.VERSION_CONFLICT,
            f"Somebody else has changed this record: it is at version {current.version}, not {expected}.",
            "expectedVersion",
        )
        self.current = current
        self.day = day
