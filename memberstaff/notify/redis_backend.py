"""A Redis backend for broadcaster that reconnects after an outage, and reports that there was one.

broadcaster's own loses its listener for ever when the connection drops, and with redis-py 8 never receives
anything at all: see docs/decisions/0003-redis-notifies.md.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from broadcaster import BroadcastBackend, Event
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from memberstaff.notify.throttle import MinuteLog

QUIET_SECONDS = 1.0
"""Silence after which the subscription is pinged; after as much again it is considered dead."""
LONGEST_PAUSE_SECONDS = 5.0
"""Between two attempts to connect, at most."""
MOST_BYTES = 1_048_576
"""Of a message; nothing of ours is longer, and what is longer is not looked at."""
CLOSE_SECONDS = 1.0
"""For closing a connection, which may be broken."""


def redis_client(url: str, *, retries: int) -> Redis:
    """A client whose socket operations time out after two seconds."""
    timeout = 2 * QUIET_SECONDS
    retry = Retry(NoBackoff(), retries)
    return Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=retry)


class RedisBackend(BroadcastBackend):
    """Pub/sub on one Redis; `reachable` is called with True or False as the subscription comes and goes."""

    def __init__(self, url: str, reachable: Callable[[bool], None]) -> None:
        # Publishing is retried at once, since a restart of Redis leaves a dead connection in the pool. A duplicate
        # does no harm, since positions tell. The subscription is not retried silently, which would hide that messages
        # were lost.
        self._publisher = redis_client(url, retries=1)
        self._client = redis_client(url, retries=0)
        self._pubsub: PubSub | None = None
        self._channels: set[str] = set()
        self._reachable = reachable
        self._hearing = False
        self._hearing_since = 0.0
        self._pinged = False
        self._failures = 0
        self._log = MinuteLog()
        self.rounds = 0
        """Rises at least every few seconds for as long as somebody waits for messages."""

    async def connect(self) -> None:
        """Do nothing: the first `next_published` connects, so that starting does not depend on Redis."""

    async def disconnect(self) -> None:
        """Close every connection."""
        await self._drop()
        self._hearing = False
        for client in (self._client, self._publisher):
            with suppress(Exception):  # whatever is left of it goes with the process
                async with asyncio.timeout(CLOSE_SECONDS):
                    await client.aclose()

    async def subscribe(self, group: str) -> None:
        """Listen to a channel from the next `next_published` on, and again after each reconnect."""
        self._channels.add(group)
        await self._drop()

    async def unsubscribe(self, group: str) -> None:
        self._channels.discard(group)
        await self._drop()

    async def publish(self, channel: str, message: Any) -> None:
        """Send one message; raises redis-py's errors if Redis is unreachable."""
        await self._publisher.publish(channel, message)
        raise_if_cancelled()

    async def next_published(self) -> Event:
        """The next message; never raises: during an outage it waits and reconnects."""
        while True:
            self.rounds += 1
            try:
                event = await self._next_message()
            except Exception as error:  # whatever it is: broadcaster's listener would end, and nobody would notice
                await self._drop()
                self._report(hearing=False, error=error)
                await self._pause()
            else:
                if event is not None:
                    await asyncio.sleep(0)  # so that whoever waits takes it before the next, and none pile up
                    return event

    async def _next_message(self) -> Event | None:
        pubsub = self._pubsub
        if pubsub is None:
            pubsub = self._pubsub = self._client.pubsub()
            self._pinged = False
            await pubsub.subscribe(*sorted(self._channels))
        message = await pubsub.get_message(timeout=QUIET_SECONDS)
        raise_if_cancelled()
        if message is None:
            if self._pinged:
                raise TimeoutError("Redis does not answer a PING")
            self._pinged = True
            await pubsub.ping()
            return None
        self._pinged = False
        if message["type"] == "subscribe":
            self._hearing_since = asyncio.get_running_loop().time()
            self._report(hearing=True)
        elif message["type"] == "message":
            # Anybody may publish here, and anything: what is not UTF-8 is no message of ours, and must end nothing.
            data = message["data"] if len(message["data"]) <= MOST_BYTES else b""
            channel, text = (part.decode(errors="replace") for part in (message["channel"], data))
            return Event(channel=channel, message=text)
        return None

    async def _drop(self) -> None:
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            with suppress(Exception):  # it is being discarded because it is broken
                async with asyncio.timeout(CLOSE_SECONDS):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]

    def _report(self, *, hearing: bool, error: Exception | None = None) -> None:
        if error is not None:
            self._log.warning(
                "Redis is unreachable; until it is back, changes arrive by polling", reason=type(error).__name__
            )
        if hearing != self._hearing:
            if hearing:
                self._log.info("Subscribed to Redis", channels=sorted(self._channels))
            self._hearing = hearing
            self._reachable(hearing)

    async def _pause(self) -> None:
        """Exponential back-off with full jitter, so that servers do not all reconnect at once.

        It grows while connections do not last, too: whoever can end them could otherwise have us connect all the time.
        """
        lasted = asyncio.get_running_loop().time() - self._hearing_since
        self._failures = 1 if self._hearing_since and lasted > LONGEST_PAUSE_SECONDS else self._failures + 1
        self._hearing_since = 0.0
        longest = min(LONGEST_PAUSE_SECONDS, 0.1 * 2 ** min(self._failures, 10))
        await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - spreads load, guards nothing


def raise_if_cancelled() -> None:
    """Raise CancelledError if this task was cancelled while redis-py was sending.

    On Python 3.11 its `asyncio.wait_for` swallows a cancellation that arrives just as the sending is done, and the
    task, and so the shutdown, would wait for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
