"""Publishes changes in Laravel's Redis envelope, for an unmodified laravel-echo-server.

The process that holds a lease publishes: in the script that renews it, so that two that believe to hold it never
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
from redis.exceptions import RedisError

from memberstaff import metrics
from memberstaff.changes import FROM_ANYBODY, Change
from memberstaff.errors import RestartRequired
from memberstaff.keyring import Keyring
from memberstaff.live.all_days import AllDays
from memberstaff.notify.seal import NotSealed, Seal
from memberstaff.notify.throttle import MinuteLog
from memberstaff.pusher.payload import EVENT, Payload
from memberstaff.redis_client import RedisConnection, parse

RENEW_SECONDS = 10.0
RETRY_SECONDS = 1.0
LEASE_SECONDS = 30
LEASE_BYTES = 1_000
"""That are read of a lease; ours are shorter."""
ANSWER_SECONDS = 2.0
"""For each answer of Redis."""

# Scripts, since a transaction with WATCH is bound to a connection, which redis-py's client for clusters does not show.
# What is found is a table when the key holds something else than a string: an error.
_READ = """
local found = redis.pcall("GETRANGE", KEYS[1], 0, ARGV[1])
if type(found) == "table" then found = "" end
local seconds, microseconds = unpack(redis.call("TIME"))
return {found, seconds, microseconds}
"""
"""A lease, and the time by the clock that all processes share."""
_PUBLISH = """
local found = redis.pcall("GETRANGE", KEYS[1], 0, ARGV[1])
if type(found) == "table" then found = "" end
if found ~= ARGV[2] then return 0 end
redis.call("SET", KEYS[1], ARGV[3], "EX", ARGV[4])
for number = 6, #ARGV do redis.call("PUBLISH", ARGV[5], ARGV[number]) end
return 1
"""
"""Writes another lease and publishes, unless another process was faster."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who publishes; valid until then (Unix seconds, by Redis's clock), whatever expiry others have given the key."""

    holder: str
    until: float


class Relay:
    """Publishes on `channel`, without what is confidential, since any client may read it; needs `run` to be running.

    The lease is sealed: what others write in its place is no lease, and is overwritten.
    """

    def __init__(
        self, days: AllDays, payload: Payload, *, url: str, channel: str, lease: str, keyring: Keyring
    ) -> None:
        self._days = days
        self._payload = payload
        self._redis = RedisConnection(parse(url).key_clients(ANSWER_SECONDS))
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
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._renew())
                while True:
                    with suppress(RestartRequired):
                        await self._follow()
        finally:
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    if self._leading:
                        await self._redis.client.delete(self._key)
            self._leading = False
            await self._redis.close()

    async def _follow(self) -> None:
        async with self._days.watch() as position:
            while True:
                changes = await self._days.after(position)
                position += len(changes)
                if self._leading:
                    await self._publish(changes)

    async def _publish(self, changes: Sequence[Change]) -> None:
        try:
            await self._take([envelope(self._payload.of(change, None, FROM_ANYBODY)) for change in changes])
        except (RedisError, OSError, TimeoutError) as error:
            metrics.RELAY_FAILURES.inc()
            self._log.warning("Failed to publish changes for laravel-echo-server", reason=type(error).__name__)

    async def _renew(self) -> None:
        """Take the lease when it is free, and renew it."""
        while True:
            try:
                await self._take()
            except (RedisError, OSError, TimeoutError) as error:
                metrics.RELAY_FAILURES.inc()
                self._log.warning("The relay cannot reach Redis", reason=type(error).__name__)
                self._leading = False
            await asyncio.sleep(RENEW_SECONDS if self._leading else RETRY_SECONDS)

    async def _take(self, messages: Sequence[bytes] = ()) -> None:
        """Write our lease, and publish, unless another process holds one."""
        async with self._one_at_a_time:
            self._leading = await self._redis.do(lambda client: self._lead(client, messages))

    async def _lead(self, client: Any, messages: Sequence[bytes]) -> bool:
        found, seconds, microseconds = await client.eval(_READ, 1, self._key, LEASE_BYTES)
        now = int(seconds) + int(microseconds) / 1e6
        if self._is_held(found, now):
            return False
        lease = self._seal.seal(msgspec.json.encode(Lease(self._name, now + LEASE_SECONDS)))
        values = (LEASE_BYTES, found, lease, LEASE_SECONDS, self._channel, *messages)
        return bool(await client.eval(_PUBLISH, 1, self._key, *values))

    def _is_held(self, found: bytes, now: float) -> bool:
        try:
            lease = msgspec.json.decode(self._seal.open(found), type=Lease)
        except (NotSealed, msgspec.DecodeError, RecursionError):
            return False
        return lease.holder != self._name and 0 < lease.until - now <= 2 * LEASE_SECONDS


def envelope(data: dict[str, Any]) -> bytes:
    """The message that Laravel's RedisBroadcaster publishes for an event."""
    return msgspec.json.encode({"event": EVENT, "data": {**data, "socket": None}, "socket": None})
