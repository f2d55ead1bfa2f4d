"""What the tests of attendance start from: three people, a front desk, and what was announced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import select, text

from memberstaff.access import COMMAND_LINE, Caller
from memberstaff.attendance import commands
from memberstaff.attendance.commands import BulkOutcome, ErrorPolicy
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.model import Record
from memberstaff.attendance.queries import BoardFilter
from memberstaff.attendance.rules import Mark
from memberstaff.changes import Status
from memberstaff.db.database import Database
from memberstaff.db.tables import attendance, attendance_day, attendance_revision
from memberstaff.db.work import Work
from memberstaff.notify.notification import Notification
from memberstaff.staff.queries import StaffFilter
from tests.clock import MONDAY

TODAY = MONDAY
CALENDAR = Calendar({0, 1, 2, 3, 4})


@dataclass
class School:
    """A database with a marker and some people, and what its commits announced."""

    database: Database
    notifications: list[Notification]
    marker: Caller
    people: dict[str, int] = field(default_factory=dict)

    @asynccontextmanager
    async def work(self, caller: Caller | None = None) -> AsyncIterator[Work]:
        async with self.database.write() as work:
            work.caller = caller or self.marker
            yield work

    async def mark(self, name: str, status: Status, *, on: date = TODAY, **values: object) -> Record:
        async with self.work(COMMAND_LINE if on != TODAY else None) as work:
            return await self.store(work, on, Mark(self.people[name], status=status, **values))  # type: ignore[arg-type]

    async def store(self, work: Work, on: date, mark: Mark) -> Record:
        """One mark as part of a work; raises why it is refused, and the work is rolled back."""
        [answer] = await commands.update_each(work, CALENDAR, on, [(work.caller, mark)])
        if isinstance(answer, Exception):
            raise answer
        return answer.record

    async def bulk(self, *marks: Mark, policy: ErrorPolicy = ErrorPolicy.REJECT_ALL) -> BulkOutcome:
        async with self.work() as work:
            return await commands.update_many(work, CALENDAR, TODAY, marks, policy)

    async def fill(self, status: Status, *, only_unmarked: bool = True) -> BulkOutcome:
        """Give everybody the same status, of which the first and the last change are announced."""
        async with self.work() as work:
            everybody = BoardFilter(StaffFilter(TODAY))
            return await commands.fill(work, CALENDAR, TODAY, status, everybody, only_unmarked=only_unmarked)

    async def log(self, on: date = TODAY) -> list[tuple[int, int, int, str]]:
        """Position, person, version and status of each change."""
        of = attendance_revision.c
        async with self.database.read() as reading:
            rows = await reading.rows(
                select(of.position, of.staff_id, of.version, of.status).where(of.date == on).order_by(of.position)
            )
        return [tuple(row) for row in rows]

    async def position(self, on: date = TODAY) -> int:
        async with self.database.read() as reading:
            return int(await reading.scalar(select(attendance_day.c.position).where(attendance_day.c.date == on)) or 0)

    async def notes(self, staff_id: int) -> set[str | None]:
        """All notes about a person, in their records and in the log."""
        found: set[str | None] = set()
        async with self.database.read() as reading:
            for table in (attendance, attendance_revision):
                rows = await reading.rows(select(table.c.note).where(table.c.staff_id == staff_id))
                found |= {row.note for row in rows}
        return found

    async def until_done_or_waiting(self, task: asyncio.Task[None]) -> None:
        """Wait until the task has ended, or its transaction waits for a lock."""
        waiting = text(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        async with asyncio.timeout(10):
            while not task.done():
                async with self.database.read() as reading:
                    if await reading.scalar(waiting):
                        return
                await asyncio.sleep(0.01)

    def announced(self) -> list[tuple[str | None, Status]]:
        return [
            (change.staff_name, change.status) for notification in self.notifications for change in notification.changes
        ]
