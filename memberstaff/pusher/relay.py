"""Publishes changes in Laravel's Redis envelope, for an unmodified laravel-echo-server.

The process that holds a lease publishes: in the transaction that renews it, so that two that believe to hold it never
do. A change is lost, or comes twice, if it is made while the lease changes hands, and is lost while Redis is down;
laravel-echo-server's clients cannot resume.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from redis.exceptions import RedisError, ResponseError, WatchError

from memberstaff.changes import Change
from memberstaff.errors import RestartRequired
from memberstaff.keyring import Keyring
from memberstaff.live.all_days import AllDays
from memberstaff.notify.redis_backend import raise_if_cancelled, redis_client
from memberstaff.notify.seal import NotSealed, Seal
from memberstaff.notify.throttle import MinuteLog
from memberstaff.pusher.payload import EVENT, Payload

RENEW_SECONDS = 10.0
RETRY_SECONDS = 1.0
LEASE_SECONDS = 30
LEASE_BYTES = 1_000
"""That are read of a lease; ours are shorter."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who publishes; valid until then (Unix seconds, by Redis's clock), whatever expiry others have given the key."""

    holder: str
    until: float


class Relay:
    """Publishes on `channel`, without notes and photos, since any client may read it; needs `run` to be running.

    The lease is sealed: what others write in its place is no lease, and is overwritten.
    """

    def __init__(
        self, days: AllDays, payload: Payload, *, url: str, channel: str, lease: str, keyring: Keyring
    ) -> None:
        self._days = days
        self._payload = payload
        self._url = url
        self._channel = channel
        self._key = f"{lease}:relay"
        self._seal = Seal(keyring, f"relay on {lease}")
        self._name = secrets.token_hex(8)
        self._leading = False
        self._one_at_a_time = asyncio.Lock()
        self._log = MinuteLog()

    @property
    def leading(self) -> bool:
        """Whether this process believes to be the one that publishes."""
        return self._leading

    async def run(self) -> None:
        """Publish until cancelled."""
        redis = redis_client(self._url, retries=1)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._renew(redis))
                while True:
                    with suppress(RestartRequired):
                        await self._follow(redis)
        finally:
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    if self._leading:
                        await redis.delete(self._key)
                    await redis.aclose()
            self._leading = False

    async def _follow(self, redis: Any) -> None:
        async with self._days.watch() as position:
            while True:
                changes = await self._days.after(position)
                position += len(changes)
                if self._leading:
                    await self._publish(redis, changes)

    async def _publish(self, redis: Any, changes: Sequence[Change]) -> None:
        try:
            await self._take(redis, [envelope(self._payload.of(change, None, notes=False)) for change in changes])
            raise_if_cancelled()
        except (RedisError, OSError, TimeoutError) as error:
            self._log.warning("Failed to publish changes for laravel-echo-server", reason=type(error).__name__)

    async def _renew(self, redis: Any) -> None:
        """Take the lease when it is free, and renew it."""
        while True:
            try:
                await self._take(redis)
                raise_if_cancelled()
            except (RedisError, OSError, TimeoutError) as error:
                self._log.warning("The relay cannot reach Redis", reason=type(error).__name__)
                self._leading = False
            await asyncio.sleep(RENEW_SECONDS if self._leading else RETRY_SECONDS)

    async def _take(self, redis: Any, messages: Sequence[bytes] = ()) -> None:
        """Write our lease, and publish, unless another process holds one."""
        async with self._one_at_a_time:
            self._leading = await self._transact(redis, messages)

    async def _transact(self, redis: Any, messages: Sequence[bytes]) -> bool:
        async with redis.pipeline() as pipe:
            await pipe.watch(self._key)
            try:
                found = await pipe.getrange(self._key, 0, LEASE_BYTES)
            except ResponseError:  # a key of another type, which is no lease
                found = b""
            seconds, microseconds = await pipe.time()  # one clock for all: those of two servers may differ
            now = seconds + microseconds / 1e6
            if self._is_held(found, now):
                return False
            pipe.multi()
            lease = msgspec.json.encode(Lease(self._name, now + LEASE_SECONDS))
            pipe.set(self._key, self._seal.seal(lease), ex=LEASE_SECONDS)
            for message in messages:
                pipe.publish(self._channel, message)
            try:
                await pipe.execute()
            except WatchError:  # another one was faster
                return False
        return True

    def _is_held(self, found: bytes, now: float) -> bool:
        try:
            lease = msgspec.json.decode(self._seal.open(found), type=Lease)
        except (NotSealed, msgspec.DecodeError):
            return False
        return lease.holder != self._name and 0 < lease.until - now <= 2 * LEASE_SECONDS


def envelope(data: dict[str, Any]) -> bytes:
    """The message that Laravel's RedisBroadcaster publishes for an event."""
    return msgspec.json.encode({"event": EVENT, "data": {**data, "socket": None}, "socket": None})
