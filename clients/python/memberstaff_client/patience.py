"""When to try again, and when not to."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable

from memberstaff_client.errors import RequestRefused, SessionEnded, seconds

UNAUTHENTICATED = "UNAUTHENTICATED"
RESTART_REQUIRED = "RESTART_REQUIRED"
PASSING = frozenset({UNAUTHENTICATED, RESTART_REQUIRED, "RATE_LIMITED", "UNAVAILABLE"})
"""The codes after which trying again makes sense."""

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 10.0
HELD_SECONDS = 5.0
"""A connection that has lasted so long was no failure, even if nothing happened on it."""


class Patience:
    """Exponential back-off with jitter: clients that have lost one server do not come back in one instant."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._sleep = sleep
        self._failures = 0
        self._last: str | None = None
        self._since = time.monotonic()

    def succeeded(self) -> None:
        """The next failure is a first one."""
        self._failures = 0

    async def wait_after(self, error: RequestRefused | None) -> None:
        """Wait before the next attempt; `error` is None when the server ended the connection without one.

        Raises the error if another attempt is of no use, and SessionEnded if a fresh token was refused too.
        """
        if error is not None and error.code not in PASSING:
            raise error
        if time.monotonic() - self._since > HELD_SECONDS:
            self._failures = 0
        code = error.code if error is not None else None
        if self._failures and code == self._last == UNAUTHENTICATED:
            raise SessionEnded(str(error)) from error
        self._last = code
        at_least = seconds(error.extensions) if error is not None else None
        step = min(FIRST_SECONDS * 2 ** min(self._failures, 10), LONGEST_SECONDS)
        self._failures += 1
        await self._sleep((at_least or 0.0) + step * random.uniform(0.5, 1))  # noqa: S311 - spreads load, guards nothing
        self._since = time.monotonic()
