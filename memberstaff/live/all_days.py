"""The changes of all days as one stream, for readers who follow no day in particular and cannot resume.

The order is that of each day's log; between days it is the order in which this process learnt of them. As for
the days (feed.py), notifications are only hints: whatever they leave out is read from the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import date

import structlog
from sqlalchemy import func, select

from memberstaff.attendance import log as change_log
from memberstaff.changes import Change
from memberstaff.db.tables import attendance_day, installation
from memberstaff.db.work import Database
from memberstaff.errors import RestartRequired
from memberstaff.live.splice import Gap, splice
from memberstaff.notify.notification import Notification

log = structlog.get_logger(__name__)

PAGE = 500
"""Changes that are read from the log at a time."""
MOST_KEPT = 32_768
"""Changes in memory for readers who are behind: more than one bulk mark of the largest installation."""

_POSITIONS = select(installation.c.epoch, attendance_day.c.date, attendance_day.c.position).select_from(
    installation.outerjoin(attendance_day, attendance_day.c.position > 0)
)
_TOTAL = select(
    installation.c.epoch,
    select(func.coalesce(func.sum(attendance_day.c.position), 0)).scalar_subquery().label("total"),
)


class AllDays:
    """Everything that changes while somebody watches. `run` must be running for anything to arrive.

    A reader's position counts the changes since this process began; it means nothing to another process.
    """

    def __init__(self, database: Database, *, poll_seconds: float) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._watchers = 0
        self._epoch = ""
        self._days: dict[date, int] | None = None
        """How far each day has been taken; None while nobody watches."""
        self._times_left = 0
        """How often the last watcher has left: what was asked for them is nothing to whoever came after."""
        self._changes: list[Change] = []
        self._position = 0
        self._wanted = asyncio.Event()
        self._news = asyncio.Event()

    @property
    def epoch(self) -> str:
        """Names the log that the changes are of."""
        return self._epoch

    @property
    def position(self) -> int:
        """Of the last change that has arrived here."""
        return self._position

    @property
    def watched(self) -> bool:
        """Whether whatever changes from now on is kept."""
        return self._days is not None

    def on_notification(self, notification: Notification) -> None:
        """Take over what a notification brings, or have the database asked when something is missing."""
        if not self._watchers:
            return
        if self._days is None or notification.epoch != self._epoch:
            self._wanted.set()
            return
        for state in notification.days:
            changes = [change for change in notification.changes if change.date == state.date]
            if not self._advance(self._days, state.date, state.position, changes):
                self._wanted.set()

    async def run(self) -> None:
        """Ask the database whenever that is wanted, and every `poll_seconds` while it is watched, until cancelled."""
        failing = False
        while True:
            try:
                async with asyncio.timeout(self._poll_seconds if self._watchers else None):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            if not self._watchers:
                continue
            try:
                await self._read()
                failing = False
            except Exception as error:  # the database is away: those who watch wait
                if not failing:
                    log.warning("The changes of all days cannot be read", reason=type(error).__name__)
                failing = True
                self._wanted.set()
                await asyncio.sleep(min(1.0, self._poll_seconds))

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[int]:
        """Have what changes from now on kept, for as long as the block lasts; answers the position to begin from."""
        self._watchers += 1
        self._wanted.set()  # always: while nobody watched, `run` waited without a time-out
        try:
            while self._days is None:
                await self._news.wait()
            yield self._position
        finally:
            self._watchers -= 1
            if not self._watchers:
                self._days, self._changes = None, []
                self._times_left += 1

    async def after(self, position: int) -> Sequence[Change]:
        """The changes after a position; waits until there is one.

        Raises RestartRequired when they are no longer in memory, or the history was restored from a backup.
        """
        while position == self._position:
            await self._news.wait()
        behind = self._position - position
        if behind > len(self._changes):
            raise RestartRequired("Some changes since then are no longer kept.")
        return self._changes[-behind:]

    def _advance(self, days: dict[date, int], day: date, position: int, changes: Iterable[Change]) -> bool:
        """Take over a day's changes up to a position; answers False when some are missing."""
        known = days.get(day, 0)
        try:
            following = splice(changes, after=known)
        except Gap:
            return False
        if following:
            days[day] = following[-1].position
            self._changes += following
            self._position += len(following)
            if len(self._changes) > 2 * MOST_KEPT:
                self._changes = self._changes[-MOST_KEPT:]
            self._wake()
        return days.get(day, 0) >= position

    async def _read(self) -> None:
        """Bring the stream up to what is committed."""
        # As they are now: what is heard during a statement may be newer than what it reads.
        known = None if self._days is None else dict(self._days)
        times_left = self._times_left
        if known is not None:
            async with self._database.read() as reading:
                row = await reading.row(_TOTAL)
            # Positions only rise, so an equal sum is an equal list.
            if row is not None and row.epoch == self._epoch and row.total == sum(known.values()):
                return
        async with self._database.read() as reading:
            rows = await reading.rows(_POSITIONS)
        if self._times_left != times_left:
            return
        epoch = rows[0].epoch
        stand = {row.date: row.position for row in rows if row.date is not None}
        if known is None:
            self._begin(epoch, stand)
            return
        if epoch != self._epoch or any(stand.get(day, 0) < position for day, position in known.items()):
            self._end()
            self._begin(epoch, stand)
            return
        while self._days is not None:
            behind = {day: self._days.get(day, 0) for day, last in stand.items() if last > self._days.get(day, 0)}
            if not behind:
                return
            async with self._database.read() as reading:
                changes = await change_log.after(reading, behind, limit=PAGE)
            days = self._days
            if days is None:
                return
            joined = [
                self._advance(days, day, 0, [change for change in changes if change.date == day]) for day in behind
            ]
            if not changes or not all(joined):  # the log has a hole: who has seen what cannot be told
                self._end()
                self._begin(epoch, {day: max(last, days.get(day, 0)) for day, last in stand.items()})
                return

    def _end(self) -> None:
        """Send every reader back to the start."""
        self._changes = []
        self._position += 1  # which nobody has

    def _begin(self, epoch: str, stand: dict[date, int]) -> None:
        self._epoch, self._days = epoch, stand
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
