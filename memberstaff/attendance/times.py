"""When somebody came and left: what a mark does to the two times of a record, free of I/O.

Only who is at work on site has times, so that each state can be told from the status: UNMARKED, ABSENT, ON_LEAVE and
REMOTE have none. Nothing here depends on when it runs: the order of marks is that in which the server took them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from memberstaff.changes import ON_SITE, Status
from memberstaff.errors import ErrorCode, Refusal
from memberstaff.inputs import UNSET, Unset

AFTER_MIDNIGHT = timedelta(hours=16)
"""For how long after a day's end its people may still come and leave: who works at night."""


class Times(NamedTuple):
    """When somebody came and left; None is not known, or not yet."""

    arrived_at: datetime | None = None
    left_at: datetime | None = None


NEVER = Times()


def day_of(instant: datetime, zone: ZoneInfo) -> date:
    """The date of an instant in the organisation's zone."""
    try:
        return instant.astimezone(zone).date()
    except OverflowError:  # of the first and the last day of Python's calendar
        return instant.date()


def bounds(on: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first and the last instant that times of a day may have, in UTC: from its midnight to sixteen hours after it.

    Sixteen hours on a stopwatch, whatever clocks do in that night.
    """
    return _midnight(on, zone), _midnight(on, zone, days=1) + AFTER_MIDNIGHT


def _midnight(on: date, zone: ZoneInfo, *, days: int = 0) -> datetime:
    """The day's first instant, or a later day's; where clocks skip midnight, as in São Paulo, that is when they do."""
    try:
        return datetime.combine(on + timedelta(days), time(), zone).astimezone(UTC)
    except OverflowError:  # at the ends of Python's calendar
        return datetime(1, 1, 1, tzinfo=UTC) if on.year == 1 else datetime(9999, 12, 31, tzinfo=UTC)


def whole_milliseconds(instant: datetime) -> datetime:
    """An instant as it is stored and shown, so that sending back what was shown is no change."""
    return instant.replace(microsecond=instant.microsecond // 1_000 * 1_000)


def after_mark(
    stored: Times,
    before: Status,
    after: Status,
    *,
    arrived_at: datetime | None | Unset = UNSET,
    left_at: datetime | None | Unset = UNSET,
    came_at: datetime | None = None,
) -> Times:
    """The times after a mark changed the status from `before` to `after`.

    `came_at` is the moment of a mark on its own day, None for any other. It becomes the arrival when somebody comes
    whom the record does not have on site yet; who is taken off the site has no times any more. What a mark says itself
    wins, and nothing else moves a time.
    """
    if after not in ON_SITE:
        times = NEVER
    elif before not in ON_SITE:
        times = Times(came_at)
    else:
        times = stored
    return Times(
        times.arrived_at if arrived_at is UNSET else arrived_at,
        times.left_at if left_at is UNSET else left_at,
    )


def check(
    times: Times,
    status: Status,
    on: date,
    zone: ZoneInfo,
    *,
    arrived_at: datetime | None | Unset = UNSET,
    left_at: datetime | None | Unset = UNSET,
) -> None:
    """Raise Refusal when a record with this status cannot have these times, of which some were given."""
    for path, given in (("arrivedAt", arrived_at), ("leftAt", left_at)):
        if given is UNSET or given is None:
            continue
        if status not in ON_SITE:
            message = f"Somebody who is {status} has no times. Record PRESENT, LATE or HALF_DAY with it, or no time."
            raise Refusal(ErrorCode.INVALID, message, path)
        first, last = bounds(on, zone)
        if not first <= given <= last:
            message = (
                f"Times of {on} are from {local(first, zone)} to {local(last, zone)}; {local(given, zone)} is not."
            )
            raise Refusal(ErrorCode.OUTSIDE_DAY, message, path)
    if times.arrived_at is not None and times.left_at is not None and times.left_at < times.arrived_at:
        came, left = local(times.arrived_at, zone), local(times.left_at, zone)
        path = "arrivedAt" if left_at is UNSET else "leftAt"
        message = f"Nobody leaves ({left}) before they come ({came}): record both times."
        raise Refusal(ErrorCode.LEFT_BEFORE_ARRIVED, message, path)


def local(instant: datetime, zone: ZoneInfo) -> str:
    """An instant for people, in the organisation's zone."""
    timespec = "milliseconds" if instant.second or instant.microsecond else "minutes"
    try:
        return instant.astimezone(zone).isoformat(sep=" ", timespec=timespec)
    except OverflowError:
        return instant.isoformat(sep=" ", timespec=timespec)
