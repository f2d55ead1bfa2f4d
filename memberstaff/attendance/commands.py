"""Changing attendance: one person's mark, many people's at once, or everybody who is still unmarked.

Each command locks its day before it reads anything else. A change is a row of `attendance_revision`; a row of
`attendance` is the result of a person's last one. Commands take the caller's `Work`; they never commit and never
publish.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    literal,
    select,
)

from memberstaff.access import Caller
from memberstaff.attendance import rules
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.model import Day, Record, record
from memberstaff.attendance.queries import BoardFilter, select_records_by_key
from memberstaff.attendance.reasons import unpacked, wanted
from memberstaff.attendance.revisions import Entry, append, append_selected, numbered
from memberstaff.attendance.rules import Mark, Moment
from memberstaff.changes import ON_SITE, Reason, Status, is_known
from memberstaff.db.arrays import any_of
from memberstaff.db.tables import attendance, reason, staff
from memberstaff.db.types import Instant
from memberstaff.db.work import Work
from memberstaff.errors import ErrorCode, Refusal, Refusals, RequestError, Unavailable

MOST_ENTRIES = 20_000
"""In one request."""


class ErrorPolicy(StrEnum):
    """What a bulk change does when some of its entries are refused."""

    REJECT_ALL = "REJECT_ALL"
    SKIP_FAILED = "SKIP_FAILED"


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What a bulk change did: the day's position rose from `before` to `after`."""

    date: date
    before: int
    after: int
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class MarkOutcome:
    """The record as stored after a single mark; `epoch` names the log that its position belongs to.

    Its names may be newer than `roster_version`, and are never older.
    """

    record: Record
    epoch: int
    roster_version: int

    def named(self, changed_by: Mapping[int, str | None]) -> MarkOutcome:
        """The same with the name of who made the change, by its position, as every board is told it."""
        name = changed_by.get(self.record.position, self.record.updated_by)
        return replace(self, record=self.record._replace(updated_by=name))


Marks = Sequence[tuple[Caller, Mark]]
"""Each with whose it is."""


async def _nobody() -> Marks:
    return ()


async def update_each(
    work: Work, calendar: Calendar, on: date, marks: Marks, late: Callable[[], Awaitable[Marks]] = _nobody
) -> list[MarkOutcome | Refusal | RequestError]:
    """Record several callers' marks on one day, in order; each succeeds or fails as if it had come alone.

    `late` is asked for more once the day is locked.
    """
    moment = calendar.moment(work)
    forbidden = _forbidden(marks, on, moment)
    if all(forbidden):  # a caller without the right must not take the lock that others wait for
        return [error for error in forbidden if error is not None]
    day = await calendar.lock_row(work, on)
    came = await late()
    marks, forbidden = [*marks, *came], [*forbidden, *_forbidden(came, on, moment)]
    records, reasons = await _records_of(work, on, [mark for _, mark in marks])
    outcomes: list[MarkOutcome | Refusal | RequestError] = []
    changed: list[Entry] = []
    for (caller, mark), not_allowed in zip(marks, forbidden, strict=True):
        try:
            if not_allowed is not None:
                raise not_allowed
            current = records.get(mark.staff_id)
            if current is None:
                raise Refusal(ErrorCode.NOT_FOUND, "There is no such person.", "target")
            after = rules.apply(mark.checked(), current, day, moment, reasons)
        except (Refusal, RequestError) as error:
            outcomes.append(error)
            continue
        if after is not None:
            current = records[mark.staff_id] = numbered(work, day, len(changed), after, caller)
            changed.append((current, caller))
        outcomes.append(MarkOutcome(current, day.epoch, day.roster_version))
    names = await append(work, day, changed)
    return [outcome.named(names) if isinstance(outcome, MarkOutcome) else outcome for outcome in outcomes]


async def update_many(
    work: Work, calendar: Calendar, on: date, marks: Sequence[Mark], policy: ErrorPolicy, *, are_arrivals: bool = True
) -> BulkOutcome:
    """Record many people's attendance on one day: all of it, or whatever is valid. Raises Refusals.

    With `are_arrivals` False it is unknown when those came who are marked, unless their mark says it.
    """
    moment = calendar.moment(work, are_arrivals=are_arrivals)
    for occurred_at in {mark.occurred_at for mark in marks} or {None}:
        moment.require(work.caller, on, occurred_at)
    day = await calendar.lock_row(work, on)
    if len(marks) > MOST_ENTRIES:
        raise Refusal(ErrorCode.LIMIT_EXCEEDED, f"A request may have at most {MOST_ENTRIES:,} entries.", "entries")
    records, reasons = await _records_of(work, on, marks)
    after, refusals = judge(day, records, marks, moment, reasons)
    if refusals and policy is ErrorPolicy.REJECT_ALL:
        raise Refusals(*refusals)
    changed = [(numbered(work, day, index, record, work.caller), work.caller) for index, record in enumerate(after)]
    await append(work, day, changed)
    return BulkOutcome(on, day.position, day.position + len(changed), tuple(refusals))


def judge(
    day: Day,
    records: Mapping[int, Record],
    marks: Sequence[Mark],
    moment: Moment,
    reasons: Mapping[int, Reason],
) -> tuple[list[Record], list[Refusal]]:
    """The records that the marks of a day change, and a Refusal for each that is not valid, below `entries`."""
    changed: list[Record] = []
    refusals: list[Refusal] = []
    seen: set[int] = set()
    for index, mark in enumerate(marks):
        try:
            if mark.staff_id in seen:
                raise Refusal(ErrorCode.DUPLICATE, "This person is in the request twice.", "staffId")
            seen.add(mark.staff_id)
            if mark.staff_id not in records:
                raise Refusal(ErrorCode.NOT_FOUND, "There is no such person.", "staffId")
            after = rules.apply(mark.checked(), records[mark.staff_id], day, moment, reasons)
        except Refusal as refusal:
            refusals.append(refusal.under("entries", str(index)))
        else:
            if after is not None:
                changed.append(after)
    return changed, refusals


async def fill(
    work: Work,
    calendar: Calendar,
    on: date,
    status: Status,
    which: BoardFilter,
    *,
    only_unmarked: bool,
    occurred_at: datetime | None = None,
) -> BulkOutcome:
    """Give everybody on the roster who matches `which` this status; notes, reasons and photos stay. Raises Refusal.

    When they came is unknown, and so it stays. `occurred_at` is as in a `Mark`.
    """
    moment = calendar.moment(work)
    moment.require(work.caller, on, occurred_at)
    day = await calendar.lock_row(work, on)
    moment.check_not_ahead(occurred_at)
    moment.check_not_too_late(occurred_at)
    rules.check_day(on, status, locked=day.locked, today=moment.today(occurred_at))
    current: ColumnElement[str] = func.coalesce(attendance.c.status, Status.UNMARKED.value)
    conditions = [*which.conditions(), staff.c.erased_at.is_(None), current != status.value]
    if only_unmarked:
        conditions.append(current == Status.UNMARKED.value)
    # Locked as they are read, for the reason given at `_records_of`; a row that is locked cannot be numbered as well.
    people = (
        select(
            staff.c.id,
            staff.c.sort_key,
            func.coalesce(attendance.c.version, 0).label("version"),
            attendance.c.note,
            attendance.c.photo_url,
            attendance.c.arrived_at,
            attendance.c.left_at,
            attendance.c.reason_id,
        )
        .select_from(staff.outerjoin(attendance, and_(attendance.c.staff_id == staff.c.id, attendance.c.date == on)))
        .where(*conditions)
        .with_for_update(read=True, key_share=True, of=staff)
        .subquery("people")
    )
    found = select(
        literal(on),
        day.position + func.row_number().over(order_by=(people.c.sort_key, people.c.id)),
        people.c.id,
        people.c.version + 1,
        literal(status.value),
        people.c.note,
        people.c.photo_url,
        people.c.arrived_at if status in ON_SITE else literal(None, Instant),
        people.c.left_at if status in ON_SITE else literal(None, Instant),
        people.c.reason_id,
        literal(work.now, Instant),
        literal(work.caller.account_id, BigInteger),
    )
    added = await append_selected(work, day, found)
    return BulkOutcome(on, day.position, day.position + added)


def _forbidden(marks: Marks, on: date, moment: Moment) -> list[RequestError | None]:
    """Why each mark may not be made, if it may not."""
    found: list[RequestError | None] = []
    for caller, mark in marks:
        try:
            moment.require(caller, on, mark.occurred_at)
        except RequestError as error:
            found.append(error)
        else:
            found.append(None)
    return found


async def _records_of(work: Work, on: date, marks: Sequence[Mark]) -> tuple[dict[int, Record], Mapping[int, Reason]]:
    """The current records of the people marked, and the reasons that are to be chosen.

    In one statement of constant size that looks each record up by its key.

    Locks those people against erasure until this work ends, or a note written here would outlive its person. Raises
    Unavailable for a record with a status of a later release, which would be lost: that one's processes can change it.
    """
    parameters: dict[str, Any] = {"on": on, "staff_ids": [mark.staff_id for mark in marks]}
    chosen = {mark.reason_id for mark in marks if isinstance(mark.reason_id, int)}
    if chosen:
        parameters["reason_ids"] = list(chosen)
    rows = await work.rows(_select_records_of(work.dialect, reasons=bool(chosen)), parameters)
    if not all(row.status is None or is_known(row.status) for row in rows):
        raise Unavailable("This server is being replaced by a later release. Try again.", applied=False)
    reasons = unpacked(rows[0].wanted_reasons) if chosen and rows else rules.NO_REASONS
    return {row.id: record(row[:-1] if chosen else row, on) for row in rows}, reasons


@cache
def _select_records_of(dialect: str, *, reasons: bool) -> Select[Any]:
    """Nothing is hidden from whoever may mark, or it would be written over."""
    selected = (
        select_records_by_key(dialect, frozenset())
        .where(any_of(staff.c.id, bindparam("staff_ids")))
        .with_for_update(read=True, key_share=True, of=staff)
    )
    if not reasons:
        return selected
    return selected.add_columns(wanted(dialect, any_of(reason.c.id, bindparam("reason_ids")) & ~reason.c.retired))
