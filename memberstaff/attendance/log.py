"""Reading the log of changes: the source of truth, of which a notification is only a hint."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Date, Row, Select, and_, bindparam, case, null, or_, select

from memberstaff.changes import Change, DayProgress, Status
from memberstaff.db.tables import account, attendance_day, attendance_revision, installation, staff
from memberstaff.db.work import Reading


@dataclass(frozen=True, slots=True)
class Progress:
    """The roster version and the state of some days, in one snapshot."""

    epoch: str
    roster_version: int
    days: Mapping[date, DayProgress]


_STATES = select(
    installation.c.epoch,
    installation.c.roster_version,
    attendance_day.c.date,
    attendance_day.c.position,
    attendance_day.c.day_version,
).select_from(
    installation.outerjoin(attendance_day, attendance_day.c.date.in_(bindparam("dates", type_=Date(), expanding=True)))
)


async def states(reading: Reading, dates: Collection[date]) -> Progress:
    """The state of these days, in one statement; a day without a row is at zero."""
    rows = await reading.rows(_STATES, {"dates": list(dates)})
    stored = {row.date: DayProgress(row.date, row.position, row.day_version) for row in rows if row.date is not None}
    return Progress(
        epoch=rows[0].epoch,
        roster_version=rows[0].roster_version,
        days={day: stored.get(day) or DayProgress(day, 0, 0) for day in dates},
    )


_revision = attendance_revision.c
_not_erased = staff.c.erased_at.is_(None)

_CHANGES: Select[Any] = select(
    _revision.date,
    _revision.position,
    _revision.staff_id,
    _revision.version,
    _revision.status,
    _revision.note,
    _revision.photo_url,
    _revision.changed_at,
    _revision.changed_by,
    account.c.display_name.label("changed_by_name"),
    case((_not_erased, staff.c.name), else_=null()).label("staff_name"),
    case((_not_erased, staff.c.category), else_=null()).label("staff_category"),
    case((_not_erased, staff.c.photo_url), else_=null()).label("staff_photo_url"),
).select_from(
    attendance_revision.join(staff, staff.c.id == _revision.staff_id).outerjoin(
        account, account.c.id == _revision.changed_by
    )
)


async def after(reading: Reading, positions: Mapping[date, int], *, limit: int) -> list[Change]:
    """The first `limit` changes after each day's position, ordered by date and position, in one statement."""
    if not positions:
        return []
    rows = await reading.rows(
        _CHANGES.where(
            or_(*(and_(_revision.date == day, _revision.position > position) for day, position in positions.items()))
        )
        .order_by(_revision.date, _revision.position)
        .limit(limit)
    )
    return [_change(row) for row in rows]


def _change(row: Row[Any]) -> Change:
    return Change(
        date=row.date,
        position=row.position,
        staff_id=row.staff_id,
        version=row.version,
        status=Status(row.status),
        note=row.note,
        photo_url=row.photo_url,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
        changed_by_name=row.changed_by_name,
        staff_name=row.staff_name,
        staff_category=row.staff_category,
        staff_photo_url=row.staff_photo_url,
    )
