"""The doorbell: tells every process that something was committed. Never the truth: see feed.py."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import structlog
from broadcaster import Broadcast

from memberstaff.notify import codec as wire
from memberstaff.notify.notification import Notification
from memberstaff.notify.redis_backend import RedisBackend

log = structlog.get_logger(__name__)

MOST_UNSENT = 1_000
"""Rings that wait for Redis; the oldest is dropped first, since readers find what it announced in the log."""
PUBLISH_SECONDS = 2.0


class Notifier:
    """Rings for committed work and hears the notifications of every process, this one included.

    `run` must be running for either. `hear` is called for each notification, in this event loop; after an outage it
    is called with an empty notification, which means: something may have been missed, read the log.
    """

    def __init__(self, url: str, channel: str, hear: Callable[[Notification], None]) -> None:
        self._channel = channel
        self._on_notification = hear
        self._unsent: deque[Notification] = deque(maxlen=MOST_UNSENT)
        self._work = asyncio.Event()
        self._over_redis = not url.startswith("memory:")
        self.hearing = False
        if self._over_redis:
            self._broadcast = Broadcast(backend=RedisBackend(url, self._reachable))
        else:
            self._broadcast = Broadcast("memory://")

    def notification(self, notification: Notification) -> None:
        """Announce it soon; neither waits nor fails."""
        self._unsent.append(notification)
        self._work.set()

    @property
    def unsent(self) -> int:
        """Rings that wait to be sent."""
        return len(self._unsent)

    async def run(self) -> None:
        """Listen and publish until cancelled."""
        async with self._broadcast, self._broadcast.subscribe(self._channel) as subscriber:
            if not self._over_redis:
                self._reachable(True)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._publish())
                    while True:
                        self._receive((await subscriber.get()).message)
            finally:
                self.hearing = False

    def _reachable(self, reachable: bool) -> None:
        self.hearing = reachable
        if reachable:
            self._on_notification(Notification(epoch=""))

    def _receive(self, message: str) -> None:
        try:
            notification = wire.decode(message)
        except wire.Unreadable as error:
            log.warning("Something else publishes on our channel", channel=self._channel, reason=str(error))
        else:
            self._on_notification(notification)

    async def _publish(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._unsent:
                notification = self._unsent.popleft()
                try:
                    async with asyncio.timeout(PUBLISH_SECONDS):
                        await self._broadcast.publish(self._channel, wire.encode(notification))
                except Exception as error:  # any failure to announce costs delay only
                    log.warning(
                        "A notification was not sent; boards learn of it by polling", reason=type(error).__name__
                    )
