"""When to try again, and when not to."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Awaitable, Callable

from memberstaff_client.errors import UNAUTHENTICATED, RequestRefused, seconds

RESTART_REQUIRED = "RESTART_REQUIRED"
AT_ONCE = frozenset({UNAUTHENTICATED, RESTART_REQUIRED})
"""The codes after which another token, or another board, is all that it takes."""
PASSING = AT_ONCE | {"RATE_LIMITED", "UNAVAILABLE"}
"""The codes after which trying again makes sense."""

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 10.0
LONGEST_ASKED_SECONDS = 300.0
"""However long a server asks to wait: it may be well again by then."""
HELD_SECONDS = 5.0
"""A connection that has lasted so long was no failure, even if nothing happened on it."""

log = logging.getLogger("memberstaff_client")


class Patience:
    """Exponential back-off with jitter: clients that have lost one server do not come back in one instant."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._sleep = sleep
        self._failures = 0
        self._reconnection_seconds = 0.0
        self._since = time.monotonic()

    def succeeded(self) -> None:
        """The next failure is a first one."""
        self._failures = 0

    def asked_to_wait(self, milliseconds: int | None) -> None:
        """Take the `retry` of an event stream, if there is one: the least wait after a connection breaks."""
        if milliseconds is not None:
            self._reconnection_seconds = min(max(milliseconds, 0), LONGEST_SECONDS * 1_000) / 1_000

    async def wait_after(self, error: RequestRefused | None) -> None:
        """Wait before the next attempt; `error` is None when the server ended the connection without one.

        Raises the error if another attempt is of no use.
        """
        if error is not None and error.code not in PASSING:
            raise error
        if time.monotonic() - self._since > HELD_SECONDS:
            self._failures = 0
        at_once = error is not None and error.code in AT_ONCE
        asked = (seconds(error.extensions) or 0.0) if error is not None else 0.0
        at_least = 0.0 if at_once else max(self._reconnection_seconds, min(asked, LONGEST_ASKED_SECONDS))
        step = min(FIRST_SECONDS * 2 ** min(self._failures, 10), LONGEST_SECONDS)
        wait = at_least + step * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing
        level = logging.INFO if at_once or error is None else logging.WARNING
        log.log(level, "Trying again in %.1f seconds: %s", wait, error or "The server has ended the stream.")
        self._failures += 1
        await self._sleep(wait)
        self._since = time.monotonic()
