"""Days: reading them, locking their rows, and changing their settings."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Date, Row, Select, bindparam, func, select, true, update

from memberstaff.access import Right
from memberstaff.attendance.model import Day
from memberstaff.attendance.rules import Moment
from memberstaff.changes import DayProgress
from memberstaff.db.arrays import any_of
from memberstaff.db.tables import attendance_day, installation
from memberstaff.db.upsert import insert
from memberstaff.db.work import Reading, Work
from memberstaff.errors import ErrorCode, Refusal
from memberstaff.inputs import LONGEST_NAME, LONGEST_REASON, UNSET, Unset, line, paragraph

_COLUMNS = (attendance_day, installation.c.epoch, installation.c.roster_version, installation.c.least_revision)

REASONS_SINCE = "0014"
"""The migration that a process must know to carry times and reasons on."""

_DAYS = select(*_COLUMNS).select_from(
    installation.outerjoin(attendance_day, any_of(attendance_day.c.date, bindparam("dates")))
)


@cache
def _locking(dialect: str) -> Select[Any]:
    """Locks a day's row.

    On PostgreSQL the rest of the transaction then reads people and records by their keys alone, by a plan that is made
    once. A plan that was made for twenty of them, or without statistics, may read the whole table, and is kept until
    statistics are taken; and one for the number of people of each mark, which PostgreSQL prefers, is made each time.
    """
    settings = {"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"} if dialect == "postgresql" else {}
    return (
        select(*_COLUMNS, *(func.set_config(name, value, True) for name, value in settings.items()))
        .select_from(attendance_day.join(installation, true()))
        .where(attendance_day.c.date == bindparam("on", type_=Date()))
        .with_for_update(of=attendance_day)
    )


class Calendar:
    """The organisation's calendar: the weekday decides what is a working day, unless the day's row says otherwise.

    `late_mark_days` is how old a mark may be that comes late, and `correction_days` for how many days a MARKER may mark
    a day that is over.
    """

    def __init__(
        self, working_weekdays: AbstractSet[int], *, late_mark_days: int = 7, correction_days: int = 1
    ) -> None:
        self._working = working_weekdays
        self._latest = timedelta(days=late_mark_days)
        self._corrected = timedelta(days=correction_days)

    def moment(self, reading: Reading, *, are_arrivals: bool = True) -> Moment:
        """The moment of the marks of a work, which are arrivals or not."""
        return Moment(reading.now, reading.zone, self._latest, self._corrected, are_arrivals)

    async def days(self, reading: Reading, dates: Collection[date]) -> dict[date, Day]:
        """The days by date, in one statement; a day without a row gets its defaults."""
        reading.require(Right.READ)
        rows = await reading.rows(_DAYS, {"dates": list(dates)})
        stored = {row.date: _day(row) for row in rows if row.date is not None}
        first = rows[0]
        return {
            day: stored.get(day)
            or Day(
                date=day,
                locked=False,
                working=day.weekday() in self._working,
                label=None,
                position=0,
                day_version=0,
                epoch=first.epoch,
                roster_version=first.roster_version,
                finished=is_finished(first),
            )
            for day in dates
        }

    async def day(self, reading: Reading, on: date) -> Day:
        return (await self.days(reading, (on,)))[on]

    async def lock_row(self, work: Work, on: date) -> Day:
        """Lock the day's row, inserting it if it is missing; call this before anything else is read.

        Positions are assigned under this lock, so position order is commit order.
        """
        row = await work.locked(_locking(work.dialect), {"on": on})
        if row is None:
            new = insert(work.dialect, attendance_day).values(date=on, working=on.weekday() in self._working)
            await work.write(new.on_conflict_do_nothing())
            row = await work.locked(_locking(work.dialect), {"on": on})
        assert row is not None
        return _day(row)

    async def update(self, work: Work, on: date, *, working: bool | None | Unset, label: str | None | Unset) -> None:
        """Set whether it is a working day (None: what its weekday says), and its label. Raises Refusal."""
        work.require(Right.MANAGE_DAYS)
        day = await self.lock_row(work, on)
        values: dict[str, Any] = {}
        if working is not UNSET:
            values["working"] = on.weekday() in self._working if working is None else working
        if label is not UNSET:
            given = label.strip() if label is not None else ""
            values["label"] = line(given, longest=LONGEST_NAME, what="The label", path="label") if given else None
        await self._change(work, day, "updated", values)

    async def set_locked(self, work: Work, on: date, *, locked: bool, reason: str | None) -> None:
        """Lock a day, which then takes no marks, or unlock it."""
        work.require(Right.MANAGE_DAYS)
        reason = paragraph(reason, longest=LONGEST_REASON, what="The reason", path="reason")
        day = await self.lock_row(work, on)
        if locked and on > work.today:
            raise Refusal(ErrorCode.FUTURE_DATE, f"{on} is in the future and cannot be locked.", "date")
        await self._change(work, day, "locked" if locked else "unlocked", {"locked": locked}, reason=reason)

    async def _change(self, work: Work, day: Day, action: str, values: dict[str, Any], **details: Any) -> None:
        if all(getattr(day, name) == value for name, value in values.items()):
            return
        await work.write(
            update(attendance_day)
            .where(attendance_day.c.date == day.date)
            .values(**values, day_version=attendance_day.c.day_version + 1)
        )
        await work.audit("day", day.date.isoformat(), action, {**values, **details})
        work.announce_day(day.epoch, DayProgress(day.date, day.position, day.day_version + 1))


def _day(row: Row[Any]) -> Day:
    return Day(
        date=row.date,
        locked=row.locked,
        working=row.working,
        label=row.label,
        position=row.position,
        day_version=row.day_version,
        epoch=row.epoch,
        roster_version=row.roster_version,
        finished=is_finished(row),
    )


def is_finished(row: Row[Any]) -> bool:
    """Whether no process may serve, by the installation's row, that would not carry times and reasons on."""
    return (row.least_revision or "") >= REASONS_SINCE
