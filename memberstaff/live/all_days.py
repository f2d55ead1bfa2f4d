"""The changes of all days as one stream, for readers that do not follow one day and cannot resume.

Changes of one day come in the order of its log, those of different days in the order in which this process received
them. As in feed.py, notifications are hints: what they leave out is read from the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import date

import structlog
from sqlalchemy import func, select

from memberstaff import metrics, tracing
from memberstaff.attendance import log as change_log
from memberstaff.changes import Change
from memberstaff.db.database import Database
from memberstaff.db.tables import attendance_day, installation
from memberstaff.errors import RestartRequired
from memberstaff.live.splice import Gap, splice
from memberstaff.notify.notification import Notification
from memberstaff.notify.read_requests import ReadRequests

log = structlog.get_logger(__name__)

PAGE = 500
"""Changes read from the log at a time."""
MOST_IN_MEMORY = 32_768
"""Changes buffered for readers that are behind: more than a bulk mark of the largest installation writes."""

_POSITIONS = select(
    installation.c.epoch, installation.c.roster_version, attendance_day.c.date, attendance_day.c.position
).select_from(installation.outerjoin(attendance_day, attendance_day.c.position > 0))
_TOTAL = select(
    installation.c.epoch,
    installation.c.roster_version,
    select(func.coalesce(func.sum(attendance_day.c.position), 0)).scalar_subquery().label("total"),
)


class AllDays:
    """The changes of all days while there are watchers; needs `run` to be running.

    A position counts changes since this process started, so it means nothing to another process.
    """

    def __init__(self, database: Database, *, poll_seconds: float) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._watchers = 0
        self._epoch = 0
        self._days: dict[date, int] | None = None
        """Each day's position in the stream; None while nobody watches."""
        self._generation = 0
        """Incremented when the last watcher leaves; a read that started before is discarded."""
        self._changes: list[Change] = []
        self._position = 0
        self._roster_version = 0
        """The newest that was heard of: changes with the names of an older one are read again."""
        self._announced_roster = 0
        """The same, until the database has confirmed it or not."""
        self._requests = ReadRequests()
        self._announced: dict[date, int] = {}
        """Positions that notifications have named, and this process has not come to; not yet confirmed."""
        self._joining: list[asyncio.Future[None]] = []
        self._changed = asyncio.Event()
        self.traces: tracing.spans.Traces | None = None
        """Of the newest changes, where they are traced."""

    @property
    def epoch(self) -> int:
        """The epoch that the changes belong to."""
        return self._epoch

    @property
    def position(self) -> int:
        """The position of the latest change."""
        return self._position

    @property
    def watched(self) -> bool:
        """Whether whatever changes from now on is kept."""
        return self._days is not None

    def on_notification(self, notification: Notification) -> None:
        """Append the changes of a notification that continue a day; what else it says, the database has to confirm."""
        if not self._watchers:
            return
        if self._days is None:
            self._requests.request()  # the first read is in flight, and may have missed this
            return
        if notification.epoch != self._epoch:
            self._requests.doubt()
            return
        if (notification.roster_version or 0) > self._roster_version:
            self._announced_roster = max(notification.roster_version or 0, self._announced_roster)
            if self._requests.trusting:
                self._roster_version = self._announced_roster
            self._requests.announced()
        for state in notification.days:
            if state.position <= self._days.get(state.date, 0):
                self._requests.doubt()
                continue
            changes = [
                change
                for change in notification.changes
                if change.date == state.date and change.roster_version >= self._roster_version
            ]
            if self.traces is not None:
                self.traces.hear(self._position + state.position - self._days.get(state.date, 0))
            if not self._advance(self._days, state.date, state.position, changes):
                self._announced[state.date] = max(state.position, self._announced.get(state.date, 0))
                self._requests.announced()

    async def run(self) -> None:
        """Read the database on request, and every `poll_seconds` while there are watchers, until cancelled."""
        failing = False
        while True:
            await self._requests.wait(self._poll_seconds if self._watchers else None)
            if not self._watchers:
                continue
            joining, self._joining = self._joining, []
            announced, self._announced = self._announced, {}
            announced_roster, self._announced_roster = self._announced_roster, 0
            began = asyncio.get_running_loop().time()
            try:
                await self._read()
                metrics.READS.labels("all_days", "done").inc()
                failing = False
            except Exception as error:  # the database is down: watchers wait
                metrics.READS.labels("all_days", "failed").inc()
                if not failing:
                    log.warning("Failed to read the changes of all days; will retry", reason=type(error).__name__)
                failing = True
                self._joining += joining
                self._requests.request()
                await asyncio.sleep(min(1.0, self._poll_seconds))
            else:
                if (announced or announced_roster) and self._days is not None:
                    found = self._days
                    confirmed = all(found.get(day, 0) >= last for day, last in announced.items())
                    self._requests.judge(confirmed=confirmed and announced_roster <= self._roster_version)
                for future in joining:
                    if not future.done():
                        future.set_result(None)
                # Pause for as long as the read took, so that thousands who join at once share reads.
                await asyncio.sleep(asyncio.get_running_loop().time() - began)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[int]:
        """Buffer changes for as long as the block lasts; gives the position to read from.

        Whatever was committed before comes before that position: the database is read once, for all who join together.
        """
        self._watchers += 1
        if self.traces is None and tracing.on:
            self.traces = tracing.spans.Traces()
        try:
            joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._joining.append(joined)
            self._requests.request()  # while nobody watched, `run` waited without a time-out
            await joined
            yield self._position
        finally:
            self._watchers -= 1
            if not self._watchers:
                self._days, self._changes = None, []
                self._generation += 1

    async def after(self, position: int) -> Sequence[Change]:
        """The changes after a position; waits until there is one.

        Raises RestartRequired when they are no longer in memory, or a backup was restored.
        """
        while position == self._position:
            await self._changed.wait()
        behind = self._position - position
        if behind > len(self._changes):
            raise RestartRequired("Some changes since then are no longer available.")
        return self._changes[-behind:]

    def _advance(self, days: dict[date, int], day: date, position: int, changes: Iterable[Change]) -> bool:
        """Append a day's changes up to a position; returns False if some are missing."""
        known = days.get(day, 0)
        try:
            following = splice(changes, after=known)
        except Gap:
            return False
        if following:
            days[day] = following[-1].position
            self._changes += following
            self._position += len(following)
            if len(self._changes) > 2 * MOST_IN_MEMORY:
                self._changes = self._changes[-MOST_IN_MEMORY:]
            self._notify_changed()
        return days.get(day, 0) >= position

    async def _read(self) -> None:
        """Bring the stream up to date with what is committed."""
        # A copy: a notification during a statement may be newer than what it reads.
        known = None if self._days is None else dict(self._days)
        generation, heard = self._generation, self._roster_version
        if known is not None:
            async with self._database.read() as reading:
                row = await reading.row(_TOTAL)
            assert row is not None
            self._confirm_roster(row.roster_version, heard)
            # Positions only rise, so an equal sum is an equal list.
            if row.epoch == self._epoch and row.total == sum(known.values()):
                return
        async with self._database.read() as reading:
            rows = await reading.rows(_POSITIONS)
        if self._generation != generation:
            return
        epoch = rows[0].epoch
        self._confirm_roster(rows[0].roster_version, heard)
        positions = {row.date: row.position for row in rows if row.date is not None}
        if known is None:
            self._start_epoch(epoch, positions)
            return
        if epoch != self._epoch or any(positions.get(day, 0) < position for day, position in known.items()):
            self._end()
            self._start_epoch(epoch, positions)
            return
        while self._days is not None:
            behind = {day: self._days.get(day, 0) for day, last in positions.items() if last > self._days.get(day, 0)}
            if not behind:
                return
            heard = self._roster_version
            async with self._database.read() as reading:
                changes = await change_log.after(reading, behind, limit=PAGE)
                current = (await change_log.states(reading, ())).epoch
            if current != epoch:  # a failover, since the positions were read: these changes follow others
                self._requests.request()
                return
            days = self._days
            if days is None:
                return
            if changes:
                self._confirm_roster(changes[0].roster_version, heard)
                if changes[0].roster_version < self._roster_version:
                    continue  # somebody was renamed while this was read
            joined = [
                self._advance(days, day, 0, [change for change in changes if change.date == day]) for day in behind
            ]
            if not changes or not all(joined):  # the log has a hole
                self._end()
                self._start_epoch(epoch, {day: max(last, days.get(day, 0)) for day, last in positions.items()})
                return

    def _confirm_roster(self, version: int, heard: int) -> None:
        """The database is right about the roster, unless something newer than `heard` was heard while it was read."""
        if self._roster_version == heard:
            self._roster_version = version

    def _end(self) -> None:
        """Make `after` raise RestartRequired for every reader."""
        self._changes = []
        self._position += 1  # without a change

    def _start_epoch(self, epoch: int, positions: dict[date, int]) -> None:
        self._epoch, self._days = epoch, positions
        self._notify_changed()

    def _notify_changed(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
