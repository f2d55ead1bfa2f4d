"""Publishes changes in Laravel's Redis envelope, for an unmodified laravel-echo-server; at most once.

The process that holds a lease publishes. Changes are lost while the lease changes hands, or while Redis is down;
laravel-echo-server's clients have no way to resume.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
import structlog
from redis.exceptions import RedisError

from memberstaff.changes import Change
from memberstaff.errors import RestartRequired
from memberstaff.live.all_days import AllDays
from memberstaff.notify.redis_backend import raise_if_cancelled, redis_client
from memberstaff.pusher.payload import EVENT, Payload

log = structlog.get_logger(__name__)

RENEW_SECONDS = 10.0
LEASE_SECONDS = 30


class Relay:
    """Publishes on `channel`, without notes and photos, since any client may read it; needs `run` to be running."""

    def __init__(self, days: AllDays, payload: Payload, *, url: str, channel: str, lease: str) -> None:
        self._days = days
        self._payload = payload
        self._url = url
        self._channel = channel
        self._lease = f"{lease}:relay"
        self._name = secrets.token_hex(8)
        self._leading = False

    @property
    def leading(self) -> bool:
        """Whether it is this process that publishes."""
        return self._leading

    async def run(self) -> None:
        """Publish until cancelled."""
        redis = redis_client(self._url, retries=1)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._lead(redis))
                while True:
                    with suppress(RestartRequired):
                        await self._follow(redis)
        finally:
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    if self._leading:
                        await redis.delete(self._lease)
                    await redis.aclose()

    async def _follow(self, redis: Any) -> None:
        async with self._days.watch() as position:
            while True:
                changes = await self._days.after(position)
                position += len(changes)
                if self._leading:
                    await self._publish(redis, changes)

    async def _publish(self, redis: Any, changes: Sequence[Change]) -> None:
        try:
            async with redis.pipeline(transaction=False) as pipe:
                for change in changes:
                    pipe.publish(self._channel, envelope(self._payload.of(change, None, notes=False)))
                await pipe.execute()
            raise_if_cancelled()
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("Failed to publish changes for laravel-echo-server", reason=type(error).__name__)

    async def _lead(self, redis: Any) -> None:
        """Acquire the lease, and renew it."""
        while True:
            try:
                taken = await redis.set(self._lease, self._name, nx=True, ex=LEASE_SECONDS)
                self._leading = bool(taken) or await redis.get(self._lease) == self._name.encode()
                if self._leading and not taken:
                    await redis.expire(self._lease, LEASE_SECONDS)
                raise_if_cancelled()
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("The relay cannot reach Redis", reason=type(error).__name__)
                self._leading = False
            await asyncio.sleep(RENEW_SECONDS if self._leading else 1.0)


def envelope(data: dict[str, Any]) -> bytes:
    """The message that Laravel's RedisBroadcaster publishes for an event."""
    return msgspec.json.encode({"event": EVENT, "data": {**data, "socket": None}, "socket": None})
