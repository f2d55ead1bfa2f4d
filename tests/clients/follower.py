"""The Python example, following a day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from examples.python_gql import BOARD, Attendance
from memberstaff.access import Role
from tests.clients.program import PATIENCE_SECONDS
from tests.installation import PASSWORD, email


@dataclass
class Follower:
    """What the example's `watch` answers, one by one."""

    attendance: Attendance
    seen: list[str] = field(default_factory=list)
    coming: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def follow(self, date: str, after: str) -> None:
        async for change in self.attendance.watch(date, after):
            self.coming.put_nowait(f"{change['staffName']} {change['status']}")

    async def hear(self, last: str) -> None:
        """Wait for this change."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self.seen[-1:] != [last]:
                    self.seen.append(await self.coming.get())
        assert self.seen[-1:] == [last]


@asynccontextmanager
async def following(address: str, date: str) -> AsyncIterator[Follower]:
    """One that follows this day as the front desk, from the moment it has logged in."""
    attendance = Attendance(address)
    await attendance.login(email(Role.MARKER), PASSWORD)
    day = (await attendance.execute(BOARD, date=date))["attendanceDay"]
    follower = Follower(attendance)
    task = asyncio.ensure_future(follower.follow(date, day["records"]["feedCursor"]))
    try:
        yield follower
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
