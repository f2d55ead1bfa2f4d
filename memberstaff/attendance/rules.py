"""What a mark does to a record: the rules, free of I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from memberstaff.attendance.model import Record
from memberstaff.changes import Status
from memberstaff.errors import ErrorCode, Refusal
from memberstaff.inputs import LONGEST_NOTE, UNSET, Unset, paragraph, photo_address

FUTURE = frozenset({Status.ON_LEAVE, Status.UNMARKED})
"""What can be known of a day that has not come: leave, and that a leave was taken back."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What somebody says of one person on one day; `UNSET` leaves what is stored."""

    staff_id: int
    status: Status | None | Unset = UNSET
    note: str | None | Unset = UNSET
    photo_url: str | None | Unset = UNSET
    expected_version: int | None = None

    def checked(self) -> Mark:
        """The mark with its texts as they will be stored; raises Refusal for what cannot be."""
        if self.status is None:
            raise Refusal(ErrorCode.INVALID, "A status cannot be cleared; UNMARKED takes a mark back.", "status")
        note = self.note
        if note is not UNSET:
            note = paragraph(note, longest=LONGEST_NOTE, what="The note", path="note")
        photo = self.photo_url
        if photo is not UNSET:
            photo = photo_address(photo, path="photoUrl")
        return replace(self, note=note, photo_url=photo)


def apply(mark: Mark, to: Record, *, locked: bool, today: date) -> Record | None:
    """The record with a checked mark's values; None when it holds them already.

    A request that changes nothing is a retry of one that was acknowledged, so it succeeds even on a day
    that was locked since, and even with an old `expected_version`. Raises Refusal for what may not be.
    """
    values = {
        name: value
        for name, value in (("status", mark.status), ("note", mark.note), ("photo_url", mark.photo_url))
        if value is not UNSET
    }
    after = to._replace(**values)  # type: ignore[arg-type]
    if after == to:
        return None
    check_day(to.date, after.status, locked=locked, today=today)
    if not to.person.is_employed_on(to.date) or to.person.name is None:
        raise Refusal(ErrorCode.STAFF_INACTIVE, f"This person is not employed on {to.date}.", "staffId")
    if mark.expected_version is not None and mark.expected_version != to.version:
        raise VersionConflict(to, mark.expected_version)
    return after


def check_day(day: date, status: Status, *, locked: bool, today: date) -> None:
    """Raise Refusal when the day takes no such mark."""
    if locked:
        raise Refusal(ErrorCode.DAY_LOCKED, f"{day} is locked; an administrator can unlock it.", "date")
    if day > today and status not in FUTURE:
        raise Refusal(ErrorCode.FUTURE_DATE, f"{day} has not come yet; only leave can be recorded ahead.", "date")


class VersionConflict(Refusal):
    """Somebody else was faster; `current` is what is stored now, for the client to show and decide."""

    def __init__(self, current: Record, expected: int) -> None:
        super().__init__(
            ErrorCode.VERSION_CONFLICT,
            f"Somebody else has changed this record: version {current.version}, not {expected}.",
            "expectedVersion",
        )
        self.current = current
