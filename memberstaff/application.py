"""The composition root: builds the parts of one process from its settings, and runs them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import structlog
from prometheus_client import Gauge

from memberstaff import metrics, tracing
from memberstaff.access import Caller
from memberstaff.accounts.access_watcher import AccessWatcher
from memberstaff.accounts.admissions import Revocable
from memberstaff.accounts.passwords import Passwords
from memberstaff.accounts.service import Accounts
from memberstaff.attendance.board_cache import BoardCache
from memberstaff.attendance.day_version import DayVersions
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.group_commit import GroupCommit
from memberstaff.changes import Visibility
from memberstaff.db.clock import Clock, utc_now
from memberstaff.db.database import Database
from memberstaff.db.migrate import Compatibility, Incompatible, compatibility
from memberstaff.db.retention import Retention
from memberstaff.fanout.admission_control import AdmissionControl
from memberstaff.fanout.byte_lru import ByteLRU
from memberstaff.fanout.subscriber_groups import SubscriberGroups
from memberstaff.fanout.turns import FairTurns, HalfTime
from memberstaff.live.all_days import AllDays
from memberstaff.live.feed import Feed
from memberstaff.live.lost_changes import LostChanges
from memberstaff.live.sources import RenderingCache
from memberstaff.notify.channel import Channel
from memberstaff.notify.codec import MISSED
from memberstaff.notify.notification import Notification
from memberstaff.notify.notifier import Notifier
from memberstaff.settings import Settings

log = structlog.get_logger(__name__)

QUERIES_AT_ONCE = 2
"""Queries that are prepared or run at the same time, beside the first of each account."""
ADMITTED_AT_ONCE = 16
"""Newcomers, which share statements, and queries that are run: so few hold the loop for some milliseconds only."""
READINESS_FRESH_SECONDS = 1.0
"""How long an answer of the database about readiness is good for."""
READINESS_SECONDS = 2.0
"""Time-out of the database in a readiness check."""


class Application:
    """The parts of a process; enter `running` before serving."""

    def __init__(self, settings: Settings, *, clock: Clock = utc_now, passwords: Passwords | None = None) -> None:
        self.settings = settings
        self.database = Database(
            settings.database_url.get_secret_value(),
            zone=settings.zone,
            pool_size=settings.database_pool_size,
            answer_seconds=settings.database_seconds,
            pgbouncer=settings.database_pgbouncer,
            after_commit=self._on_commit,
            on_epoch=self._on_epoch,
            clock=clock,
            visibility=Visibility(times=settings.viewers_see_times),
        )
        self.calendar = Calendar(
            settings.working_weekdays,
            late_mark_days=settings.late_mark_days,
            correction_days=settings.correction_days,
        )
        self.accounts = Accounts(settings, self.database, passwords=passwords)
        self.feed = Feed(
            self.database,
            poll_seconds=settings.poll_seconds,
            recent_changes=settings.recent_changes,
            max_replay=settings.max_replay,
            on_deaf=self._on_deaf,
        )
        self.all_days = AllDays(self.database, poll_seconds=settings.poll_seconds)
        self.admission = AdmissionControl(ADMITTED_AT_ONCE)
        self.preparing = HalfTime()
        self.query_turns = FairTurns(QUERIES_AT_ONCE)
        self.groups = SubscriberGroups(
            limit=settings.max_groups,
            limit_per_owner=settings.max_groups_per_account,
            cost_per_owner=settings.max_event_cost_per_account,
        )
        self.lost_changes = LostChanges(self.database)
        self.renderings: RenderingCache = ByteLRU(settings.rendering_cache_bytes)
        self.board_cache = BoardCache(settings.board_cache_boards)
        self.group_commit = GroupCommit(self.database, self.calendar)
        self.day_versions = DayVersions(self.database)
        self.access_watcher = AccessWatcher(self.database, poll_seconds=settings.poll_seconds)
        self.retention = Retention(self.database, audit_days=settings.audit_days)
        self._database_state: asyncio.Task[str] | None = None
        self._ask_database_at = 0.0
        self.services: dict[str, Callable[[], Awaitable[None]]] = {}
        """Other background services of the process, by name in the log."""
        self.channels: list[Channel] = []
        """Of Redis, to which the process listens."""
        self.notifier = Notifier(
            settings.broadcast_url.get_secret_value(),
            settings.broadcast_channel,
            settings.keyring,
            self._on_notification,
        )
        self.channels.append(self.notifier.channel)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the background services until the block ends. Raises Incompatible, or TimeoutError."""
        try:
            async with asyncio.timeout(self.settings.database_seconds):
                found = await compatibility(self.database.engine)
            if found is not Compatibility.COMPATIBLE:
                raise Incompatible(found)
            tasks = [asyncio.create_task(supervise(name, run)) for name, run in self._services().items()]
            try:
                with self.database.serving(), metrics.observing() if self.settings.metrics else nullcontext():
                    async with tracing.sending() if self.settings.tracing else nullcontext():
                        yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await self.database.close()

    async def admit(self, connection: Revocable, token: str | None) -> Caller:
        """The holder of a token; the connection ends when their access does. Raises Unauthenticated."""
        return await self.access_watcher.admit(connection, await self.accounts.claims(token))

    @property
    def hearing(self) -> bool:
        """Whether changes of other processes are announced to this one, as far as it can tell."""
        return self.notifier.subscribed and not self.feed.announcements.deaf

    async def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether requests can be served, and the state of the database and of the live updates.

        Without Redis the process is ready too, and reports "polling": changes then arrive within `poll_seconds`.
        The database is asked once a second at most, however many ask us: anybody may.
        """
        now = asyncio.get_running_loop().time()
        if self._database_state is None or (self._database_state.done() and now >= self._ask_database_at):
            self._ask_database_at = now + READINESS_FRESH_SECONDS
            self._database_state = asyncio.create_task(self._ask_database())
        database = await asyncio.shield(self._database_state)
        live = "well" if self.hearing and self.feed.reading else "polling" if self.feed.reading else "degraded"
        return database == "well", {"database": database, "live": live}

    async def _ask_database(self) -> str:
        try:
            async with asyncio.timeout(READINESS_SECONDS):
                return await compatibility(self.database.engine)
        except Exception as error:
            log.warning("The database does not respond", reason=type(error).__name__)
            return "unreachable"

    def gauges(self) -> Mapping[Gauge, float]:
        """The value of each gauge."""
        return {
            metrics.LIVE_HEARING: self.hearing,
            metrics.LIVE_READING: self.feed.reading,
            metrics.NOTIFICATIONS_UNSENT: self.notifier.unsent,
            metrics.DATES_WATCHED: self.feed.watched_days,
            metrics.SUBSCRIPTIONS: self.feed.subscriptions,
            metrics.GROUPS: len(self.groups),
            metrics.RENDERING_CACHE_BYTES: self.renderings.bytes,
            metrics.CONNECTIONS_WATCHED: len(self.access_watcher),
            metrics.DATABASE_CONNECTIONS_USED: self.database.connections_used,
            metrics.DATABASE_CONNECTIONS_MOST: self.settings.database_pool_size,
            metrics.TIMELINE_FOLLOWED: self.database.is_sqlite or self.database.timeline.followed,
        }

    def _services(self) -> dict[str, Callable[[], Awaitable[None]]]:
        return {
            "notifier": self.notifier.run,
            "feed": self.feed.run,
            "all_days": self.all_days.run,
            "lost_changes": self.lost_changes.run,
            "access_watcher": self.access_watcher.run,
            "retention": self.retention.run,
            **self.services,
        }

    def _on_commit(self, notification: Notification) -> None:
        self.lost_changes.remember(notification)
        self.notifier.publish(notification)

    def _on_deaf(self) -> None:
        for channel in self.channels:
            channel.renew()

    def _on_epoch(self) -> None:
        self.lost_changes.request()
        self._on_notification(MISSED)

    def _on_notification(self, notification: Notification) -> None:
        timeline = self.database.timeline
        if timeline.epoch and notification.epoch > timeline.epoch:
            timeline.doubt()  # another process has seen a failover, and this one is still connected to the old primary
        self.lost_changes.remember(notification)
        self.feed.on_notification(notification)
        self.all_days.on_notification(notification)
        self.access_watcher.on_notification(notification)


async def supervise(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a service, and restart it when it fails."""
    while True:
        try:
            await run()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            log.warning("A service was cancelled from within and will be restarted", service=name)
        except Exception:
            log.exception("A service failed and will be restarted", service=name)
        metrics.SERVICE_RESTARTS.labels(name).inc()
        await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, guards nothing
