"""Changing attendance: one person's mark, many at once, or everybody still unmarked.

Each is one transaction that locks its day first. A change is a row of `attendance_revision`; the record is
what the last one left. Commands take the caller's `Work`, never commit and never publish.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Insert,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.types import TypeEngine

from memberstaff.access import Caller, Right
from memberstaff.attendance import rules
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.model import Day, Record, record
from memberstaff.attendance.queries import BoardFilter, select_records
from memberstaff.attendance.rules import Mark
from memberstaff.changes import Change, DayState, Status
from memberstaff.db.rows import as_json, from_json
from memberstaff.db.tables import attendance, attendance_day, attendance_revision, staff
from memberstaff.db.types import Instant
from memberstaff.db.upsert import insert
from memberstaff.db.work import Work
from memberstaff.errors import ErrorCode, Refusal, Refusals, RequestError

MOST_ENTRIES = 20_000
"""Marks in one request."""


class ErrorPolicy(StrEnum):
    """What a bulk change does when some of its entries are refused."""

    REJECT_ALL = "REJECT_ALL"
    SKIP_FAILED = "SKIP_FAILED"


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What a bulk change did: it took the day from position `before` to `after`."""

    date: date
    before: int
    after: int
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The record as it is stored when one mark is done; `epoch` names the log that its position counts in."""

    record: Record
    epoch: str


async def update_each(
    work: Work, calendar: Calendar, on: date, asked: Sequence[tuple[Caller, Mark]]
) -> list[Outcome | Refusal | RequestError]:
    """Record marks of one day for several callers, in their order; each is judged as if it had come alone."""
    forbidden = [_forbidden(caller, on, work.today) for caller, _ in asked]
    if all(forbidden):  # whoever may not mark does not hold up those who may
        return [why for why in forbidden if why is not None]
    day = await calendar.lock_row(work, on)
    stored = await _stored(work, on, [mark for _, mark in asked], notes=True)
    answers: list[Outcome | Refusal | RequestError] = []
    following: list[Entry] = []
    for (caller, mark), why in zip(asked, forbidden, strict=True):
        try:
            if why is not None:
                raise why
            known = stored.get(mark.staff_id)
            if known is None:
                raise Refusal(ErrorCode.NOT_FOUND, "There is no such person.", "target")
            after = rules.apply(mark.checked(), known, locked=day.locked, today=work.today)
        except (Refusal, RequestError) as error:
            answers.append(error)
            continue
        if after is not None:
            known = stored[mark.staff_id] = _next(work, day, len(following), after, caller)
            following.append((known, caller))
        answers.append(Outcome(known, day.epoch))
    await _append(work, day, following)
    return answers


async def update_many(
    work: Work, calendar: Calendar, on: date, marks: Sequence[Mark], policy: ErrorPolicy
) -> BulkOutcome:
    """Record many people's attendance on one day, all or those that can be. Raises Refusals."""
    day = await _enter(work, calendar, on)
    if len(marks) > MOST_ENTRIES:
        raise Refusal(ErrorCode.LIMIT_EXCEEDED, f"More than {MOST_ENTRIES:,} entries in one request.", "entries")
    stored = await _stored(work, on, marks, notes=work.caller.may(Right.READ_NOTES))
    refusals: list[Refusal] = []
    following: list[Entry] = []
    seen: set[int] = set()
    for index, mark in enumerate(marks):
        try:
            if mark.staff_id in seen:
                raise Refusal(ErrorCode.DUPLICATE, "This person stands in the request twice.", "staffId")
            seen.add(mark.staff_id)
            if mark.staff_id not in stored:
                raise Refusal(ErrorCode.NOT_FOUND, "There is no such person.", "staffId")
            after = rules.apply(mark.checked(), stored[mark.staff_id], locked=day.locked, today=work.today)
        except Refusal as refusal:
            refusals.append(refusal.under("entries", str(index)))
        else:
            if after is not None:
                following.append((_next(work, day, len(following), after, work.caller), work.caller))
    if refusals and policy is ErrorPolicy.REJECT_ALL:
        raise Refusals(*refusals)
    await _append(work, day, following)
    return BulkOutcome(on, day.position, day.position + len(following), tuple(refusals))


async def fill(
    work: Work, calendar: Calendar, on: date, status: Status, which: BoardFilter, *, only_unmarked: bool
) -> BulkOutcome:
    """Give everybody on the roster that `which` finds this status; notes and photos stay. Raises Refusal."""
    day = await _enter(work, calendar, on)
    rules.check_day(on, status, locked=day.locked, today=work.today)
    current: ColumnElement[str] = func.coalesce(attendance.c.status, Status.UNMARKED.value)
    conditions = [*which.conditions(), staff.c.erased_at.is_(None), current != status.value]
    if only_unmarked:
        conditions.append(current == Status.UNMARKED.value)
    found = (
        select(
            literal(on),
            day.position + func.row_number().over(order_by=(staff.c.sort_key, staff.c.id)),
            staff.c.id,
            func.coalesce(attendance.c.version, 0) + 1,
            literal(status.value),
            attendance.c.note,
            attendance.c.photo_url,
            literal(work.now, Instant),
            literal(work.caller.account_id, BigInteger),
        )
        .select_from(staff.outerjoin(attendance, and_(attendance.c.staff_id == staff.c.id, attendance.c.date == on)))
        .where(*conditions)
    )
    added = await work.write(attendance_revision.insert().from_select(_REVISION, found))
    if added:
        await _follow_log(work, day, added)
        work.announce_day(day.epoch, DayState(on, day.position + added, day.day_version))
    return BulkOutcome(on, day.position, day.position + added)


async def _enter(work: Work, calendar: Calendar, on: date) -> Day:
    """Check that the caller may mark that day, and lock it."""
    _require_mark(work.caller, on, work.today)
    return await calendar.lock_row(work, on)


def _forbidden(caller: Caller, on: date, today: date) -> RequestError | None:
    try:
        _require_mark(caller, on, today)
    except RequestError as fault:
        return fault
    return None


def _require_mark(caller: Caller, on: date, today: date) -> None:
    caller.require(Right.MARK)
    if on != today:
        caller.require(Right.MARK_ANY_DAY)


async def _stored(work: Work, on: date, marks: Sequence[Mark], *, notes: bool) -> dict[int, Record]:
    """The records that the marks are about, in one statement of constant size.

    Their people cannot be erased until this work has ended, or its note would outlive them.
    """
    statement = _select_stored(work.dialect, notes=notes)
    ids = as_json([{"staff_id": mark.staff_id} for mark in marks])
    return {row.id: record(row, on) for row in await work.rows(statement, {"on": on, "rows": ids})}


@cache
def _select_stored(dialect: str, *, notes: bool) -> Select[Any]:
    given = from_json(dialect, {"staff_id": BigInteger()})
    return (
        select_records(notes=notes)
        .where(staff.c.id.in_(select(given.c.staff_id)))
        .with_for_update(read=True, key_share=True, of=staff)
    )


_REVISION = [
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
def _insert_revisions(dialect: str) -> Insert:
    given = from_json(dialect, _GIVEN)
    on, now = bindparam("on", type_=Date()), bindparam("now", type_=Instant)
    return attendance_revision.insert().from_select(
        _REVISION,
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


Entry = tuple[Record, Caller]
"""A record as it will be stored, and who changed it."""


def _next(work: Work, day: Day, before: int, after: Record, caller: Caller) -> Record:
    """A changed record with the next version, and the position that follows the day's and `before` others."""
    return after._replace(
        version=after.version + 1,
        position=day.position + before + 1,
        updated_at=work.now,
        updated_by=caller.display_name if caller.account_id is not None else None,
    )


async def _append(work: Work, day: Day, following: Sequence[Entry]) -> None:
    """Store records with a revision each; one may come several times, with rising versions."""
    if not following:
        return
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
            changed_by_name=record.updated_by,
            staff_name=record.person.name,
            staff_category=record.person.category,
            staff_photo_url=record.person.photo_url,
        )
        for record, caller in following
    ]
    rows = as_json([{name: getattr(change, name) for name in _GIVEN} for change in changes])
    await work.write(_insert_revisions(work.dialect), {"on": day.date, "now": work.now, "rows": rows})
    await _follow_log(work, day, len(changes))
    work.announce_day(day.epoch, DayState(day.date, day.position + len(changes), day.day_version), changes)


async def _follow_log(work: Work, day: Day, added: int) -> None:
    """Bring the records and the day's position up to the revisions just added."""
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
