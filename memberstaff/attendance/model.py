"""A day, and a person's record on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, literal
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from memberstaff.attendance.cursor import Cursor
from memberstaff.attendance.sequence import sequence
from memberstaff.changes import CONFIDENTIAL, Status, status_of
from memberstaff.db.tables import account, attendance
from memberstaff.staff.model import COLUMNS, Person, person


def readable(column: ColumnElement[Any], *, notes: bool) -> ColumnElement[Any]:
    """A column; null instead, if it is confidential and the caller may not read notes: so it cannot leak."""
    return column if notes or column.key not in CONFIDENTIAL else literal(None)


def record_columns(
    *,
    notes: bool,
    of: ReadOnlyColumnCollection[str, Any] = attendance.c,
    updated_by: ColumnElement[Any] = account.c.display_name,
) -> tuple[ColumnElement[Any], ...]:
    """What a statement selects after a person's columns, for `record()`, with or without what is confidential.

    From the columns `of` of the record, and the name `updated_by` of its account.
    """
    return (
        of.status,
        readable(of.note, notes=notes).label("note"),
        readable(of.photo_url, notes=notes).label("record_photo_url"),
        of.version,
        of.position,
        of.updated_at,
        updated_by.label("updated_by"),
        of.updated_by.label("updated_by_account"),
    )


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day; an untouched one is open, at position 0, and has no row yet."""

    date: date
    locked: bool
    working: bool
    label: str | None
    position: int
    day_version: int
    epoch: int
    roster_version: int

    @property
    def sequence(self) -> str:
        """Greater the newer the day is, its counts and its roster included."""
        return sequence(self.epoch, self.position + self.day_version + self.roster_version)

    @property
    def cursor(self) -> Cursor:
        """The end of the day's feed: a subscription from here misses nothing."""
        return Cursor(self.epoch, self.date, self.position)


class Record(NamedTuple):
    """One person on one day; `version` 0 means not marked yet. A named tuple for the same reason as Person."""

    person: Person
    date: date
    status: Status
    note: str | None
    photo_url: str | None
    version: int
    position: int
    updated_at: datetime | None
    updated_by: str | None
    updated_by_account: int | None


def record(row: Sequence[Any], day: date) -> Record:
    """Build a Record from a row of exactly the person's columns and then `record_columns`."""
    of_person, (status, note, photo_url, version, position, updated_at, by, by_account) = (
        row[:_OF_PERSON],
        row[_OF_PERSON:],
    )
    if version is None:
        return Record(person(of_person), day, Status.UNMARKED, None, None, 0, 0, None, None, None)
    whose = person(of_person)
    return Record(whose, day, status_of(status), note, photo_url, version, position, updated_at, by, by_account)


_OF_PERSON = len(COLUMNS)


@dataclass(frozen=True, slots=True)
class Summary:
    """How many of a day's roster have each status."""

    date: date
    counts: dict[Status, int]

    @property
    def total(self) -> int:
        """Everybody on the roster."""
        return sum(self.counts.values())

    @property
    def present_rate(self) -> float | None:
        """The share present of those marked and not on leave, 0 to 1; a half day counts half."""
        of = self.counts
        expected = self.total - of[Status.UNMARKED] - of[Status.ON_LEAVE]
        if not expected:
            return None
        present = of[Status.PRESENT] + of[Status.LATE] + of[Status.REMOTE] + of[Status.HALF_DAY] / 2
        return round(present / expected, 4)
