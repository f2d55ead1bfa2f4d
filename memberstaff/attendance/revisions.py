"""Revisions: appended to a day's log, and applied to its records and its position."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Insert,
    Integer,
    Text,
    bindparam,
    exists,
    literal_column,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import TypeEngine

from memberstaff.access import Caller
from memberstaff.attendance.model import Day, Record
from memberstaff.changes import Change, DayProgress
from memberstaff.db.rows import as_json, from_json
from memberstaff.db.tables import account, attendance, attendance_day, attendance_revision
from memberstaff.db.types import Instant
from memberstaff.db.upsert import insert
from memberstaff.db.work import Work

REVISION = [
    "date",
    "position",
    "staff_id",
    "version",
    "status",
    "note",
    "photo_url",
    "changed_at",
    "changed_by",
]
"""Columns, as they are inserted."""


_GIVEN: dict[str, TypeEngine[Any]] = {
    "position": BigInteger(),
    "staff_id": BigInteger(),
    "version": Integer(),
    "status": Text(),
    "note": Text(),
    "photo_url": Text(),
    "changed_by": BigInteger(),
}


@cache
def _insert_revisions(dialect: str) -> ReturningInsert[Any]:
    """Inserts revisions, and gives the names of those who changed them: a caller's may be older than the day's lock."""
    # As text: SQLAlchemy would not correlate the column in RETURNING, but select from the whole table.
    changed_by: ColumnElement[int] = literal_column("attendance_revision.changed_by", BigInteger())
    name = select(account.c.display_name).where(account.c.id == changed_by)
    given = from_json(dialect, _GIVEN)
    on, now = bindparam("on", type_=Date()), bindparam("now", type_=Instant)
    return (
        attendance_revision.insert()
        .from_select(
            REVISION,
            select(
                on,
                given.c.position,
                given.c.staff_id,
                given.c.version,
                given.c.status,
                given.c.note,
                given.c.photo_url,
                now,
                given.c.changed_by,
            ),
        )
        .returning(attendance_revision.c.position, name.scalar_subquery().label("changed_by_name"))
    )


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


def _given(record: Record, caller: Caller) -> dict[str, Any]:
    return {
        "position": record.position,
        "staff_id": record.person.id,
        "version": record.version,
        "status": record.status,
        "note": record.note,
        "photo_url": record.photo_url,
        "changed_by": caller.account_id,
    }


async def append(work: Work, day: Day, changed: Sequence[Entry]) -> dict[int, str | None]:
    """Append a revision for each record; a person may occur several times, with rising versions.

    Answers with the name of who made each change, by its position: the caller's own may be older.
    """
    if not changed:
        return {}
    rows = as_json([_given(record, caller) for record, caller in changed])
    stored = await work.rows(_insert_revisions(work.dialect), {"on": day.date, "now": work.now, "rows": rows})
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
        )
        for record, caller in changed
    ]
    await apply(work, day, len(changes))
    work.announce_day(day.epoch, DayProgress(day.date, day.position + len(changes), day.day_version), changes)
    return names


async def apply(work: Work, day: Day, added: int) -> None:
    """Bring the records and the day's position up to date with the revisions just added."""
    await work.write(_upsert_records(work.dialect), {"on": day.date, "after": day.position})
    await work.write(_MOVE_DAY, {"on": day.date, "to": day.position + added})


_MOVE_DAY = (
    update(attendance_day)
    .where(attendance_day.c.date == bindparam("on", type_=Date()))
    .values(position=bindparam("to", type_=BigInteger()))
)


@cache
def _upsert_records(dialect: str) -> Insert:
    of, later = attendance_revision.c, attendance_revision.alias("later")
    names = ["staff_id", "date", "status", "note", "photo_url", "version", "position", "updated_at", "updated_by"]
    added = select(
        of.staff_id,
        of.date,
        of.status,
        of.note,
        of.photo_url,
        of.version,
        of.position,
        of.changed_at,
        of.changed_by,
    ).where(
        of.date == bindparam("on", type_=Date()),
        of.position > bindparam("after", type_=BigInteger()),
        ~exists().where(later.c.staff_id == of.staff_id, later.c.date == of.date, later.c.version > of.version),
    )
    statement = insert(dialect, attendance).from_select(names, added)
    return statement.on_conflict_do_update(
        index_elements=["date", "staff_id"],
        set_={name: statement.excluded[name] for name in names[2:]},
    )
