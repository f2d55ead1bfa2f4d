"""The faults, each of which proves that it really happened."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import redis

from tests.soak.cluster import Cluster


class NotInjected(Exception):
    """A fault had no effect, so the run would prove nothing."""


class Nemesis:
    """Breaks one thing at a time, and mends it again. `injected` counts what really happened."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.injected: Counter[str] = Counter()
        self.faults: dict[str, Callable[[], Awaitable[None]]] = {
            "Redis killed and restarted": self.kill_redis,
            "Redis hung": self.hang_redis,
            "Redis connections cut": self.cut_redis,
            "a server killed and restarted": self.kill_server,
            "a server stopped and restarted": self.stop_server,
            "PostgreSQL restarted": self.restart_postgres,
        }

    async def inject(self, name: str) -> None:
        """One fault, from its beginning to its end."""
        await self.faults[name]()
        self.injected[name] += 1

    async def torment(self, pause: float) -> None:
        """RequestError after fault, in shuffled rounds, until cancelled."""
        while True:
            for name in random.sample([*self.faults], len(self.faults)):
                await asyncio.sleep(random.uniform(0.5, 1.5) * pause)
                await self.inject(name)

    async def kill_redis(self) -> None:
        """kill -9, a second without, and back with nothing remembered."""
        self.cluster.redis.kill()
        if await asyncio.to_thread(self._redis_answers):
            raise NotInjected("Redis answers after it was killed")
        await asyncio.sleep(random.uniform(0.2, 2))
        await asyncio.to_thread(self.cluster.redis.start)

    async def hang_redis(self) -> None:
        """SIGSTOP: connections stay, answers do not come."""
        self.cluster.redis.pause()
        try:
            if await asyncio.to_thread(self._redis_answers):
                raise NotInjected("Redis answers while it is stopped")
            await asyncio.sleep(random.uniform(1, 4))
        finally:
            self.cluster.redis.resume()

    async def cut_redis(self) -> None:
        """CLIENT KILL of every connection."""

        def cut() -> int:
            with redis.Redis.from_url(self.cluster.redis.url) as client:
                killed = 0
                for kind in ("normal", "pubsub"):
                    killed += int(client.client_kill_filter(_type=kind, skipme=True))
                return killed

        if not await asyncio.to_thread(cut):
            raise NotInjected("there was no Redis connection to cut")

    async def kill_server(self) -> None:
        """kill -9 of one server, also between a commit and its notification."""
        node = random.choice(self.cluster.nodes)
        process = node.kill()
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            pass
        else:
            raise NotInjected("the server lives after it was killed")
        node.start()
        await node.ready()

    async def stop_server(self) -> None:
        """SIGTERM under load: requests in flight finish, sockets are told to come back."""
        node = random.choice(self.cluster.nodes)
        await asyncio.to_thread(node.stop)
        if "Finished server process" not in node.log_tail():
            raise NotInjected("the server did not end by itself")
        node.start()
        await node.ready()

    async def restart_postgres(self) -> None:
        """Every connection breaks, and transactions under way are lost."""
        before = await asyncio.to_thread(self._postgres_started)
        await asyncio.to_thread(self.cluster.postgres.restart)
        if await asyncio.to_thread(self._postgres_started) == before:
            raise NotInjected("PostgreSQL runs since before it was restarted")

    def _redis_answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.cluster.redis.url, socket_timeout=0.3) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _postgres_started(self) -> str:
        return self.cluster.postgres._run("SELECT pg_postmaster_start_time()::text")
