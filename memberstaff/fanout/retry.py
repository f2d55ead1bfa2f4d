"""Retrying while something is unavailable."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from memberstaff.errors import Unavailable

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 4.0

MAX_ATTEMPTS = 3
"""Attempts to render an event, unless the database is away, before its subscriptions end with UNAVAILABLE."""

RETRY_SECONDS = 5
"""`retryAfter` of a subscription refused by a limit, or ended by an event that could not be rendered."""

Result = TypeVar("Result")


class Backoff:
    """Exponential back-off with jitter, so that thousands who wait for one thing do not retry in step."""

    def __init__(self) -> None:
        self._pauses = 0

    @property
    def is_first(self) -> bool:
        """Whether `pause` has not been called yet."""
        return self._pauses == 0

    async def pause(self) -> None:
        """Wait: twice as long each time, up to `LONGEST_SECONDS`."""
        longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0**self._pauses)
        self._pauses = min(self._pauses + 1, 10)
        await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - spreads load, guards nothing


async def until_available(call: Callable[[], Awaitable[Result]]) -> Result:
    """The result of `call`, retried for as long as it raises Unavailable."""
    backoff = Backoff()
    while True:
        try:
            return await call()
        except Unavailable:
            await backoff.pause()
