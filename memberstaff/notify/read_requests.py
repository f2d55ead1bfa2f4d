"""When the database is read because of what a notification says: repeating one costs next to nothing."""

from __future__ import annotations

import asyncio

from memberstaff.notify.throttle import Throttle


class ReadRequests:
    """Requests to read the database, awaited by the one task that reads.

    What a notification announces beyond what this process has is read at once, since others wait for it. A message that
    says nothing new, or names another epoch, has the database asked once a second at most; so has an announcement, from
    the moment when the database did not confirm one until it confirms one again.
    """

    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self._is_certain = False
        """Whether somebody requested it who waits for it, and not only a message."""
        self._doubt = Throttle(self._requested.set)
        self.trusting = True
        """Whether the last announcement was confirmed."""

    @property
    def waiting(self) -> bool:
        """Whether the database is to be read now."""
        return self._requested.is_set()

    def request(self) -> None:
        """Have the database read as soon as possible."""
        self._is_certain = True
        self._requested.set()

    def announced(self) -> None:
        """Have it read because there is more than this process has, says a notification."""
        if self.trusting:
            self._requested.set()
        else:
            self._doubt()

    def doubt(self) -> None:
        """Have it read because a notification is not what was expected."""
        self._doubt()

    def judge(self, *, confirmed: bool) -> None:
        """Trust announcements from now on, or not: the database was read for some, and they were true or were not."""
        self.trusting = confirmed
        if not confirmed:
            self._doubt.rest()
            if self._requested.is_set() and not self._is_certain:
                self._requested.clear()
                self._doubt()

    async def wait(self, seconds: float | None) -> None:
        """Wait for a request, or at most so many seconds; then forget it."""
        try:
            async with asyncio.timeout(seconds):
                await self._requested.wait()
        except TimeoutError:
            pass
        self._requested.clear()
        self._is_certain = False
