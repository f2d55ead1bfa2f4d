"""The feed: every change of a watched day, once and in order, whichever notifications are lost.

A notification that continues a day's log is delivered at once. When one is missing, or none came for `poll_seconds`,
the database is read: one statement for all watched days, one more for the missing changes. The log is the source of
truth, so a lost message costs a moment, never a change.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date

import structlog

from memberstaff import metrics
from memberstaff.attendance import log as change_log
from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import Change, DayProgress
from memberstaff.db.database import Database
from memberstaff.db.work import Reading
from memberstaff.errors import RestartRequired, Unavailable
from memberstaff.fanout.retry import MAX_ATTEMPTS
from memberstaff.live.announcements import Announcements
from memberstaff.live.splice import Gap, splice
from memberstaff.live.watched_day import WatchedDay
from memberstaff.notify.notification import Notification
from memberstaff.notify.read_requests import ReadRequests

log = structlog.get_logger(__name__)

PAGE = 500
"""Changes that a reader that is behind reads from the log at a time."""

RESTORED = "The data was restored from a backup, or a standby of the database has taken over."


class Feed:
    """The watched days of this process; needs `run` to be running."""

    def __init__(
        self,
        database: Database,
        *,
        poll_seconds: float,
        recent_changes: int,
        max_replay: int,
        on_deaf: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._recent_changes = recent_changes
        self._max_replay = max_replay
        self._days: dict[date, WatchedDay] = {}
        self._epoch: int | None = None
        self._requests = ReadRequests()
        self.announcements = Announcements(on_deaf)
        self._announced: dict[date, DayProgress] = {}
        self._announced_roster = 0
        """What notifications have said there is, and this process did not have; not yet confirmed."""
        self._refreshes: list[asyncio.Future[None]] = []
        self.reading = False
        """Whether the last read of the database succeeded."""

    def followers(self, day: date) -> int:
        """How many subscriptions follow the day, each from its own position."""
        return self._days[day].followers if day in self._days else 0

    @property
    def watched_days(self) -> int:
        """The number of watched days."""
        return len(self._days)

    @property
    def subscriptions(self) -> int:
        """The number of subscriptions, over all days."""
        return sum(day.followers for day in self._days.values())

    def on_notification(self, notification: Notification) -> None:
        """Deliver the changes of a notification that continue a day; what else it says, the database has to confirm."""
        if notification.epoch != self._epoch:
            self._requests.doubt()
            return
        if notification.roster_version is not None:
            self._hear_roster(notification.roster_version)
        for state in notification.days:
            watched = self._days.get(state.date)
            if watched is not None:
                self.announcements.heard(state.date, state.position)
                self._hear(watched, state, [change for change in notification.changes if change.date == state.date])

    def _hear_roster(self, version: int) -> None:
        behind = [day for day in self._days.values() if day.roster_version < version]
        if behind:
            if self._requests.trusting:  # names in memory may be out of date, whatever else is read
                for day in behind:
                    day.hear_roster(version)
            self._announced_roster = max(version, self._announced_roster)
            self._requests.announced()
        elif self._days:
            self._requests.doubt()

    def _hear(self, watched: WatchedDay, heard: DayProgress, changes: Sequence[Change]) -> None:
        if watched.traces is not None:
            watched.traces.hear(heard.position)
        known = watched.state
        if known is None:
            self._requests.request()  # its first read is in flight, and may have missed this
            return
        if heard.position <= known.position and heard.day_version <= known.day_version:
            self._requests.doubt()
            return
        try:
            following = splice(changes, after=known.position)
        except Gap:
            following = []
        if following:
            reached = DayProgress(watched.date, following[-1].position, known.day_version)
            watched.advance(reached, watched.roster_version, following)
        if heard.position > watched.position or heard.day_version > known.day_version:
            before = self._announced.get(watched.date, heard)
            self._announced[watched.date] = DayProgress(
                watched.date, max(heard.position, before.position), max(heard.day_version, before.day_version)
            )
            self._requests.announced()

    async def run(self) -> None:
        """Read the database on request, and at least every `poll_seconds`, until cancelled."""
        failures = 0
        while True:
            await self._requests.wait(self._poll_seconds)
            waiting, self._refreshes = self._refreshes, []
            began = asyncio.get_running_loop().time()
            try:
                if self._days:
                    await self._read()
                    metrics.READS.labels("feed", "done").inc()
                self.reading, failures = True, 0
            except Exception as error:
                metrics.READS.labels("feed", "failed").inc()
                if self.reading:
                    log.exception("The feed cannot read the database; boards are frozen until it can")
                self.reading = False
                failures = 0 if isinstance(error, Unavailable) else failures + 1
                for future in waiting:
                    if future.done():
                        continue
                    if failures >= MAX_ATTEMPTS:  # the statement is wrong, and waiting does not mend it
                        future.set_exception(error)
                    else:  # the database is down: wait until it is back
                        self._refreshes.append(future)
                self._requests.request()
                await asyncio.sleep(min(1.0, self._poll_seconds))
            else:
                for future in waiting:
                    if not future.done():
                        future.set_result(None)
                # Pause for as long as the read took, so that thousands of boards that connect at once share reads.
                await asyncio.sleep(asyncio.get_running_loop().time() - began)

    async def refresh(self) -> None:
        """Wait for a read of the database that started after this call, as long as the database is down.

        Concurrent calls share one. Raises the database's error when the read itself is what fails.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._refreshes.append(future)
        self._requests.request()
        await future

    @property
    def epoch(self) -> int:
        """The epoch of the watched days; 0 before the first read."""
        return self._epoch or 0

    def check_epoch(self, epoch: int) -> None:
        """Raise RestartRequired when a failover has begun another epoch, also before the feed has read it."""
        if epoch < self._database.timeline.epoch:
            raise RestartRequired(RESTORED)

    @asynccontextmanager
    async def watch(self, day: date) -> AsyncIterator[WatchedDay]:
        """Watch a day, read once before the block starts, for as long as the block lasts."""
        while True:
            watched = self._days.get(day)
            if watched is None:
                watched = self._days[day] = WatchedDay(day, recent_limit=self._recent_changes)
            watched.watchers += 1
            try:
                await self.refresh()
                if watched.ended:
                    continue  # by this reading, for those who were here before: another epoch has begun
                yield watched
                return
            finally:
                watched.watchers -= 1
                if not watched.watchers and self._days.get(day) is watched:
                    del self._days[day]

    async def start(self, watched: WatchedDay, after: str | None) -> int:
        """The cursor's position, or without one the day's current position.

        Raises RestartRequired for a cursor that cannot be resumed from.
        """
        if after is None:
            await self.refresh()
            watched.check()
            return watched.position
        cursor = Cursor.parse(after)
        if cursor.date != watched.date:
            raise RestartRequired(f"The cursor belongs to {cursor.date}, not to {watched.date}.")
        if cursor.epoch != self._epoch or cursor.position > watched.position:
            await self.refresh()  # another process may have issued it, from a newer state
        watched.check()
        if cursor.epoch != self._epoch:
            raise RestartRequired(RESTORED)
        if cursor.position > watched.position:
            raise RestartRequired("The cursor is ahead of the day's last change.")
        if watched.position - cursor.position > self._max_replay:
            raise RestartRequired(f"There were more than {self._max_replay:,} changes since this cursor.")
        return cursor.position

    def sent(self, watched: WatchedDay, before: int, position: int) -> None:
        """Observe how long after its mark each change was sent, the first time that it is.

        All of a transaction count as one: an import is one thing that was late, and not a thousand.
        """
        now = self._database.now()
        for changed_at in {change.changed_at for change in watched.first_sent(before, position)}:
            metrics.DELIVERY.observe(max(0.0, (now - changed_at).total_seconds()))

    async def next_state(self, watched: WatchedDay, seen: object) -> object:
        """The day's state, once it differs from `seen`. Raises RestartRequired when the epoch ends."""
        while True:
            watched.check()
            now = (watched.state, watched.roster_version)
            if now != seen:
                return now
            await watched.changed()

    async def changes_after(
        self, watched: WatchedDay, position: int, epoch: int, *, limit: int = PAGE
    ) -> Sequence[Change]:
        """The changes after `position`, no more than `limit` of the log; waits until there is one.

        Raises RestartRequired.
        """
        while True:
            await watched.moved(position)
            changes = watched.since(position)
            if changes is None:
                async with self._database.read() as reading:
                    changes = await change_log.after(reading, {watched.date: position}, limit=limit)
                    current = (await change_log.states(reading, ())).epoch
                if current != epoch:
                    raise RestartRequired(RESTORED)
                try:
                    changes = splice(changes, after=position)
                except Gap:
                    changes = ()
                if not changes:
                    raise RestartRequired("Some changes after this cursor are no longer available.")
                if changes[0].roster_version < watched.roster_version:
                    continue  # somebody was renamed while this was read
            return changes

    async def _read(self) -> None:
        """Bring every watched day up to date, from one snapshot."""
        days = dict(self._days)
        announced, self._announced = self._announced, {}
        announced_roster, self._announced_roster = self._announced_roster, 0
        known = {day: watched.position for day, watched in days.items()}
        async with self._database.read() as reading:
            states = await change_log.states(reading, days)
            start = {day: watched.read_from(states.days[day].position) for day, watched in days.items()}
            behind = {day: position for day, position in start.items() if position < states.days[day].position}
            changes = await self._missing(reading, behind)
        if states.epoch != self._epoch:
            self._start_epoch(states.epoch)
        else:
            named = [announced, self._announced]
            heard_of = {
                day: max([at.position, *(of[day].position for of in named if day in of)]) for day, at in days.items()
            }
            found = {day: state.position for day, state in states.days.items() if state.position > heard_of[day]}
            self.announcements.read({day: position for day, position in found.items() if days[day].state is not None})
        for day, watched in days.items():
            state = states.days[day]
            if state.position < known[day]:
                # Positions never fall within an epoch: a backup was restored without `memberstaff new-epoch`.
                self._end(day, watched)
                continue
            watched.confirm(state, states.roster_version, changes.get(day, ()), heard=self._announced_roster)
        if announced or announced_roster:
            self._requests.judge(
                confirmed=announced_roster <= states.roster_version
                and all(
                    heard.position <= states.days[day].position and heard.day_version <= states.days[day].day_version
                    for day, heard in announced.items()
                    if day in states.days
                )
            )

    async def _missing(self, reading: Reading, behind: dict[date, int]) -> dict[date, list[Change]]:
        """Each day's changes after its position, read in pages: other tasks run between them."""
        missing: dict[date, list[Change]] = {}
        while behind:
            page = await change_log.after(reading, behind, limit=PAGE)
            for change in page:
                missing.setdefault(change.date, []).append(change)
            if len(page) < PAGE:
                break
            # Pages are ordered by date: earlier days are complete.
            last = page[-1]
            behind = {day: position for day, position in behind.items() if day >= last.date}
            behind[last.date] = last.position
        return missing

    def _start_epoch(self, epoch: int) -> None:
        """Continue in another epoch: positions read in the last one no longer mean anything."""
        if self._epoch is not None:
            for day, watched in list(self._days.items()):
                if watched.state is not None:
                    self._end(day, watched)
        self._epoch = epoch

    def _end(self, day: date, watched: WatchedDay) -> None:
        watched.end(RESTORED)
        if self._days.get(day) is watched:
            del self._days[day]
