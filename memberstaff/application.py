"""The composition root: builds the parts of one process from its settings, and runs them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from memberstaff.access import Caller
from memberstaff.accounts.access_watcher import AccessWatcher, Revocable
from memberstaff.accounts.passwords import Passwords
from memberstaff.accounts.service import Accounts
from memberstaff.attendance.board_cache import BoardCache
from memberstaff.attendance.day_version import DayVersions
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.group_commit import GroupCommit
from memberstaff.db.clock import Clock, utc_now
from memberstaff.db.migrate import is_current
from memberstaff.db.work import Database
from memberstaff.fanout.byte_lru import ByteLRU
from memberstaff.fanout.subscriber_group import SubscriberGroups
from memberstaff.live.all_days import AllDays
from memberstaff.live.feed import Feed
from memberstaff.live.sources import RenderingCache
from memberstaff.notify.notification import Notification
from memberstaff.notify.notifier import Notifier
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
            after_commit=lambda notification: self.notifier.publish(notification),
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
        self.groups = SubscriberGroups(limit=settings.max_groups, limit_per_owner=settings.max_groups_per_account)
        self.renderings: RenderingCache = ByteLRU(settings.rendering_cache_bytes)
        self.board_cache = BoardCache(settings.board_cache_boards)
        self.group_commit = GroupCommit(self.database, self.calendar)
        self.day_versions = DayVersions(self.database)
        self.access_watcher = AccessWatcher(self.database, poll_seconds=settings.poll_seconds)
        self.services: dict[str, Callable[[], Awaitable[None]]] = {}
        """What else runs as long as the process does, by a name for the log."""
        self.notifier = Notifier(
            settings.broadcast_url.get_secret_value(), settings.broadcast_channel, self._on_notification
        )

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

    async def admit(self, door: Revocable, token: str | None) -> Caller:
        """Let the holder of a token in to a socket or stream, which ends when its access does.

        Raises Unauthenticated.
        """
        return await self.access_watcher.admit(door, await self.accounts.claims(token))

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
        live = (
            "well" if self.notifier.subscribed and self.feed.reading else "polling" if self.feed.reading else "degraded"
        )
        return database == "well", {"database": database, "live": live}

    def gauges(self) -> Mapping[str, tuple[float, str]]:
        """What this process does at this moment: value and meaning by name."""
        return {
            "live_hearing": (self.notifier.subscribed, "1 while the notifications of other processes are heard."),
            "live_reading": (self.feed.reading, "1 while the feed can read the database."),
            "notifications_unsent": (self.notifier.unsent, "Rings that wait to be sent."),
            "days_watched": (self.feed.watched_days, "Days that somebody watches here."),
            "subscriptions": (self.feed.subscriptions, "Subscriptions that follow a day here."),
            "groups": (len(self.groups), "Groups of equal subscriptions, each rendered once."),
            "rendering_cache_bytes": (self.renderings.bytes, "Memory of cached renderings."),
            "connections_watched": (len(self.access_watcher), "Sockets and streams whose access is watched here."),
        }

    def _services(self) -> dict[str, Callable[[], Awaitable[None]]]:
        return {
            "notifier": self.notifier.run,
            "feed": self.feed.run,
            "all_days": self.all_days.run,
            "access_watcher": self.access_watcher.run,
            **self.services,
        }

    def _on_notification(self, notification: Notification) -> None:
        self.feed.on_notification(notification)
        self.all_days.on_notification(notification)
        self.access_watcher.on_notification(notification)


async def _keep(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a service for as long as the process lives, and start it again should it ever fail."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("A service failed and is started again", service=name)
        await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, guards nothing
