"""Reading attendance: a day's board, single records, and their history."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    true,
    tuple_,
)

from memberstaff.access import Right
from memberstaff.attendance.model import (
    Day,
    Record,
    Summary,
    readable,
    reason_columns,
    reason_of,
    record,
    record_columns,
)
from memberstaff.changes import ON_SITE, Reason, Status, status_of
from memberstaff.db.arrays import any_of
from memberstaff.db.rows import as_json, from_json, json_date
from memberstaff.db.tables import account, attendance, attendance_revision, reason, staff
from memberstaff.db.work import Reading
from memberstaff.staff.model import COLUMNS
from memberstaff.staff.queries import StaffFilter, StaffPosition, beyond, employed_on


@dataclass(frozen=True, slots=True)
class BoardFilter:
    """Filters a day's records by person and by status."""

    staff: StaffFilter
    statuses: tuple[Status, ...] | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The WHERE conditions."""
        conditions = self.staff.conditions()
        if self.statuses is not None:
            conditions.append(any_of(_status(), self.statuses))
        return conditions


@dataclass(frozen=True, slots=True)
class Revision:
    """A record's values after one of its changes."""

    staff_id: int
    date: date
    version: int
    status: Status
    note: str | None
    photo_url: str | None
    arrived_at: datetime | None
    left_at: datetime | None
    reason: Reason | None
    changed_at: datetime
    changed_by: str | None
    changed_by_account: int | None


_ON = bindparam("on", type_=Date())


def _status() -> ColumnElement[str]:
    return func.coalesce(attendance.c.status, Status.UNMARKED.value)


@cache
def select_records(hidden: frozenset[str]) -> Select[Any]:
    """Everybody with their record, if any, on the day in the parameter `on`, without what is hidden from the reader.

    Cached, since building the statement costs more than running it.
    """
    columns = record_columns(hidden)
    of_day = and_(attendance.c.staff_id == staff.c.id, attendance.c.date == _ON)
    return select(*COLUMNS, *columns).select_from(
        staff.outerjoin(attendance, of_day)
        .outerjoin(account, account.c.id == attendance.c.updated_by)
        .outerjoin(reason, reason.c.id == attendance.c.reason_id)
    )


@cache
def select_records_by_key(dialect: str, hidden: frozenset[str]) -> Select[Any]:
    """The same, by one look-up for each person: for a few, however many people and records there are.

    PostgreSQL estimates from its statistics what a join finds: if they are from before the day began, nothing, so that
    it would read the whole day for each person. OFFSET 0 keeps it from making a join of this.
    """
    if dialect != "postgresql":
        return select_records(hidden)
    found = select(attendance).where(attendance.c.staff_id == staff.c.id, attendance.c.date == _ON)
    of_day = found.offset(literal_column("0")).lateral("of_day")
    updated_by = select(account.c.display_name).where(account.c.id == of_day.c.updated_by).scalar_subquery()
    columns = record_columns(hidden, of=of_day.c, updated_by=updated_by)
    return select(*COLUMNS, *columns).select_from(
        staff.outerjoin(of_day, true()).outerjoin(reason, reason.c.id == of_day.c.reason_id)
    )


def _records(reading: Reading) -> Select[Any]:
    return select_records(reading.hidden)


async def board(
    reading: Reading, day: Day, which: BoardFilter, *, first: int, after: StaffPosition | None
) -> list[Record]:
    """A page of the day's roster, by name."""
    reading.require(Right.READ)
    if after is None and which == everybody(day.date):  # what everybody loads in the morning: a cached statement
        statement = _select_everybody(reading.hidden)
        parameters = {"on": day.date, "first": first}
    else:
        statement = (
            _records(reading)
            .where(*which.conditions(), *beyond(after))
            .order_by(staff.c.sort_key, staff.c.id)
            .limit(first)
        )
        parameters = {"on": day.date}
    return await reading.objects(statement, lambda row: record(row, day.date), parameters)


def everybody(on: date) -> BoardFilter:
    """Matches the day's whole roster."""
    return BoardFilter(StaffFilter(on))


@cache
def _select_everybody(hidden: frozenset[str]) -> Select[Any]:
    return (
        select_records(hidden)
        .where(employed_on(_ON))
        .order_by(staff.c.sort_key, staff.c.id)
        .limit(bindparam("first", type_=Integer()))
    )


async def count(reading: Reading, day: Day, which: BoardFilter) -> int:
    """How many of the day's roster match."""
    reading.require(Right.READ)
    return int(
        await reading.scalar(
            _records(reading).with_only_columns(func.count(), maintain_column_froms=True).where(*which.conditions()),
            {"on": day.date},
        )
    )


_SUMMARY = (
    select(
        attendance.c.status,
        func.count().label("number"),
        func.count().filter(attendance.c.left_at.is_(None), staff.c.erased_at.is_(None)).label("not_left"),
    )
    .select_from(staff.outerjoin(attendance, and_(attendance.c.staff_id == staff.c.id, attendance.c.date == _ON)))
    .where(employed_on(_ON))
    .group_by(attendance.c.status)
)


async def summary(reading: Reading, on: date) -> Summary:
    """How many of a day's roster have each status, and how many are on site."""
    reading.require(Right.READ)
    rows = await reading.rows(_SUMMARY, {"on": on})
    counts = dict.fromkeys(Status, 0)
    for row in rows:
        counts[status_of(row.status) if row.status is not None else Status.UNMARKED] += row.number
    return Summary(on, counts, sum(row.not_left for row in rows if row.status in ON_SITE))


async def records(reading: Reading, on: date, staff_ids: Collection[int]) -> dict[int, Record]:
    """These people's records on a day, in one statement; unknown ids are left out."""
    reading.require(Right.READ)
    rows = await reading.rows(_records(reading).where(any_of(staff.c.id, staff_ids)), {"on": on})
    return {row.id: record(row, on) for row in rows}


async def changed_since(reading: Reading, on: date, position: int, *, until: int) -> list[Record]:
    """The records last changed after `position`, up to and including `until`, by name."""
    reading.require(Right.READ)
    return await reading.objects(
        _records(reading)
        .where(attendance.c.position > position, attendance.c.position <= until)
        .order_by(staff.c.sort_key, staff.c.id),
        lambda row: record(row, on),
        {"on": on},
    )


async def marked(reading: Reading, staff_ids: Collection[int], start: date, end: date) -> dict[int, list[Record]]:
    """These people's stored records from `start` to `end`, by date, in one statement."""
    reading.require(Right.READ)
    columns = record_columns(reading.hidden)
    records = await reading.objects(
        select(*COLUMNS, *columns, attendance.c.date)
        .select_from(
            attendance.join(staff, staff.c.id == attendance.c.staff_id)
            .outerjoin(account, account.c.id == attendance.c.updated_by)
            .outerjoin(reason, reason.c.id == attendance.c.reason_id)
        )
        .where(any_of(attendance.c.staff_id, staff_ids), attendance.c.date.between(start, end))
        .order_by(attendance.c.date),
        lambda row: record(row[:-1], row.date),
    )
    found: dict[int, list[Record]] = {staff_id: [] for staff_id in staff_ids}
    for each in records:
        found[each.person.id].append(each)
    return found


async def history(
    reading: Reading, keys: Sequence[tuple[int, date]], *, first: int, before: int | None
) -> dict[tuple[int, date], list[Revision]]:
    """The newest `first` revisions of each record (older than version `before`, if given), in one statement."""
    reading.require(Right.READ)
    of = attendance_revision.c
    hidden = reading.hidden
    given = from_json(reading.dialect, {"staff_id": BigInteger(), "date": Date()})
    conditions: list[ColumnElement[bool]] = [tuple_(of.staff_id, of.date).in_(select(given.c.staff_id, given.c.date))]
    if before is not None:
        conditions.append(of.version < before)
    ranked = (
        select(
            of.staff_id,
            of.date,
            of.version,
            of.status,
            readable(of.note, hidden).label("note"),
            readable(of.photo_url, hidden).label("photo_url"),
            readable(of.arrived_at, hidden).label("arrived_at"),
            readable(of.left_at, hidden).label("left_at"),
            *reason_columns(of.reason_id, hidden),
            of.changed_at,
            account.c.display_name.label("changed_by"),
            of.changed_by.label("changed_by_account"),
            func.row_number().over(partition_by=(of.staff_id, of.date), order_by=of.version.desc()).label("rank"),
        )
        .select_from(
            attendance_revision.outerjoin(account, account.c.id == of.changed_by).outerjoin(
                reason, reason.c.id == of.reason_id
            )
        )
        .where(*conditions)
        .subquery()
    )
    newest = select(ranked).where(ranked.c.rank <= first).order_by(ranked.c.staff_id, ranked.c.date, ranked.c.rank)
    given_keys = as_json([{"staff_id": staff_id, "date": json_date(reading.dialect, on)} for staff_id, on in keys])
    found: dict[tuple[int, date], list[Revision]] = {key: [] for key in keys}
    for each in await reading.objects(newest, _revision, {"rows": given_keys}):
        found[each.staff_id, each.date].append(each)
    return found


def _revision(row: Row[Any]) -> Revision:
    return Revision(
        row.staff_id,
        row.date,
        row.version,
        status_of(row.status),
        row.note,
        row.photo_url,
        row.arrived_at,
        row.left_at,
        reason_of((row.reason_id, row.reason_name, row.reason_for_viewers, row.reason_retired)),
        row.changed_at,
        row.changed_by,
        row.changed_by_account,
    )


async def revision(reading: Reading, staff_id: int, on: date, version: int) -> Revision | None:
    """The revision with this version, or None."""
    found = await history(reading, [(staff_id, on)], first=1, before=version + 1)
    newest = next(iter(found[staff_id, on]), None)
    return newest if newest is not None and newest.version == version else None
