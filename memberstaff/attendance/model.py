"""A day, and a person's record on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case, literal
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from memberstaff.attendance.cursor import Cursor
from memberstaff.attendance.sequence import sequence
from memberstaff.attendance.times import Times
from memberstaff.changes import ON_SITE, REASON, Reason, Status, status_of
from memberstaff.db.tables import account, attendance, reason
from memberstaff.staff.model import COLUMNS, Person, person


def readable(column: ColumnElement[Any], hidden: frozenset[str]) -> ColumnElement[Any]:
    """A column; null instead, if it is hidden from the reader: so it cannot leak."""
    return literal(None) if column.key in hidden else column


def reason_columns(of: ColumnElement[int | None], hidden: frozenset[str]) -> tuple[ColumnElement[Any], ...]:
    """What a statement that is joined with `reason` selects for `reason_of`; `of` is the column that refers to it."""
    shown: Sequence[ColumnElement[Any]] = (of, reason.c.name, reason.c.for_viewers, reason.c.retired)
    names = ("reason_id", "reason_name", "reason_for_viewers", "reason_retired")
    if REASON in hidden:
        shown = [case((reason.c.for_viewers, column)) for column in shown]
    return tuple(column.label(name) for column, name in zip(shown, names, strict=True))


def reason_of(values: Sequence[Any]) -> Reason | None:
    """A reason from the values of `reason_columns`."""
    return Reason(*values) if values[0] is not None else None


def record_columns(
    hidden: frozenset[str],
    *,
    of: ReadOnlyColumnCollection[str, Any] = attendance.c,
    updated_by: ColumnElement[Any] = account.c.display_name,
) -> tuple[ColumnElement[Any], ...]:
    """What a statement selects after a person's columns, for `record()`, without what is hidden from the reader.

    From the columns `of` of the record and the name `updated_by` of its account, in a statement joined with `reason`.
    """
    return (
        of.status,
        readable(of.note, hidden).label("note"),
        readable(of.photo_url, hidden).label("record_photo_url"),
        readable(of.arrived_at, hidden).label("arrived_at"),
        readable(of.left_at, hidden).label("left_at"),
        of.left_at.is_not(None).label("has_left"),
        *reason_columns(of.reason_id, hidden),
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
    finished: bool = True
    """Whether every process that may serve carries times and reasons on: docs/decisions/0031-side-by-side.md."""

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
    arrived_at: datetime | None = None
    left_at: datetime | None = None
    has_left: bool = False
    """Whether they have, for readers who are not told when, too."""
    reason: Reason | None = None

    @property
    def on_site(self) -> bool:
        """Whether the person has come, and not left. Of whoever has been erased nobody knows that any more."""
        return self.status in ON_SITE and not self.has_left and self.person.name is not None

    def with_times(self, times: Times) -> Record:
        """The record with other times."""
        return self._replace(arrived_at=times.arrived_at, left_at=times.left_at, has_left=times.left_at is not None)


def record(row: Sequence[Any], day: date) -> Record:
    """Build a Record from a row of exactly the person's columns and then `record_columns`."""
    of_person, of_record = row[:_OF_PERSON], row[_OF_PERSON:]
    status, note, photo_url, arrived_at, left_at, has_left, *why, version, position, updated_at, by, by_account = (
        of_record
    )
    if version is None:
        return Record(person(of_person), day, Status.UNMARKED, None, None, 0, 0, None, None, None)
    whose = person(of_person)
    return Record(
        whose,
        day,
        status_of(status),
        note,
        photo_url,
        version,
        position,
        updated_at,
        by,
        by_account,
        arrived_at,
        left_at,
        has_left,
        reason_of(why),
    )


_OF_PERSON = len(COLUMNS)


@dataclass(frozen=True, slots=True)
class Summary:
    """How many of a day's roster have each status."""

    date: date
    counts: dict[Status, int]
    on_site: int = 0
    """Who have come, and not left."""

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
