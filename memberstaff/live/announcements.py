"""Notices that changes come which nobody has announced: Redis answers, and passes nothing on.

A node that is cut off from its cluster, or a master that its Sentinels have replaced, answers each PING. That it is one
shows only in the log: positions rise there of which nothing was heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import date

import structlog

from memberstaff import metrics

log = structlog.get_logger(__name__)

LATE_SECONDS = 1.0
"""After which a position that was read should have been heard of."""
MOST_MISSED = 3
"""Within `WITHIN_SECONDS`: commands and imports announce nothing, and a message may be lost."""
WITHIN_SECONDS = 60.0
"""Also the least between two calls of `on_deaf`."""


class Announcements:
    """Compares what was read from the log with what was heard.

    `on_deaf` is called, once a minute at most, for as long as changes are read that were not announced; it must neither
    block nor raise.
    """

    def __init__(self, on_deaf: Callable[[], None]) -> None:
        self.deaf = False
        """Whether changes have come unannounced again and again, and none was announced since."""
        self._on_deaf = on_deaf
        self._call_at = 0.0
        self._found: dict[date, tuple[int, float]] = {}
        """Positions that were read and not heard of yet, and when."""
        self._missed_at: list[float] = []

    def heard(self, day: date, position: int) -> None:
        """A notification has named a position."""
        if day in self._found and position >= self._found[day][0]:
            del self._found[day]
        self.deaf = self.deaf and bool(self._found)

    def read(self, found: Mapping[date, int]) -> None:
        """The log was read, and these positions found, of which nothing had been heard until then."""
        now = asyncio.get_running_loop().time()
        for day in [day for day, (_, at) in self._found.items() if now >= at + LATE_SECONDS]:
            del self._found[day]
            self._missed_at.append(now)
        for day, position in found.items():
            self._found.setdefault(day, (position, now))
        self._missed_at = [at for at in self._missed_at if now < at + WITHIN_SECONDS]
        if len(self._missed_at) < MOST_MISSED:
            return
        self.deaf = True
        if now >= self._call_at:
            self._call_at, self._missed_at = now + WITHIN_SECONDS, []
            metrics.REDIS_DEAF.inc()
            log.warning("Redis answers, and changes come that it has not announced: listening begins anew")
            self._on_deaf()
