"""A channel between the processes of an installation: sealed, supervised, and unharmed by whatever others publish."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from broadcaster import Broadcast

from memberstaff import metrics
from memberstaff.keyring import ID_BYTES
from memberstaff.notify.redis_backend import RedisBackend
from memberstaff.notify.seal import NONCE_BYTES, NotSealed, Seal
from memberstaff.notify.throttle import MinuteLog

MOST_REMEMBERED = 10_000
"""Messages whose repetition is noticed without opening them again; some 2 MB."""
MOST_TIMED = 1_000
"""Messages published, and not heard yet, whose time is taken."""
STALLED_SECONDS = 10.0
"""Within which a listener must have come round; each of its steps has a shorter time-out."""

_HEAD = -(-(ID_BYTES + NONCE_BYTES) // 3) * 4
"""Characters of a message that hold its nonce, which no two messages of ours share."""


class ListenerStopped(Exception):
    """Nothing listens on the channel any more."""


class Channel:
    """Publishes to every process, this one included, and receives from all; needs `run` to be running.

    `on_message` is called with each message that was sealed with our secret, `on_missed` whenever listening began,
    since messages may have been lost until then. What others published is counted in `refused`, what was recorded and
    published again in `repeated`; both are dropped. Without Redis (`memory:`) there is only this process.
    """

    def __init__(
        self, url: str, name: str, seal: Seal, on_message: Callable[[bytes], None], on_missed: Callable[[], None]
    ) -> None:
        self._name = name
        self._seal = seal
        self._on_message = on_message
        self._on_missed = on_missed
        self._backend = None if url.startswith("memory:") else RedisBackend(url, self._reachable)
        self._broadcast = Broadcast(backend=self._backend) if self._backend else Broadcast("memory://")
        self._heard: OrderedDict[str, None] = OrderedDict()
        """The heads of messages of ours, the latest last."""
        self._published: OrderedDict[str, float] = OrderedDict()
        """When those of this process were published that it has not heard yet, by their heads."""
        self._log = MinuteLog()
        self._has_listened = False
        self.subscribed = False
        """Whether messages arrive."""
        self.refused = 0
        self.repeated = 0
        self.restarts = 0
        """How often listening began again, after it had ended for whatever reason."""

    @property
    def name(self) -> str:
        """Its name in Redis."""
        return self._name

    @property
    def system(self) -> str:
        """What carries the messages, as traces name it."""
        return "memory" if self._backend is None else "redis"

    async def publish(self, text: bytes) -> None:
        """Seal and send it; raises redis-py's errors if Redis is unreachable."""
        message = self._seal.seal(text)
        if metrics.observed:
            self._published[message[:_HEAD]] = monotonic()
            if len(self._published) > MOST_TIMED:
                self._published.popitem(last=False)
        await self._broadcast.publish(self._name, message)

    def renew(self) -> None:
        """Connect anew: Redis answers, and passes nothing on."""
        if self._backend is not None:
            self._backend.renew()

    async def run(self) -> None:
        """Listen until cancelled. Raises when the listener ends by itself, whatever the reason: start it again."""
        try:
            async with self._broadcast, self._broadcast.subscribe(self._name) as subscriber:
                if self._backend is None:
                    self._reachable(True)
                async with asyncio.TaskGroup() as tasks:
                    if self._backend is not None:
                        tasks.create_task(self._watch(self._backend))
                    while True:
                        self._receive((await subscriber.get()).message)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ListenerStopped from None  # it was the listener that was cancelled
        finally:
            self.subscribed = False
            if self._backend is not None:
                await self._backend.disconnect()  # broadcaster leaves it open when its listener has failed

    async def _watch(self, backend: RedisBackend) -> None:
        """Raise ListenerStopped when broadcaster's task, at which nobody else looks, has ended or hangs."""
        while True:
            before = backend.rounds
            await asyncio.sleep(STALLED_SECONDS)
            if backend.rounds == before:
                raise ListenerStopped

    def _reachable(self, reachable: bool) -> None:
        self.subscribed = reachable
        if reachable:
            self.restarts += self._has_listened
            metrics.LISTENER_RESTARTS.inc(self._has_listened)
            self._has_listened = True
            self._on_missed()

    def _receive(self, message: str) -> None:
        head = message[:_HEAD]
        if head in self._heard:
            self.repeated += 1
            metrics.NOTIFICATIONS_REPEATED.inc()
            return
        try:
            text = self._seal.open(message)
        except NotSealed:
            self.refused += 1
            metrics.NOTIFICATIONS_REFUSED.inc()
            self._log.warning(
                "Dropped a message on our channel that was sealed with another secret, or not",
                channel=self._name,
                refused=self.refused,
            )
            return
        self._heard[head] = None
        if (published := self._published.pop(head, None)) is not None:
            metrics.REDIS_LAG.observe(monotonic() - published)
        if len(self._heard) > MOST_REMEMBERED:
            self._heard.popitem(last=False)
        try:
            self._on_message(text)
        except Exception as error:  # no message ends the listener
            metrics.NOTIFICATIONS_MISUNDERSTOOD.inc()
            self._log.warning("Could not make sense of a message", channel=self._name, reason=repr(error))
            self._on_missed()
