"""The feed: every change of a watched day, once, in order, whichever notifications arrived.

A process delivers the notifications that continue what it has. When one is missing, or none came for `poll_seconds`,
it asks the database: one statement for all days that somebody watches, one more for the changes it lacks. The log is
the truth, so a lost message costs a moment, never a change.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date

import structlog

from memberstaff.attendance import log as change_log
from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import Change
from memberstaff.db.work import Database
from memberstaff.errors import RestartRequired
from memberstaff.live.splice import Gap, splice
from memberstaff.live.watched_day import WatchedDay
from memberstaff.notify.notification import Notification

log = structlog.get_logger(__name__)

PAGE = 500
"""Changes that a reader who is behind takes from the log at a time."""

RESTORED = "The history was restored from a backup."


class Feed:
    """All watched days of this process. `run` must be running for anything to arrive."""

    def __init__(self, database: Database, *, poll_seconds: float, recent_changes: int, max_replay: int) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._recent_changes = recent_changes
        self._max_replay = max_replay
        self._days: dict[date, WatchedDay] = {}
        self._epoch: str | None = None
        self._wanted = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self.reading = False

    def followers(self, day: date) -> int:
        """How many follow the day, each from a place of its own in the log."""
        return self._days[day].followers if day in self._days else 0

    @property
    def watched_days(self) -> int:
        """Days that somebody watches."""
        return len(self._days)

    @property
    def subscriptions(self) -> int:
        """Everybody who follows some day."""
        return sum(day.followers for day in self._days.values())

    def on_notification(self, notification: Notification) -> None:
        """Deliver a notification, or have the database asked when it does not continue what is known."""
        if notification.epoch != self._epoch:
            self._wanted.set()
            return
        if notification.roster_version is not None:
            for day in self._days.values():
                if day.state is not None:
                    day.advance(day.state, notification.roster_version, ())
        for state in notification.days:
            watched = self._days.get(state.date)
            if watched is not None and watched.state is None:
                self._wanted.set()  # its first reading is under way, and may not have this yet
            elif watched is not None:
                changes = [change for change in notification.changes if change.date == state.date]
                if not watched.advance(state, watched.roster_version, changes):
                    self._wanted.set()

    async def run(self) -> None:
        """Read the database whenever it is wanted, and at least every `poll_seconds`, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._poll_seconds):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            waiting, self._waiting = self._waiting, []
            began = asyncio.get_running_loop().time()
            try:
                if self._days:
                    await self._read()
                self.reading = True
            except Exception:  # the database is away: whoever watches or waits does so until it is back
                if self.reading:
                    log.exception("The feed cannot read the database; boards stand still until it can")
                self.reading = False
                self._waiting = [*(future for future in waiting if not future.done()), *self._waiting]
                self._wanted.set()
                await asyncio.sleep(min(1.0, self._poll_seconds))
            else:
                for future in waiting:
                    if not future.done():
                        future.set_result(None)
                # While thousands of boards connect, each reading is shared by all who came during a rest of its length.
                await asyncio.sleep(asyncio.get_running_loop().time() - began)

    async def refresh(self) -> None:
        """Wait, however long, for a reading of the database that began after this call; all who wait share one."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._wanted.set()
        await future

    @property
    def epoch(self) -> str:
        """Names the log that the watched days were read from."""
        return self._epoch or ""

    @asynccontextmanager
    async def watch(self, day: date) -> AsyncIterator[WatchedDay]:
        """Keep a day watched, and up to date as of now, for as long as the block lasts."""
        watched = self._days.get(day)
        if watched is None:
            watched = self._days[day] = WatchedDay(day, recent_limit=self._recent_changes)
        watched.watchers += 1
        try:
            await self.refresh()
            watched.check()
            yield watched
        finally:
            watched.watchers -= 1
            if not watched.watchers and self._days.get(day) is watched:
                del self._days[day]

    async def start(self, watched: WatchedDay, after: str | None) -> int:
        """The position that a cursor stands for, or without one that of the day as it is now.

        Raises RestartRequired for a cursor that cannot be honoured.
        """
        if after is None:
            await self.refresh()
            watched.check()
            return watched.position
        cursor = Cursor.parse(after)
        if cursor.date != watched.date:
            raise RestartRequired(f"The cursor belongs to {cursor.date}, not to {watched.date}.")
        if cursor.epoch != self._epoch or cursor.position > watched.position:
            await self.refresh()  # it may know more than this process does
        watched.check()
        if cursor.epoch != self._epoch:
            raise RestartRequired(RESTORED)
        if cursor.position > watched.position:
            raise RestartRequired("The cursor lies ahead of the day's last change.")
        if watched.position - cursor.position > self._max_replay:
            raise RestartRequired(f"More than {self._max_replay:,} changes have come since this cursor.")
        return cursor.position

    async def other_state(self, watched: WatchedDay, seen: object) -> object:
        """The day's state, as soon as it is another one than `seen`. Raises RestartRequired when the log ends."""
        while True:
            watched.check()
            now = (watched.state, watched.roster_version)
            if now != seen:
                return now
            await watched.news()

    async def following(self, watched: WatchedDay, position: int, epoch: str) -> Sequence[Change]:
        """The changes after `position`, from memory or else from the log; waits until there is one."""
        while True:
            changes = watched.since(position)
            if changes is None:
                async with self._database.read() as reading:
                    changes = await change_log.after(reading, {watched.date: position}, limit=PAGE)
                    current = (await change_log.states(reading, ())).epoch
                if current != epoch:
                    raise RestartRequired(RESTORED)
                try:
                    changes = splice(changes, after=position)
                except Gap:
                    changes = ()
                if not changes:
                    raise RestartRequired("Some changes after this cursor are no longer kept.")
            if changes:
                return changes
            await watched.news()

    async def _read(self) -> None:
        """Bring every watched day up to date from one snapshot."""
        days = dict(self._days)
        known = {day: watched.position for day, watched in days.items()}
        async with self._database.read() as reading:
            states = await change_log.states(reading, days)
            start = {
                day: watched.read_from(states.days[day].position)
                for day, watched in days.items()
                if states.days[day].position > known[day]
            }
            missing = sum(states.days[day].position - position for day, position in start.items())
            changes = await change_log.after(reading, start, limit=missing)
        if states.epoch != self._epoch:
            self._begin(states.epoch)
        for day, watched in days.items():
            state = states.days[day]
            if state.position < known[day]:
                # A log that became shorter is another log, whatever its epoch says.
                self._end(day, watched)
                continue
            watched.advance(state, states.roster_version, [change for change in changes if change.date == day])

    def _begin(self, epoch: str) -> None:
        """A new epoch: what was delivered so far belongs to another log."""
        if self._epoch is not None:
            for day, watched in list(self._days.items()):
                if watched.state is not None:
                    self._end(day, watched)
        self._epoch = epoch

    def _end(self, day: date, watched: WatchedDay) -> None:
        watched.end(RESTORED)
        if self._days.get(day) is watched:
            del self._days[day]
