"""Publishes notifications to every process. They may be lost: the source of truth is the log, see live/feed.py."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog
from broadcaster import Broadcast

from memberstaff.keyring import Keyring
from memberstaff.notify import codec
from memberstaff.notify.notification import Notification
from memberstaff.notify.redis_backend import RedisBackend
from memberstaff.notify.seal import NotSealed, Seal

log = structlog.get_logger(__name__)

MOST_UNSENT = 1_000
"""Notifications queued for Redis; the oldest is dropped first, since readers find its changes in the log."""
PUBLISH_SECONDS = 2.0
TELL_SECONDS = 60.0
"""Between two lines of the log about messages that are not ours."""


class Notifier:
    """Publishes this process's notifications, and receives those of every process, this one included.

    Both need `run` to be running. `on_notification` is called for each one, in this event loop. It is called with an
    empty one, which means "something may have been missed, read the log", after an outage, and for a message of ours
    that this version does not understand. What was not sealed with our secret is counted in `refused`, and dropped.
    """

    def __init__(
        self, url: str, channel: str, keyring: Keyring, on_notification: Callable[[Notification], None]
    ) -> None:
        self._channel = channel
        self._seal = Seal(keyring, f"notifications on {channel}")
        self.refused = 0
        self._told_at = -TELL_SECONDS
        self._on_notification = on_notification
        self._unsent: deque[Notification] = deque(maxlen=MOST_UNSENT)
        self._queued = asyncio.Event()
        self._over_redis = not url.startswith("memory:")
        self.subscribed = False
        if self._over_redis:
            self._broadcast = Broadcast(backend=RedisBackend(url, self._reachable))
        else:
            self._broadcast = Broadcast("memory://")

    def publish(self, notification: Notification) -> None:
        """Queue it for publishing; neither blocks nor fails."""
        self._unsent.append(notification)
        self._queued.set()

    @property
    def unsent(self) -> int:
        """How many notifications are waiting to be published."""
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
                self.subscribed = False

    def _reachable(self, reachable: bool) -> None:
        self.subscribed = reachable
        if reachable:
            self._on_notification(Notification(epoch=""))

    def _receive(self, message: str) -> None:
        try:
            notification = codec.decode(self._seal.open(message))
        except NotSealed:
            self.refused += 1
            self._tell(
                "Dropped a message on our channel that was sealed with another secret, or not", refused=self.refused
            )
        except codec.InvalidNotification as error:
            self._tell("Did not understand a notification; the log is read instead", reason=str(error))
            self._on_notification(Notification(epoch=""))
        else:
            self._on_notification(notification)

    def _tell(self, what: str, **details: Any) -> None:
        """Log it, at most once a minute: others decide how often it happens."""
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= TELL_SECONDS:
            self._told_at = now
            log.warning(what, channel=self._channel, **details)

    async def _publish(self) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._unsent:
                notification = self._unsent.popleft()
                try:
                    async with asyncio.timeout(PUBLISH_SECONDS):
                        await self._broadcast.publish(self._channel, self._seal.seal(codec.encode(notification)))
                except Exception as error:  # a notification that is not sent costs delay only
                    log.warning(
                        "A notification was not sent; boards learn of it by polling", reason=type(error).__name__
                    )
