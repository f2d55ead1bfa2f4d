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
from redis.asyncio.client import PubSub

from memberstaff.notify.throttle import MinuteLog
from memberstaff.redis_client import CLOSE_SECONDS, RedisConnection, parse, raise_if_cancelled

QUIET_SECONDS = 1.0
"""Silence after which the subscription is pinged; after as much again it is considered dead."""
LONGEST_PAUSE_SECONDS = 5.0
"""Between two attempts to connect, at most."""
MOST_BYTES = 1_048_576
"""Of a message; nothing of ours is longer, and what is longer is not looked at."""


class RedisBackend(BroadcastBackend):
    """Publish/subscribe; `reachable` is called with True or False as the subscription comes and goes."""

    def __init__(self, url: str, reachable: Callable[[bool], None]) -> None:
        address = parse(url)
        self._publisher = RedisConnection(address.clients(2 * QUIET_SECONDS))
        self._listener = RedisConnection(address.clients(2 * QUIET_SECONDS))
        self._pubsub: PubSub | None = None
        self._channels: set[str] = set()
        self._heard: set[str] = set()
        """Those to which the present connection listens."""
        self._wanted = asyncio.Event()
        """Whether there is a channel to listen to."""
        self._reachable = reachable
        self._hearing = False
        self._hearing_since = 0.0
        self._pinged = False
        self._renew_listener = self._renew_publisher = False
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
        await self._publisher.close()

    async def subscribe(self, group: str) -> None:
        """Listen to a channel from the next `next_published` on, and again after each reconnect.

        It is `next_published` that changes the connection: redis-py opens one anew that another task has closed.
        """
        self._channels.add(group)
        self._wanted.set()

    async def unsubscribe(self, group: str) -> None:
        self._channels.discard(group)
        if not self._channels:
            self._wanted.clear()

    def renew(self) -> None:
        """Have both connections made anew, to another node if there are several."""
        self._renew_listener = self._renew_publisher = True

    async def publish(self, channel: str, message: Any) -> None:
        """Send one message, perhaps twice; raises redis-py's errors if Redis is unreachable."""
        if self._renew_publisher:
            self._renew_publisher = False
            await self._publisher.close()
        await self._publisher.do(lambda client: client.publish(channel, message))

    async def next_published(self) -> Event:
        """The next message; never raises: during an outage it waits and reconnects."""
        while True:
            self.rounds += 1
            try:
                event = await self._next_message()
            except asyncio.CancelledError:  # which may have come while it was connecting
                await self._drop()
                raise
            except Exception as error:  # whatever it is: broadcaster's listener would end, and nobody would notice
                await self._drop()
                self._report(hearing=False, error=error)
                await self._pause()
            else:
                if event is not None:
                    await asyncio.sleep(0)  # so that whoever waits takes it before the next, and none pile up
                    return event

    async def _next_message(self) -> Event | None:
        await self._wanted.wait()
        if self._heard != self._channels:
            await self._drop()
        if self._renew_listener:
            self._renew_listener = False
            await self._drop()
            self._report(hearing=False)
        pubsub = self._pubsub
        if pubsub is None:
            self._heard = set(self._channels)
            pubsub = self._pubsub = self._listener.client.pubsub()
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
        await self._listener.close()

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
