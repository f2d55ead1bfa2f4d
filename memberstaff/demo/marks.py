"""Made-up attendance, day by day; the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from memberstaff.changes import Status

SHARES = {
    Status.PRESENT: 78,
    Status.LATE: 8,
    Status.REMOTE: 5,
    Status.ON_LEAVE: 4,
    Status.ABSENT: 3,
    Status.HALF_DAY: 2,
}
NOTES = {
    Status.LATE: ("Train delayed", "Dentist until 9:30", "Car would not start", "Bus strike", "Called ahead"),
    Status.ABSENT: ("Called in sick", "No message yet", "Fever"),
    Status.ON_LEAVE: ("Annual leave", "Parental leave", "Training course"),
    Status.REMOTE: ("Marking exams", "Parents’ calls from home"),
    Status.HALF_DAY: ("Leaves at noon", "Funeral in the morning", "From 13:00"),
}
DOORS_OPEN = time(7, 30)
BUSY_MINUTES = 120
TODAY_SHARE = 0.6
"""The share of people who are marked on a day in progress."""


@dataclass(frozen=True, slots=True)
class DemoMark:
    """One change; `version` counts the person's changes on that day."""

    staff_id: int
    at: datetime
    status: Status
    note: str | None
    version: int


def marks(day: date, staff_ids: Sequence[int], seed: int, zone: ZoneInfo, *, until: datetime | None) -> list[DemoMark]:
    """A day's changes, in order; with `until`, those of a day that is still in progress then."""
    random = Random(f"marks {seed} {day}")  # noqa: S311
    marked = staff_ids if until is None else [number for number in staff_ids if random.random() < TODAY_SHARE]
    made = sorted(
        (mark for staff_id in marked for mark in _person(random, day, staff_id, zone)),
        key=lambda mark: (mark.at, mark.staff_id, mark.version),
    )
    if until is not None and made and made[-1].at > until:
        early = made[-1].at - until  # it is still early in the morning, so everybody came earlier
        made = [DemoMark(mark.staff_id, mark.at - early, mark.status, mark.note, mark.version) for mark in made]
    return made


def _person(random: Random, day: date, staff_id: int, zone: ZoneInfo) -> Iterator[DemoMark]:
    status = random.choices([*SHARES], [*SHARES.values()])[0]
    note = random.choice(NOTES[status]) if status in NOTES and random.random() < 0.6 else None
    minutes = random.triangular(0, BUSY_MINUTES, BUSY_MINUTES * 0.3)
    at = datetime.combine(day, DOORS_OPEN, zone) + timedelta(seconds=round(minutes * 60))
    if status is Status.LATE and random.random() < 0.4:
        yield DemoMark(staff_id, at, Status.ABSENT, None, 1)
        yield DemoMark(staff_id, at + timedelta(minutes=random.randrange(10, 40)), status, note, 2)
    else:
        yield DemoMark(staff_id, at, status, note, 1)
