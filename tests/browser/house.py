"""A served installation that can be stopped and started again at the same address, as browsers will notice."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from tests.clock import TurnedClock
from tests.installation import Installation, furnish_at, install

PEOPLE = 60
MORNING = datetime(2026, 1, 12, 9, 30, tzinfo=UTC)
"""A Monday on which about half of the demo's people have been marked."""


async def furnish_school(url: str) -> None:
    """Put into a database what the school has."""
    await furnish_at(url, TurnedClock(MORNING), demo_people=PEOPLE)


class House:
    """A school with the demo's roster and an account for each role, on a database and a Redis of the tests' own."""

    def __init__(self, database_url: str, clock: TurnedClock, **settings: Any) -> None:
        self.clock = clock
        self._database_url = database_url
        self._settings = settings
        self._running = AsyncExitStack()
        self._port = 0
        self.installation: Installation
        """The server as it runs now; another after `restart`."""

    @property
    def home(self) -> str:
        """Its address, also while it is stopped."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self, **changes: Any) -> None:
        """Serve what is in the database. Settings may change."""
        self._settings |= changes
        self.installation = await self._running.enter_async_context(
            install(self._database_url, clock=self.clock, port=self._port, **{"drain_seconds": 0, **self._settings})
        )
        self._port = self.installation.address.port

    async def stop(self) -> None:
        """Close every connection, and listen no more."""
        await self._running.aclose()

    async def restart(self, **changes: Any) -> None:
        """Be away for a moment."""
        await self.stop()
        await self.start(**changes)
