"""What the tests of groups are made of: events that are numbers, and listeners that can stop reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from memberstaff.fanout.event_source import Batch, EventSource
from memberstaff.fanout.subscriber_group import SubscriberGroup

PAGE = 5
"""Events in a batch."""


class Numbers(EventSource):
    """Events 1, 2, 3 …; a cursor is a number, and position 13 needs a moment to be rendered."""

    def __init__(self) -> None:
        self.last = 0
        self.over: Exception | None = None
        self.failures: list[Exception] = []
        """Raised one by one, by the next calls of `start` and `after`."""
        self.gate: asyncio.Event | None = None
        """What each rendering waits for, once it has begun."""
        self.renderings: list[int] = []
        """The position of each rendering that was begun."""
        self.members = 0
        self._news = asyncio.Event()

    def add(self, number: int = 1) -> None:
        self.last += number
        self._wake()

    def end(self, error: Exception) -> None:
        self.over = error
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        yield self.last

    async def start(self, after: str | None) -> int:
        self._fail()
        return self.last if after is None else int(after)

    async def after(self, position: int) -> tuple[int, Batch]:
        while position == self.last and self.over is None:
            await self._news.wait()
        self.renderings.append(position)
        self._fail()
        if self.over is not None and position == self.last:
            raise self.over
        until = min(self.last, position + PAGE)
        if position < 13 <= until:
            await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        return until, Batch([b"%d" % number for number in range(position + 1, until + 1)])

    def count(self, members: int) -> None:
        self.members += members


class Reader:
    """A listener that can stop reading."""

    def __init__(self, *, blocked: bool = False) -> None:
        self.seen: list[int] = []
        self.writes = 0
        self.ends: list[Exception | None] = []
        self.free = asyncio.Event()
        if not blocked:
            self.free.set()

    @property
    def blocked(self) -> bool:
        return not self.free.is_set()

    def send(self, batch: Batch) -> None:
        assert not self.blocked
        self.writes += 1
        self.seen += [int(payload) for payload in batch.payloads]

    async def drain(self) -> None:
        await self.free.wait()

    def end(self, error: Exception | None) -> None:
        self.ends.append(error)


class Loop:
    """Turns the running loop's clock, which stands still otherwise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)


async def settled() -> None:
    """Let everything run that can run: a hundred events in fives take some two hundred turns."""
    for _ in range(500):
        await asyncio.sleep(0)


def group_of(source: EventSource) -> SubscriberGroup:
    return SubscriberGroup(source, lambda: None)
