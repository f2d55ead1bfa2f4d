"""What the tests of sources ask them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import Change, Status
from memberstaff.fanout.event_source import EventSource
from memberstaff.live.sources import RenderChange
from tests.services.school import School


async def mark_all(school: School) -> None:
    """Positions 1, 2 and 3: Amina, Björn and Chloé."""
    for name in school.people:
        await school.mark(name, Status.LATE)


async def after(source: EventSource, position: int) -> tuple[int, list[str]]:
    """The position that a batch leads to, and what is in it, without padding."""
    async with asyncio.timeout(5):
        reached, batch = await source.after(position)
    return reached, [payload.decode().rstrip() for payload in batch.payloads]


class Names:
    """Renders the name of a change's person, and says for which positions it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.cursors: list[Cursor] = []
        self.open = 0
        self.unwanted: set[str] = set()
        self.failing: dict[int, Exception] = {}
        self.padding = 0
        """Bytes by which each rendering is longer."""
        self.later = False
        """Whether the answer is awaited, as one is that reads more than the change."""
        self.gate: asyncio.Event | None = None
        """What such an answer waits for, once the change was looked at."""

    @asynccontextmanager
    async def rendering(self) -> AsyncIterator[RenderChange]:
        self.open += 1
        try:
            yield self.render_later if self.later else self.render
        finally:
            self.open -= 1

    def render(self, cursor: Cursor, change: Change) -> bytes | None:
        assert self.open
        self.asked.append(change.position)
        self.cursors.append(cursor)
        if error := self.failing.get(change.position):
            raise error
        if change.staff_name in self.unwanted:
            return None
        return str(change.staff_name).encode() + b" " * self.padding

    async def render_later(self, cursor: Cursor, change: Change) -> bytes:
        rendered = self.render(cursor, change) or b""
        if self.gate is not None:
            await self.gate.wait()
        return rendered
