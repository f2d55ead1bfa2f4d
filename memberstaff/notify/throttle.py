"""Bounds on how often something happens that strangers, or outages, would otherwise decide on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger(__name__)

CHECK_SECONDS = 1.0
"""Between two questions to the database for which a message is the only reason."""
TELL_SECONDS = 60.0
"""Between two lines of the log that say the same."""


class Throttle:
    """Calls an action at most once in so many seconds: at once after a rest, otherwise when the time has passed."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action
        self._next_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        """Have the action called, once for all calls until it is."""
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._next_at:
            self._call()
        else:
            self._timer = loop.call_at(self._next_at, self._call)

    def rest(self) -> None:
        """Count from now on, as if the action had just been called: what it is for was done for another reason."""
        self._next_at = asyncio.get_running_loop().time() + CHECK_SECONDS

    def _call(self) -> None:
        self._timer = None
        self.rest()
        self._action()


class MinuteLog:
    """Writes each line to the log at most once a minute. Lines are of few texts; their details vary."""

    def __init__(self) -> None:
        self._told_at: dict[str, float] = {}

    def info(self, what: str, **details: Any) -> None:
        """Log it, unless it was logged within the last minute."""
        if self._is_due(what):
            log.info(what, **details)

    def warning(self, what: str, **details: Any) -> None:
        """Log it, unless it was logged within the last minute."""
        if self._is_due(what):
            log.warning(what, **details)

    def _is_due(self, what: str) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._told_at.get(what, -TELL_SECONDS) < TELL_SECONDS:
            return False
        self._told_at[what] = now
        return True
