"""Event sources for subscriber groups: the changes of a day, its latest state, and the changes of all days."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date

from memberstaff import tracing
from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import Change
from memberstaff.errors import RestartRequired
from memberstaff.fanout.byte_lru import ByteLRU
from memberstaff.fanout.event_source import Batch, EventSource, SourceOver
from memberstaff.live.all_days import AllDays
from memberstaff.live.feed import PAGE, Feed
from memberstaff.live.watched_day import WatchedDay

BATCH_BYTES = 65_536
"""Rendered bytes after which a batch is closed; this and its write buffer are what a slow member costs at most."""

RENDERED_AT_ONCE = 16
"""Changes after whose rendering other tasks run: a few milliseconds. Of those that read the database there are no more
in a batch: they hold a snapshot, and a slow board is to have the first ones while the others are rendered."""

RenderingCache = ByteLRU[tuple[object, int, int]]
"""Rendered changes by (source, roster version of the names, position), for members that are catching up."""

RenderChange = Callable[[Cursor, Change], bytes | Awaitable[bytes] | None]
"""Renders a change for a group; None when the group's filter leaves it out.

Only a result that is not awaited is cached: it depends on nothing but the change and the roster.
"""

OpenRendering = Callable[[], AbstractAsyncContextManager[RenderChange]]
"""Opens the renderer of one batch, whose renderings share a snapshot of the database; closed after the batch."""


class DayChanges(EventSource):
    """The changes of a day, in order."""

    def __init__(self, feed: Feed, day: date, rendering: OpenRendering, cache: RenderingCache) -> None:
        self._feed = feed
        self._day = day
        self._rendering = rendering
        self._cache = cache
        self._id = object()
        """This source in cache keys, without keeping it alive."""
        self._watched: WatchedDay
        self._epoch = 0
        self._page = PAGE
        """Changes to read of the log at a time: no more than a batch will hold."""
        self._traced = 0
        """The position up to which traces know of a rendering here."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        async with self._feed.watch(self._day) as watched:
            self._watched = watched
            self._epoch = self._feed.epoch
            yield watched.position

    async def start(self, after: str | None) -> int:
        try:
            return await self._feed.start(self._watched, after)
        except RestartRequired:
            if self._watched.ended and (after is None or Cursor.parse(after).epoch == self._feed.epoch):
                raise SourceOver from None
            raise

    def cursor(self, position: int) -> str:
        return str(Cursor(self._epoch, self._day, position))

    async def after(self, position: int) -> tuple[int, Batch]:
        await self._watched.moved(position)
        traces = self._watched.traces
        traced = traces.after(max(position, self._traced)) if traces is not None else ()
        with tracing.spans.rendering(traced) if traced else tracing.OFF as trace:
            async with self.turn() as is_over:
                changes = await self._feed.changes_after(self._watched, position, self._epoch, limit=self._page)
                async with self._rendering() as render:
                    reached, batch = await self._batch(changes, render, is_over)
        self._feed.check_epoch(self._epoch)  # what was rendered may have been read from another history
        if trace is not None:
            batch.trace, self._traced = trace, reached
        return reached, batch

    async def _batch(
        self, changes: Sequence[Change], render: RenderChange, is_over: Callable[[], bool]
    ) -> tuple[int, Batch]:
        """As many of the changes as a batch holds, rendered."""
        position = changes[0].position - 1
        payloads: list[bytes] = []
        cursors: list[str] = []
        size = reading = 0
        is_left_out = False
        for number, change in enumerate(changes, start=1):
            try:
                payload = self._rendered(change, render)
                if not isinstance(payload, bytes):
                    reading += 1
                    payload = await payload
            except Exception:
                if number == 1:
                    raise
                break  # send those before it; the next call raises
            if change.roster_version < self._watched.roster_version:
                break  # somebody was renamed meanwhile, and the board may know: the next call reads the names again
            position, is_left_out = change.position, not payload
            if payload:
                payloads.append(payload)
                cursors.append(self.cursor(position))
                size += len(payload)
            if size >= BATCH_BYTES or reading == RENDERED_AT_ONCE or is_over():
                break
            if number % RENDERED_AT_ONCE == 0:
                await asyncio.sleep(0)
        self._page = RENDERED_AT_ONCE if reading else PAGE
        if is_left_out:
            cursors.append(self.cursor(position))
        return position, Batch(payloads, cursors)

    def _rendered(self, change: Change, render: RenderChange) -> bytes | Awaitable[bytes]:
        key = (self._id, change.roster_version, change.position)
        if (cached := self._cache.get(key)) is not None:
            return cached
        payload = render(Cursor(self._epoch, self._day, change.position), change)
        if payload is None:
            payload = b""
        elif not isinstance(payload, bytes):
            return payload
        self._cache.put(key, payload, self._id)
        return payload

    def sent(self, before: int, position: int) -> None:
        self._feed.sent(self._watched, before, position)

    def count(self, members: int) -> None:
        self._watched.followers += members


class DayStates(EventSource):
    """The latest state of a day, sent again after each change, coalesced. Positions count the renderings."""

    def __init__(self, feed: Feed, day: date, render: Callable[[], Awaitable[bytes]]) -> None:
        self._feed = feed
        self._day = day
        self._render = render
        self._watched: WatchedDay
        self._rendered_state: object = None
        self._renderings = 0
        self._latest = b""
        self._traced = 0
        """How many traces know of a rendering here."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        async with self._feed.watch(self._day) as watched:
            self._watched = watched
            self._traced = watched.traces.heard if watched.traces is not None else 0
            yield 0

    async def start(self, after: str | None) -> int:  # noqa: ARG002 - a state has no cursor
        await self._feed.refresh()
        if self._watched.ended:
            raise SourceOver
        return 0

    async def after(self, position: int) -> tuple[int, Batch]:
        if position == self._renderings:
            await self._feed.next_state(self._watched, self._rendered_state)
            traces = self._watched.traces
            heard, traced = (traces.heard, traces.since(self._traced)) if traces is not None else (0, ())
            with tracing.spans.rendering(traced) if traced else tracing.OFF as trace:
                async with self.turn():
                    state = await self._feed.next_state(self._watched, self._rendered_state)  # it may have moved on
                    self._latest = await self._render()
            self._rendered_state = state  # only now: a state that failed to render is still due
            self._renderings += 1
            self._traced = heard
            return self._renderings, Batch([self._latest], trace=trace)
        return self._renderings, Batch([self._latest])

    def count(self, members: int) -> None:
        self._watched.followers += members


class AllDaysChanges(EventSource):
    """The changes of all days, in the order in which this process received them; it cannot resume."""

    def __init__(self, days: AllDays, render: Callable[[Cursor, Change], bytes]) -> None:
        self._days = days
        self._render = render
        self._traced = 0
        """The position up to which traces know of a rendering here."""

    def open(self) -> AbstractAsyncContextManager[int]:
        return self._days.watch()

    async def start(self, after: str | None) -> int:  # noqa: ARG002 - a cursor belongs to one day
        return self._days.position

    async def after(self, position: int) -> tuple[int, Batch]:
        payloads: list[bytes] = []
        size = 0
        changes = await self._days.after(position)
        traces = self._days.traces
        traced = traces.after(max(position, self._traced)) if traces is not None else ()
        with tracing.spans.rendering(traced) if traced else tracing.OFF as trace:
            for change in changes:
                payload = self._render(Cursor(self._days.epoch, change.date, change.position), change)
                position += 1
                payloads.append(payload)
                size += len(payload)
                if size >= BATCH_BYTES:
                    break
        if trace is not None:
            self._traced = position
        return position, Batch(payloads, trace=trace)

    def count(self, members: int) -> None:
        """Not counted: no metric shows it."""
