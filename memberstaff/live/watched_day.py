"""A watched day in this process: its state and its most recent changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import date

from memberstaff import tracing
from memberstaff.changes import Change, DayProgress
from memberstaff.errors import RestartRequired
from memberstaff.live.splice import Gap, splice


class WatchedDay:
    """A day's state and recent changes, shared by all its watchers in this process.

    A reader has only a position, and asks for the changes after it, so its memory is bounded and it delays nobody.
    """

    def __init__(self, day: date, *, recent_limit: int) -> None:
        self.date = day
        self.watchers = 0
        self.followers = 0
        self.state: DayProgress | None = None
        self.roster_version = 0
        self._recent: list[Change] = []
        self._recent_limit = recent_limit
        self._ended: str | None = None
        self._sent = 0
        """The last position that a group of subscribers has been sent."""
        self._changed = asyncio.Event()
        self.traces = tracing.spans.Traces() if tracing.on else None
        """Of the newest changes, where they are traced."""

    @property
    def position(self) -> int:
        """The last position delivered; 0 before the first read."""
        return self.state.position if self.state else 0

    def read_from(self, last: int) -> int:
        """The position after which to read the log when its last position is `last`.

        A day that is new here begins at its last position, and one that is far behind skips to its most recent changes;
        readers that need older ones read the log themselves.
        """
        return last if self.state is None else max(self.position, last - self._recent_limit)

    def advance(self, state: DayProgress, roster_version: int, changes: Iterable[Change]) -> bool:
        """Apply a newer state and the changes up to it; returns False if some are missing, or their names are old."""
        if roster_version > self.roster_version:
            self._recent = []  # their names may be out of date
        known = self.state
        if known is None or state.position > known.position:
            start = self.read_from(state.position)
            try:
                following = splice(changes, after=start)
            except Gap:
                return False
            if (following[-1].position if following else start) != state.position:
                return False
            if any(change.roster_version < self.roster_version for change in following):
                return False
            if start != self.position:
                self._recent = []
            self._recent += following
            if len(self._recent) > 2 * self._recent_limit:
                self._recent = self._recent[-self._recent_limit :]
        if known is not None:
            state = DayProgress(
                self.date, max(state.position, known.position), max(state.day_version, known.day_version)
            )
        if state != known or roster_version > self.roster_version:
            self.state = state
            self.roster_version = max(roster_version, self.roster_version)
            self._notify_changed()
        return True

    def hear_roster(self, version: int) -> None:
        """Believe a newer roster version until the database is asked: no name of an older one is delivered."""
        self.roster_version = version
        self._recent = []
        self._notify_changed()

    def confirm(self, state: DayProgress, roster_version: int, changes: Iterable[Change], *, heard: int = 0) -> None:
        """Apply what the database says: its versions are right, also when they are lower than those before.

        But for a roster version that was `heard` while the database was read: the next reading tells.
        """
        roster = max(roster_version, min(heard, self.roster_version))
        before = (self.state, self.roster_version)
        self.roster_version = min(roster, self.roster_version)
        self.advance(state, roster, changes)
        if self.state is not None:
            self.state = DayProgress(self.date, self.state.position, state.day_version)
        if (self.state, self.roster_version) != before:
            self._notify_changed()

    def since(self, position: int) -> Sequence[Change] | None:
        """The changes after `position`; None when they are no longer in memory. Raises RestartRequired."""
        self.check()
        if position >= self.position:
            return ()
        if not self._recent or self._recent[0].position > position + 1:
            return None
        return self._recent[position + 1 - self._recent[0].position :]

    def first_sent(self, before: int, position: int) -> Sequence[Change]:
        """Those of the changes up to a position that no group had been sent until now; without what is forgotten."""
        before, self._sent = max(before, self._sent), max(position, self._sent)
        recent = self._recent
        if before >= position or not recent:
            return ()
        first = recent[0].position
        return recent[max(0, before + 1 - first) : max(0, position + 1 - first)]

    def check(self) -> None:
        """Raise RestartRequired if the day's epoch has ended."""
        if self._ended is not None:
            raise RestartRequired(self._ended)

    @property
    def ended(self) -> bool:
        """Whether the day's epoch has ended."""
        return self._ended is not None

    def end(self, why: str) -> None:
        """Make every reader restart: this process cannot tell what they have missed."""
        self._ended = why
        self._notify_changed()

    async def moved(self, position: int) -> None:
        """Wait until there are changes after `position`. Raises RestartRequired."""
        self.check()
        while position >= self.position:
            await self.changed()
            self.check()

    async def changed(self) -> None:
        """Wait until the state, the roster or the epoch changes."""
        await self._changed.wait()

    def _notify_changed(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
