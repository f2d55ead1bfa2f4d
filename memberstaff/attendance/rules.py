"""The rules for applying a mark to a record, free of I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from memberstaff.access import Caller, Right
from memberstaff.attendance import times
from memberstaff.attendance.model import Day, Record
from memberstaff.attendance.times import Times, whole_milliseconds
from memberstaff.changes import Reason, Status
from memberstaff.errors import ErrorCode, Refusal, Unavailable
from memberstaff.inputs import LONGEST_NOTE, UNSET, Unset, paragraph, photo_address

FUTURE = frozenset({Status.ON_LEAVE, Status.UNMARKED})
"""What can be recorded in advance: leave, and that leave was cancelled."""

NO_REASONS: Mapping[int, Reason] = MappingProxyType({})
AHEAD = timedelta(minutes=1)
"""By which the clock of a desk may be ahead of the server's."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When marks are taken: the server's clock and the organisation's zone, and what settings say of days gone by."""

    now: datetime
    zone: ZoneInfo
    latest: timedelta
    """How old a mark may be that comes late."""
    corrected: timedelta = timedelta(0)
    """For how long after a day everybody may mark it who may mark the day itself."""
    is_arrival: bool = True
    """Whether somebody who is marked on the day itself comes at that moment; else it is unknown when."""

    def today(self, occurred_at: datetime | None = None) -> date:
        """Which day it was when a mark was made."""
        return times.day_of(occurred_at or self.now, self.zone)

    def require(self, caller: Caller, on: date, occurred_at: datetime | None = None) -> None:
        """Raise Forbidden unless the caller may mark this day."""
        caller.require(Right.MARK)
        today = self.today(occurred_at)
        if on > today or today - on > self.corrected:
            caller.require(Right.MARK_ANY_DAY)

    def check_not_ahead(self, occurred_at: datetime | None) -> None:
        """Raise ClockAhead for an instant that has not come yet."""
        if occurred_at is not None and occurred_at > self.now + AHEAD:
            raise ClockAhead(self.now)

    def check_not_too_late(self, occurred_at: datetime | None) -> None:
        """Raise Refusal for a mark that comes too late."""
        if occurred_at is not None and occurred_at < self.now - self.latest:
            message = f"A mark may come up to {self.latest.days} days late; an administrator can still record it."
            raise Refusal(ErrorCode.TOO_LATE, message, "occurredAt")


class ClockAhead(Refusal):
    """A desk's clock is ahead of ours, by which it can be set."""

    def __init__(self, server_time: datetime) -> None:
        shown = server_time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = f"This has not happened yet: it is {shown} on the server. Set the clock, and record it anew."
        super().__init__(ErrorCode.CLOCK_AHEAD, message, "occurredAt")
        self.server_time = server_time


@dataclass(frozen=True, slots=True)
class Mark:
    """A change to one person's record on one day; `UNSET` keeps the stored value.

    `occurred_at` is when a mark was made that comes late; None is now.
    """

    staff_id: int
    status: Status | None | Unset = UNSET
    note: str | None | Unset = UNSET
    photo_url: str | None | Unset = UNSET
    arrived_at: datetime | None | Unset = UNSET
    left_at: datetime | None | Unset = UNSET
    reason_id: int | None | Unset = UNSET
    occurred_at: datetime | None = None
    expected_version: int | None = None

    def checked(self) -> Mark:
        """The mark with its texts and times normalised for storage. Raises Refusal."""
        if self.status is None:
            raise Refusal(ErrorCode.INVALID, "A status cannot be cleared; use UNMARKED to take a mark back.", "status")
        note = self.note
        if note is not UNSET:
            note = paragraph(note, longest=LONGEST_NOTE, what="The note", path="note")
        photo = self.photo_url
        if photo is not UNSET:
            photo = photo_address(photo, path="photoUrl")
        return replace(
            self,
            note=note,
            photo_url=photo,
            arrived_at=whole_milliseconds(self.arrived_at)
            if isinstance(self.arrived_at, datetime)
            else self.arrived_at,
            left_at=whole_milliseconds(self.left_at) if isinstance(self.left_at, datetime) else self.left_at,
            occurred_at=whole_milliseconds(self.occurred_at) if self.occurred_at is not None else None,
        )


def apply(
    mark: Mark, to: Record, day: Day, moment: Moment, reasons: Mapping[int, Reason] = NO_REASONS
) -> Record | None:
    """The record with a checked mark applied; None when that changes nothing. `day` is its day, locked for this work.

    `reasons` has those that can be chosen, among them that of the mark. Raises Refusal, and Unavailable for times and
    reasons while processes of an earlier release may serve, which would lose them.

    A mark that changes nothing is a retry of one that was acknowledged, so it succeeds even if the day has been
    locked since, and even with an old `expected_version`.
    """
    values = {
        name: value
        for name, value in (("status", mark.status), ("note", mark.note), ("photo_url", mark.photo_url))
        if value is not UNSET
    }
    moment.check_not_ahead(mark.occurred_at)
    today = moment.today(mark.occurred_at)
    after = to._replace(**values)  # type: ignore[arg-type]
    if mark.reason_id is not UNSET and mark.reason_id != (to.reason.id if to.reason is not None else None):
        after = after._replace(reason=_chosen(mark.reason_id, reasons))
    after = after.with_times(
        times.after_mark(
            Times(to.arrived_at, to.left_at),
            to.status,
            after.status,
            arrived_at=mark.arrived_at,
            left_at=mark.left_at,
            came_at=_came_at(mark, day, moment) if to.date == today else None,
        )
    )
    if after == to:
        return None
    moment.check_not_too_late(mark.occurred_at)
    check_day(to.date, after.status, locked=day.locked, today=today)
    if not to.person.is_employed_on(to.date) or to.person.name is None:
        raise Refusal(ErrorCode.STAFF_INACTIVE, f"This person is not employed on {to.date}.", "staffId")
    if mark.expected_version is not None and mark.expected_version != to.version:
        raise VersionConflict(to, mark.expected_version, day)
    stored = Times(after.arrived_at, after.left_at)
    times.check(stored, after.status, to.date, moment.zone, arrived_at=mark.arrived_at, left_at=mark.left_at)
    if not day.finished and (stored != times.NEVER or after.reason is not None):
        raise Unavailable("Times and reasons can be recorded once this upgrade is finished.", applied=False)
    return after


def _chosen(reason_id: int | None, reasons: Mapping[int, Reason]) -> Reason | None:
    if reason_id is None:
        return None
    if reason_id not in reasons:
        raise Refusal(ErrorCode.NOT_FOUND, "There is no such reason, or it has been retired.", "reasonId")
    return reasons[reason_id]


def _came_at(mark: Mark, day: Day, moment: Moment) -> datetime | None:
    return (mark.occurred_at or moment.now) if moment.is_arrival and day.finished else None


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
