"""The composition root: builds the parts of one process from its settings, and runs them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from memberstaff.access import Caller
from memberstaff.accounts.doorkeeper import Doorkeeper, Ending
from memberstaff.accounts.passwords import Passwords
from memberstaff.accounts.service import Accounts
from memberstaff.attendance.boards import Boards
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.marking import Marking
from memberstaff.attendance.standing import Standings
from memberstaff.clock import Clock, utc_now
from memberstaff.db.migrate import is_current
from memberstaff.db.work import Database
from memberstaff.events import Ring
from memberstaff.kept import Kept
from memberstaff.live.all_days import AllDays
from memberstaff.live.bell import Bell
from memberstaff.live.feed import Feed
from memberstaff.live.group import Groups
from memberstaff.live.rendered import Renderings
from memberstaff.settings import Settings

log = structlog.get_logger(__name__)

READINESS_SECONDS = 2.0
"""How long the database may take to answer before this process calls itself unready."""


class Unmigrated(Exception):
    """The database's tables are not those of this release."""

    def __init__(self) -> None:
        super().__init__("The database's tables are not those of this release: run `memberstaff migrate` first.")


class Application:
    """Everything a process of memberstaff is made of; `running` must be entered before it serves."""

    def __init__(self, settings: Settings, *, clock: Clock = utc_now, passwords: Passwords | None = None) -> None:
        self.settings = settings
        self.database = Database(
            settings.database_url.get_secret_value(),
            zone=settings.zone,
            pool_size=settings.database_pool_size,
            after_commit=lambda ring: self.bell.ring(ring),
            clock=clock,
        )
        self.calendar = Calendar(settings.working_weekdays)
        self.accounts = Accounts(settings, self.database, passwords=passwords)
        self.feed = Feed(
            self.database,
            poll_seconds=settings.poll_seconds,
            recent_changes=settings.recent_changes,
            max_replay=settings.max_replay,
        )
        self.all_days = AllDays(self.database, poll_seconds=settings.poll_seconds)
        self.groups = Groups(most=settings.max_groups, most_of_account=settings.max_groups_per_account)
        self.renderings: Renderings = Kept(settings.kept_renderings_bytes)
        self.boards = Boards()
        self.marking = Marking(self.database, self.calendar)
        self.standings = Standings(self.database)
        self.doorkeeper = Doorkeeper(self.database, poll_seconds=settings.poll_seconds)
        self.services: dict[str, Callable[[], Awaitable[None]]] = {}
        """What else runs as long as the process does, by a name for the log."""
        self.bell = Bell(settings.broadcast_url.get_secret_value(), settings.broadcast_channel, self._hear)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen, deliver and keep both going until the block ends. Raises Unmigrated."""
        try:
            if not await is_current(self.database.engine):
                raise Unmigrated
            tasks = [asyncio.create_task(_keep(name, run)) for name, run in self._services().items()]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await self.database.close()

    async def admit(self, door: Ending, token: str | None) -> Caller:
        """Let the holder of a token in to a socket or stream, which ends when its access does.

        Raises Unauthenticated.
        """
        return await self.doorkeeper.admit(door, await self.accounts.claims(token))

    async def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether requests can be served, and how well the live path does.

        Without Redis the process is ready all the same, and says "polling": changes then arrive within
        `poll_seconds`.
        """
        try:
            async with asyncio.timeout(READINESS_SECONDS):
                current = await is_current(self.database.engine)
        except Exception as error:
            log.warning("The database does not answer", reason=type(error).__name__)
            database = "unreachable"
        else:
            database = "well" if current else "not migrated"
        live = "well" if self.bell.hearing and self.feed.reading else "polling" if self.feed.reading else "degraded"
        return database == "well", {"database": database, "live": live}

    def measures(self) -> Mapping[str, tuple[float, str]]:
        """What this process does at this moment: value and meaning by name."""
        return {
            "live_hearing": (self.bell.hearing, "1 while the rings of other processes are heard."),
            "live_reading": (self.feed.reading, "1 while the feed can read the database."),
            "rings_unsent": (self.bell.unsent, "Rings that wait to be sent."),
            "days_watched": (self.feed.watched_days, "Days that somebody watches here."),
            "subscriptions": (self.feed.subscriptions, "Subscriptions that follow a day here."),
            "groups": (len(self.groups), "Groups of equal subscriptions, each rendered once."),
            "renderings_bytes": (self.renderings.bytes, "Memory that kept renderings take."),
            "doors_watched": (len(self.doorkeeper), "Sockets and streams whose access is watched here."),
        }

    def _services(self) -> dict[str, Callable[[], Awaitable[None]]]:
        return {
            "bell": self.bell.run,
            "feed": self.feed.run,
            "all_days": self.all_days.run,
            "doorkeeper": self.doorkeeper.run,
            **self.services,
        }

    def _hear(self, ring: Ring) -> None:
        self.feed.hear(ring)
        self.all_days.hear(ring)
        self.doorkeeper.hear(ring)


async def _keep(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a service for as long as the process lives, and start it again should it ever fail."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("A service failed and is started again", service=name)
        await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, guards nothing
