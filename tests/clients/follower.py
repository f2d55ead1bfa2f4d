"""The Python client, following a day: over an event loop, or in a thread without one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from memberstaff.access import Role
from memberstaff_client import Attendance, Day, Record, sync
from tests.clients.program import PATIENCE_SECONDS
from tests.installation import PASSWORD, email


@dataclass
class Heard:
    """The changes that a follower has heard of, in order."""

    seen: list[str] = field(default_factory=list)
    coming: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    def put(self, change: Record) -> None:
        """One more."""
        self.coming.put_nowait(f"{change.name} {change.status}")

    async def hear(self, last: str) -> None:
        """Wait for this change."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self.seen[-1:] != [last]:
                    self.seen.append(await self.coming.get())
        assert self.seen[-1:] == [last]


@dataclass
class Follower(Heard):
    """One over the test's event loop."""

    attendance: Attendance = field(kw_only=True)
    following: asyncio.Task[None] | None = None

    async def follow(self, day: Day) -> None:
        """Hear of every change from here on."""
        async for change in day.changes():
            self.put(change)


@asynccontextmanager
async def following(address: str, date: str) -> AsyncIterator[Follower]:
    """One that follows this day as the front desk, from the moment it has read the board."""
    async with Attendance(address, email=email(Role.MARKER), password=PASSWORD) as attendance:
        day = attendance.day(date)
        await day.board()
        follower = Follower(attendance=attendance)
        follower.following = asyncio.ensure_future(follower.follow(day))
        try:
            yield follower
        finally:
            follower.following.cancel()
            with suppress(asyncio.CancelledError):
                await follower.following


@asynccontextmanager
async def following_in_a_thread(address: str, date: str, *, until: str) -> AsyncIterator[Heard]:
    """One without an event loop, which has read the board before the block begins, and ends at this change."""
    heard, begun, loop = Heard(), asyncio.Event(), asyncio.get_running_loop()

    def follow() -> None:
        with sync.Attendance(address, email=email(Role.MARKER), password=PASSWORD) as attendance:
            day = attendance.day(date)
            day.board()
            loop.call_soon_threadsafe(begun.set)
            for change in day.changes():
                loop.call_soon_threadsafe(heard.put, change)
                if f"{change.name} {change.status}" == until:
                    return

    thread = threading.Thread(target=follow, daemon=True)  # a test that fails does not wait for it
    thread.start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await begun.wait()
    yield heard
    await asyncio.to_thread(thread.join, PATIENCE_SECONDS)
    assert not thread.is_alive()
