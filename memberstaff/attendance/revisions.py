"""Revisions: appended to a day's log, and applied to its records and its position."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Executable,
    Insert,
    Integer,
    Select,
    Text,
    bindparam,
    literal_column,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import TypeEngine

from memberstaff.access import Caller
from memberstaff.attendance import log as change_log
from memberstaff.attendance.model import Day, Record
from memberstaff.changes import Change, DayProgress
from memberstaff.db.rows import as_json, from_json, json_instant
from memberstaff.db.tables import account, attendance, attendance_day, attendance_revision
from memberstaff.db.types import Instant
from memberstaff.db.upsert import insert
from memberstaff.db.work import Work

_VALUES = ["status", "note", "photo_url", "arrived_at", "left_at", "reason_id"]
"""Columns that marks change."""
REVISION = ["date", "position", "staff_id", "version", *_VALUES, "changed_at", "changed_by"]
"""Columns, as they are inserted."""


_GIVEN: dict[str, TypeEngine[Any]] = {
    "position": BigInteger(),
    "staff_id": BigInteger(),
    "version": Integer(),
    "status": Text(),
    "note": Text(),
    "photo_url": Text(),
    "arrived_at": Instant(),
    "left_at": Instant(),
    "reason_id": BigInteger(),
    "changed_by": BigInteger(),
    "is_last": Integer(),
}
"""Of a revision, as it is given; `is_last` is 1 for the last one of a person, and 0 for those before it."""

_ON, _NOW = bindparam("on", type_=Date()), bindparam("now", type_=Instant)


@cache
def _append(dialect: str) -> tuple[ReturningInsert[Any], *tuple[Executable, ...]]:
    """What appends revisions: the first statement gives the names of those who changed them.

    On PostgreSQL it is the only one, since each is a round trip for which others wait; SQLite has no INSERT in a WITH.
    All read the revisions from the parameter, and nothing from a table, so the plan is always the same.
    """
    given = select(from_json(dialect, _GIVEN)).cte("given")
    of = given.c
    # As text: SQLAlchemy would not correlate the column in RETURNING, but select from the whole table.
    changed_by: ColumnElement[int] = literal_column("attendance_revision.changed_by", BigInteger())
    name = select(account.c.display_name).where(account.c.id == changed_by)
    values = [of[name] for name in _VALUES]
    revisions = select(_ON, of.position, of.staff_id, of.version, *values, _NOW, of.changed_by)
    records = select(of.staff_id, _ON, *values, of.version, of.position, _NOW, of.changed_by).where(of.is_last == 1)
    log = (
        attendance_revision.insert()
        .from_select(REVISION, revisions)
        .returning(attendance_revision.c.position, name.scalar_subquery().label("changed_by_name"))
    )
    stored = _stored(dialect, records)
    if dialect == "postgresql":
        return (log.add_cte(stored.cte("stored"), _MOVE_DAY.cte("moved")),)
    return log, stored, _MOVE_DAY


Entry = tuple[Record, Caller]
"""A changed record, and who changed it."""


def numbered(work: Work, day: Day, before: int, after: Record, caller: Caller) -> Record:
    """A changed record with its next version, and its position after the `before` other changes of this work."""
    return after._replace(
        version=after.version + 1,
        position=day.position + before + 1,
        updated_at=work.now,
        updated_by=caller.display_name if caller.account_id is not None else None,
        updated_by_account=caller.account_id,
    )


def _given(record: Record, caller: Caller, dialect: str, *, is_last: bool) -> dict[str, Any]:
    return {
        "position": record.position,
        "staff_id": record.person.id,
        "version": record.version,
        "status": record.status,
        "note": record.note,
        "photo_url": record.photo_url,
        "arrived_at": json_instant(dialect, record.arrived_at),
        "left_at": json_instant(dialect, record.left_at),
        "reason_id": record.reason.id if record.reason is not None else None,
        "changed_by": caller.account_id,
        "is_last": int(is_last),
    }


async def append(work: Work, day: Day, changed: Sequence[Entry]) -> dict[int, str | None]:
    """Append a revision for each record, and bring the records and the day's position up to date with them.

    A person may occur several times, with rising versions. Answers with the name of who made each change, by its
    position: the caller's own may be older.
    """
    if not changed:
        return {}
    last = {record.person.id: record.position for record, _ in changed}
    given = [
        _given(record, caller, work.dialect, is_last=last[record.person.id] == record.position)
        for record, caller in changed
    ]
    to = day.position + len(changed)
    parameters = {"on": day.date, "now": work.now, "rows": as_json(given), "to": to}
    log, *others = _append(work.dialect)
    stored = await work.rows(log, parameters)
    for statement in others:
        await work.write(statement, parameters)
    names = {row.position: row.changed_by_name for row in stored}
    changes = [
        Change(
            date=day.date,
            position=record.position,
            staff_id=record.person.id,
            version=record.version,
            status=record.status,
            note=record.note,
            photo_url=record.photo_url,
            changed_at=work.now,
            changed_by=caller.account_id,
            changed_by_name=names[record.position],
            staff_name=record.person.name,
            staff_category=record.person.category,
            staff_photo_url=record.person.photo_url,
            roster_version=day.roster_version,
            arrived_at=record.arrived_at,
            left_at=record.left_at,
            reason=record.reason,
        )
        for record, caller in changed
    ]
    work.announce_day(day.epoch, DayProgress(day.date, to, day.day_version), changes)
    return names


async def append_selected(work: Work, day: Day, revisions: Select[Any]) -> int:
    """The same for the revisions that a statement selects, one at most of each person; answers with their number."""
    added = await work.write(attendance_revision.insert().from_select(REVISION, revisions))
    if added:
        to = day.position + added
        await work.write(_apply(work.dialect), {"on": day.date, "after": day.position})
        await work.write(_MOVE_DAY, {"on": day.date, "to": to})
        # The first and the last tell, should a failover lose them, what was lost; the listeners read the others.
        ends = [await change_log.after(work, {day.date: before}, limit=1) for before in sorted({day.position, to - 1})]
        work.announce_day(day.epoch, DayProgress(day.date, to, day.day_version), chain.from_iterable(ends))
    return added


@cache
def _apply(dialect: str) -> Insert:
    of = attendance_revision.c
    return _stored(
        dialect,
        select(
            of.staff_id,
            of.date,
            *(of[name] for name in _VALUES),
            of.version,
            of.position,
            of.changed_at,
            of.changed_by,
        ).where(of.date == _ON, of.position > bindparam("after", type_=BigInteger())),
    )


def _stored(dialect: str, records: Select[Any]) -> Insert:
    """Inserts or updates the records that a statement selects."""
    names = ["staff_id", "date", *_VALUES, "version", "position", "updated_at", "updated_by"]
    statement = insert(dialect, attendance).from_select(names, records)
    return statement.on_conflict_do_update(
        index_elements=["date", "staff_id"],
        set_={name: statement.excluded[name] for name in names[2:]},
    )


_MOVE_DAY = (
    update(attendance_day).where(attendance_day.c.date == _ON).values(position=bindparam("to", type_=BigInteger()))
)
