"""Publishes notifications to every process. They may be lost: the source of truth is the log, see live/feed.py."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from memberstaff import metrics, tracing
from memberstaff.keyring import Keyring
from memberstaff.notify import codec
from memberstaff.notify.channel import Channel
from memberstaff.notify.notification import Notification
from memberstaff.notify.seal import Seal
from memberstaff.notify.throttle import MinuteLog

if TYPE_CHECKING:
    from opentelemetry.trace import Span

MOST_UNSENT = 1_000
"""Notifications queued for Redis; the oldest is dropped first, since readers find its changes in the log."""
PUBLISH_SECONDS = 2.0


def purpose(channel: str) -> str:
    """Of the key that seals notifications on a channel."""
    return f"notifications on {channel}"


class Notifier:
    """Publishes this process's notifications, and receives those of every process, this one included.

    Both need `run` to be running. `on_notification` is called for each one, in this event loop. It is called with
    `codec.MISSED`, which means "something may have been missed, ask the database", whenever listening began, and for a
    message of ours that this version does not understand, or not all of it.
    """

    def __init__(
        self, url: str, channel: str, keyring: Keyring, on_notification: Callable[[Notification], None]
    ) -> None:
        seal = Seal(keyring, purpose(channel))
        self.channel = Channel(url, channel, seal, self._receive, lambda: on_notification(codec.MISSED))
        self._on_notification = on_notification
        self._unsent: deque[tuple[Notification, Span | None]] = deque()
        """With the span of its publishing, if it is traced."""
        self._queued = asyncio.Event()
        self._log = MinuteLog()

    def publish(self, notification: Notification) -> None:
        """Queue it for publishing; neither blocks nor fails."""
        if len(self._unsent) == MOST_UNSENT:
            metrics.NOTIFICATIONS_DROPPED.labels("queue_full").inc()
            _, dropped = self._unsent.popleft()
            if dropped is not None:
                tracing.spans.end(dropped, "queue_full")
        span = None
        if tracing.on and (traced := tracing.spans.publishing(self.channel.system, self.channel.name)) is not None:
            span, traceparent = traced
            notification = replace(notification, traceparent=traceparent)
        self._unsent.append((notification, span))
        self._queued.set()

    @property
    def subscribed(self) -> bool:
        """Whether notifications of other processes arrive."""
        return self.channel.subscribed

    @property
    def unsent(self) -> int:
        """How many notifications are waiting to be published."""
        return len(self._unsent)

    async def run(self) -> None:
        """Listen and publish until cancelled. Raises when listening ends by itself."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.channel.run())  # which is ended after the publishing
            await self._publish()

    def _receive(self, text: bytes) -> None:
        try:
            notification = codec.decode(text)
        except codec.InvalidNotification as error:
            self._log.warning("Did not understand a notification; the database is asked instead", reason=str(error))
            metrics.NOTIFICATIONS_MISUNDERSTOOD.inc()
            notification = codec.MISSED
        traceparent = notification.traceparent
        carrier = self.channel.system, self.channel.name
        traced = tracing.on and isinstance(traceparent, str) and tracing.spans.hearing(*carrier, traceparent)
        with traced or tracing.OFF:
            self._on_notification(notification)
            if notification != codec.MISSED and codec.says_more(text):
                self._on_notification(codec.MISSED)

    async def _publish(self) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._unsent:
                notification, span = self._unsent.popleft()
                failed = None
                try:
                    async with asyncio.timeout(PUBLISH_SECONDS):
                        await self.channel.publish(codec.encode(notification))
                except Exception as error:  # a notification that is not sent costs delay only
                    failed = type(error).__name__
                    metrics.NOTIFICATIONS_DROPPED.labels("unsent").inc()
                    self._log.warning("A notification was not sent; boards learn of it by polling", reason=failed)
                if span is not None:
                    tracing.spans.end(span, failed)
