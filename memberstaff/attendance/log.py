"""Reading the log of changes: the source of truth, of which a notification is only a hint."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Date, Integer, Row, Select, and_, bindparam, case, null, select, true

from memberstaff.attendance.model import reason_columns, reason_of
from memberstaff.changes import Change, DayProgress, status_of
from memberstaff.db.arrays import any_of
from memberstaff.db.rows import as_json, from_json, json_date
from memberstaff.db.tables import account, attendance_day, attendance_revision, installation, reason, staff
from memberstaff.db.work import Reading


@dataclass(frozen=True, slots=True)
class Progress:
    """The roster version and the state of some days, in one snapshot."""

    epoch: int
    roster_version: int
    days: Mapping[date, DayProgress]


NOTHING_HIDDEN: frozenset[str] = frozenset()

_STATES = select(
    installation.c.epoch,
    installation.c.roster_version,
    attendance_day.c.date,
    attendance_day.c.position,
    attendance_day.c.day_version,
).select_from(installation.outerjoin(attendance_day, any_of(attendance_day.c.date, bindparam("dates"))))


async def states(reading: Reading, dates: Collection[date]) -> Progress:
    """The state of these days, in one statement; a day without a row is at zero."""
    rows = await reading.rows(_STATES, {"dates": list(dates)})
    stored = {row.date: DayProgress(row.date, row.position, row.day_version) for row in rows if row.date is not None}
    return Progress(
        epoch=rows[0].epoch,
        roster_version=rows[0].roster_version,
        days={day: stored.get(day) or DayProgress(day, 0, 0) for day in dates},
    )


async def after(reading: Reading, positions: Mapping[date, int], *, limit: int) -> list[Change]:
    """The first `limit` changes after each day's position, ordered by date and position, in one statement."""
    if not positions:
        return []
    given = as_json(
        [{"date": json_date(reading.dialect, day), "position": position} for day, position in positions.items()]
    )
    return await reading.objects(_select_after(reading.dialect), _change, {"rows": given, "limit": limit})


@cache
def _select_after(dialect: str) -> Select[Any]:
    given = from_json(dialect, {"date": Date(), "position": BigInteger()})
    limit = bindparam("limit", type_=Integer())
    log = attendance_revision.c
    follows = and_(log.date == given.c.date, log.position > given.c.position)
    if dialect == "postgresql":
        # Day by day: the planner expects many changes after a position, and would walk the whole log for the first few.
        of_day = select(attendance_revision).where(follows).order_by(log.position).limit(limit).lateral()
        found = select(of_day).select_from(given.join(of_day, true())).order_by(of_day.c.date, of_day.c.position)
    else:
        found = select(attendance_revision).join(given, follows).order_by(log.date, log.position)
    of = (first := found.limit(limit).subquery("revision")).c
    not_erased = staff.c.erased_at.is_(None)
    return (
        select(
            of.date,
            of.position,
            of.staff_id,
            of.version,
            of.status,
            of.note,
            of.photo_url,
            of.arrived_at,
            of.left_at,
            *reason_columns(of.reason_id, NOTHING_HIDDEN),
            of.changed_at,
            of.changed_by,
            account.c.display_name.label("changed_by_name"),
            case((not_erased, staff.c.name), else_=null()).label("staff_name"),
            case((not_erased, staff.c.category), else_=null()).label("staff_category"),
            case((not_erased, staff.c.photo_url), else_=null()).label("staff_photo_url"),
            installation.c.roster_version,
        )
        .select_from(
            first.join(staff, staff.c.id == of.staff_id)
            .join(installation, true())
            .outerjoin(account, account.c.id == of.changed_by)
            .outerjoin(reason, reason.c.id == of.reason_id)
        )
        .order_by(of.date, of.position)
    )


def _change(row: Row[Any]) -> Change:
    return Change(
        date=row.date,
        position=row.position,
        staff_id=row.staff_id,
        version=row.version,
        status=status_of(row.status),
        note=row.note,
        photo_url=row.photo_url,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
        changed_by_name=row.changed_by_name,
        staff_name=row.staff_name,
        staff_category=row.staff_category,
        staff_photo_url=row.staff_photo_url,
        roster_version=row.roster_version,
        arrived_at=row.arrived_at,
        left_at=row.left_at,
        reason=reason_of((row.reason_id, row.reason_name, row.reason_for_viewers, row.reason_retired)),
    )
