"""What the tests of sources ask them."""

from __future__ import annotations

import asyncio

from memberstaff.changes import Status
from memberstaff.fanout.event_source import EventSource
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
