"""The faults of Redis alone."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

import redis

from tests.soak.cluster import Cluster, NotInjected


class Holding(Protocol):
    """Whose Redis is broken, and for how long."""

    cluster: Cluster

    async def hold(self) -> None:
        """Keep the fault for a while."""


async def kill_redis(nemesis: Holding) -> None:
    """kill -9, a while without, and back with nothing remembered."""
    nemesis.cluster.redis.kill()
    try:
        if await asyncio.to_thread(_answers, nemesis.cluster):
            raise NotInjected("Redis answers after it was killed")
        await nemesis.hold()
    finally:
        await asyncio.to_thread(nemesis.cluster.redis.start)


async def hang_redis(nemesis: Holding) -> None:
    """SIGSTOP: connections stay, answers do not come."""
    nemesis.cluster.redis.pause()
    try:
        if await asyncio.to_thread(_answers, nemesis.cluster):
            raise NotInjected("Redis answers while it is stopped")
        await nemesis.hold()
    finally:
        nemesis.cluster.redis.resume()


async def cut_redis(nemesis: Holding) -> None:
    """CLIENT KILL of every connection."""

    def cut() -> int:
        with redis.Redis.from_url(nemesis.cluster.redis.url) as client:
            killed = 0
            for kind in ("normal", "pubsub"):
                killed += int(client.client_kill_filter(_type=kind, skipme=True))
            return killed

    if not await asyncio.to_thread(cut):
        raise NotInjected("there was no Redis connection to cut")


def _answers(cluster: Cluster) -> bool:
    with redis.Redis.from_url(cluster.redis.url, socket_timeout=0.3) as client, suppress(redis.RedisError):
        return bool(client.ping())
    return False
