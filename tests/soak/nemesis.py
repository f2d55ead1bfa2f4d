"""The faults, each of which proves that it really happened."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Any

import redis.asyncio

from tests.clock import TODAY
from tests.soak.clients import WATCH_NESTED
from tests.soak.cluster import CHANNEL, Cluster, Node, NotInjected, NotRecovered
from tests.soak.failovers import fail_over, fail_over_synchronously
from tests.soak.history import History
from tests.soak.redis_faults import cut_redis, hang_redis, kill_redis
from tests.soak.strangers import not_reading, write_junk

TABLES = ("attendance", "attendance_revision", "staff")
"""What every mark writes, or checks with a foreign key, and an event's nested fields are read from."""
PROOF_SECONDS = 10.0
"""How long a fault may take to have its effect."""
RECOVERY_SECONDS = 30.0
"""How long a fault may keep others from marking here; the long form checks what is promised."""
ATTEMPTS = 5
STOPS = 200
"""How often a server is stopped at most until that happens within a change."""


class Nemesis:
    """Breaks one thing at a time, and mends it again. `injected` counts what really happened.

    `recovery` is the longest time, in seconds, for which a fault kept the others from marking.
    `mark` marks somebody through a server, and answers whether that was acknowledged; `history` is told which epochs
    have ended; `longest` is how many seconds a
    fault is held at most, and `stopped` how many more a server stays stopped that held a lock.
    """

    def __init__(
        self,
        cluster: Cluster,
        mark: Callable[[Node], Coroutine[Any, Any, bool]],
        history: History,
        longest: float,
        stopped: float = 0,
    ) -> None:
        self.cluster = cluster
        self.history = history
        self.injected: Counter[str] = Counter()
        self.recovery = 0.0
        self._mark = mark
        self._longest = longest
        self._stopped = stopped

    async def inject(self, name: str) -> None:
        """One fault, from its beginning to its end."""
        await FAULTS[name](self)
        self.injected[name] += 1

    async def torment(
        self, pause: float, seconds: float, failovers: int, steps: Mapping[str, Callable[[], Awaitable[None]]]
    ) -> None:
        """Fault after fault in shuffled rounds, for so long at least.

        In the first round are all of them, so many failovers, and the steps, in order and spread over it.
        """
        end = time.monotonic() + seconds
        plan = [*FAULTS, *islice(cycle(FAILOVERS), failovers - len(FAILOVERS))]
        random.shuffle(plan)
        apart = len(plan) / (len(steps) + 1)
        for number, name in reversed([*enumerate(steps, start=1)]):
            plan.insert(round(number * apart), name)
        while plan or time.monotonic() < end:
            plan = plan or random.sample([*FAULTS], len(FAULTS))
            await asyncio.sleep(random.uniform(0.5, 1.5) * pause)
            if (name := plan.pop(0)) in steps:
                await steps[name]()
                self.injected[name] += 1
            else:
                await self.inject(name)

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

    async def cut_connections(self) -> None:
        """pg_terminate_backend of all that one server has, again and again, while it hears what the other commits."""
        node, other = self._two_nodes()
        cuts = marks = 0
        end = time.monotonic() + self._seconds()
        await self._all_listen()
        while time.monotonic() < end or cuts < 2 or not marks:
            cuts += bool(await self._terminate(node))
            marks += await self._mark(other)
            await asyncio.sleep(0.02)
            if time.monotonic() > end + PROOF_SECONDS:
                raise NotInjected(f"connections were cut {cuts} times, and {marks} marks acknowledged meanwhile")

    async def refuse_connections(self) -> None:
        """PostgreSQL lets one server in no more, which hears what the other commits and can read none of it."""
        node, other = self._two_nodes()
        role = self.cluster.roles[node.name]
        await self._all_listen()
        async with self.cluster.connection() as connection:
            await connection.execute(f'ALTER ROLE "{role}" NOLOGIN')
            try:
                await self._terminate(node)
                end = time.monotonic() + self._seconds()
                marks = 0
                while time.monotonic() < end or not marks:
                    marks += await self._mark(other)
                    if time.monotonic() > end + PROOF_SECONDS:
                        raise NotInjected("the other server could not write")
                await node.ready(503)
            finally:
                await connection.execute(f'ALTER ROLE "{role}" LOGIN')
        await node.ready()

    async def wake_without_postgres(self) -> None:
        """SIGSTOP of a server, a mark through the other, a crash of PostgreSQL: then it goes on, and hears of the mark.

        PostgreSQL comes back when the server has said that it cannot read.
        """
        node, other = self._two_nodes()
        async with self._marked_while_asleep(node, other):
            await asyncio.to_thread(self.cluster.postgres.crash)
            try:
                if await asyncio.to_thread(self.cluster.postgres.answers):
                    raise NotInjected("PostgreSQL answers after it was stopped")
                node.resume()
                # Whatever waited in its socket was there before this question.
                await node.ready(503)
                await self.hold()
            finally:
                await asyncio.to_thread(self.cluster.postgres.start)
        for each in self.cluster.nodes:
            await each.ready()

    async def lock_table(self) -> None:
        """ACCESS EXCLUSIVE: statements that use the table hang, and then go on."""
        table = random.choice(TABLES)
        hanging = "SELECT 1 FROM pg_locks WHERE relation = $1::regclass AND NOT granted"
        async with self.cluster.connection() as connection, connection.transaction():
            async with asyncio.timeout(PROOF_SECONDS):
                await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            end = time.monotonic() + self._seconds()
            hangs = False
            while time.monotonic() < end or not hangs:
                hangs = hangs or bool(await connection.fetch(hanging, table))
                await asyncio.sleep(0.05)
                if time.monotonic() > end + PROOF_SECONDS:
                    raise NotInjected(f"nothing that uses {table} was held up")

    async def freeze_connections(self) -> None:
        """A host is lost without a word: connections of one server stay open, and nothing comes through any more."""
        node, other = self._two_nodes()
        line = self.cluster.lines[node.name]
        if not line.freeze():
            raise NotInjected("the server had no connection to PostgreSQL")
        try:
            await self.marks(other)
            await self.marks(node)
        finally:
            line.cut_frozen()

    async def stop_with_lock(self) -> None:
        """SIGSTOP of a server in the midst of a change: another one marks on, and then it goes on, or is killed."""
        node, other = self._two_nodes()
        in_change = (
            "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND backend_xid IS NOT NULL AND state = $2"
        )
        under_way: set[asyncio.Task[bool]] = set()
        async with self.cluster.connection() as connection:
            for _ in range(STOPS):
                under_way.add(asyncio.create_task(self._mark(node)))
                await asyncio.sleep(random.uniform(0, 0.03))
                await self._pause(node)
                role = self.cluster.roles[node.name]
                if await connection.fetchval(in_change, role, "idle in transaction"):
                    break
                node.resume()
            else:
                raise NotInjected("the server was never stopped in the midst of a change")
        try:
            await self.marks(other)
            await asyncio.sleep(self._stopped)
        finally:
            if random.random() < 0.5:
                node.resume()
            else:
                node.kill()
                node.start()
        await asyncio.gather(*under_way)
        await node.ready()

    async def junk_on_redis(self) -> None:
        """Whoever may publish on Redis does: nothing that is written there ends or delays anything."""
        await self._all_listen()
        if not await write_junk(self.cluster, self._seconds()):
            raise NotInjected("nobody listened")
        for node in self.cluster.nodes:
            await self.marks(node)

    async def stop_reading(self) -> None:
        """Clients subscribe, over sockets and event streams, and read nothing: whoever does goes on."""
        async with not_reading(self.cluster, WATCH_NESTED, TODAY) as clients:
            await self.hold()
            for node in self.cluster.nodes:
                await self.marks(node)
            if not clients:
                raise NotInjected("nobody could subscribe")

    async def marks(self, node: Node) -> None:
        """Wait until a mark through a server is acknowledged. Raises NotRecovered."""
        began = time.monotonic()
        while not await self._mark(node):
            if time.monotonic() > began + RECOVERY_SECONDS:
                raise NotRecovered(f"nobody could mark through {node.name} for {RECOVERY_SECONDS} seconds")
            await asyncio.sleep(0.05)
        self.recovery = max(self.recovery, time.monotonic() - began)

    async def _pause(self, node: Node) -> None:
        """SIGSTOP, and wait until it has come."""
        node.pause()
        async with asyncio.timeout(PROOF_SECONDS):
            while not node.paused:
                await asyncio.sleep(0.001)

    @asynccontextmanager
    async def _marked_while_asleep(self, node: Node, other: Node) -> AsyncIterator[None]:
        """Stop a server by SIGSTOP, and have it sent the notification of a mark that was acknowledged meanwhile.

        A server that is stopped in a transaction may hold the day's lock: then it goes on, and is stopped again.
        """
        await self._all_listen()
        for _ in range(ATTEMPTS):
            try:
                await self._pause(node)
                if await self._mark_and_hear(other):
                    yield
                    return
            finally:
                node.resume()
            await asyncio.sleep(random.uniform(0, 0.2))
        raise NotInjected("no mark was acknowledged while the other server was stopped")

    async def _mark_and_hear(self, node: Node) -> bool:
        """A mark through a server; True when it was acknowledged, and Redis has sent a notification since."""
        async with redis.asyncio.Redis.from_url(self.cluster.redis.url) as client, client.pubsub() as listener:
            await listener.subscribe(CHANNEL)
            async with asyncio.timeout(PROOF_SECONDS):
                while not await listener.get_message(timeout=1):  # the confirmation
                    pass
                if not await self._mark(node):
                    return False
                while not await listener.get_message(timeout=1):
                    pass
        return True

    async def _all_listen(self) -> None:
        """Wait until each server hears the others' notifications."""
        async with asyncio.timeout(PROOF_SECONDS), redis.asyncio.Redis.from_url(self.cluster.redis.url) as client:
            while dict(await client.pubsub_numsub(CHANNEL))[CHANNEL.encode()] < len(self.cluster.nodes):
                await asyncio.sleep(0.05)

    async def _terminate(self, node: Node) -> int:
        """End a server's connections to PostgreSQL; answers how many."""
        terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1"
        async with self.cluster.connection() as connection:
            return int(await connection.fetchval(terminate, self.cluster.roles[node.name]))

    def _two_nodes(self) -> tuple[Node, Node]:
        one, two = random.sample(self.cluster.nodes, 2)
        return one, two

    def _seconds(self) -> float:
        return random.uniform(0.3, 1) * self._longest

    async def hold(self) -> None:
        """Keep the fault for a while."""
        await asyncio.sleep(self._seconds())

    def _postgres_started(self) -> str:
        return self.cluster.postgres.run("SELECT pg_postmaster_start_time()::text")


WOKEN_WITHOUT_POSTGRES = "a server woken while PostgreSQL was down"
FAULTS: dict[str, Callable[[Nemesis], Awaitable[None]]] = {
    "Redis killed and restarted": kill_redis,
    "Redis hung": hang_redis,
    "Redis connections cut": cut_redis,
    "a server killed and restarted": Nemesis.kill_server,
    "a server stopped and restarted": Nemesis.stop_server,
    "PostgreSQL restarted": Nemesis.restart_postgres,
    "a server's PostgreSQL connections cut, again and again": Nemesis.cut_connections,
    "a server refused by PostgreSQL": Nemesis.refuse_connections,
    WOKEN_WITHOUT_POSTGRES: Nemesis.wake_without_postgres,
    "a table locked": Nemesis.lock_table,
    "connections to PostgreSQL frozen": Nemesis.freeze_connections,
    "a server stopped in the midst of a change": Nemesis.stop_with_lock,
    "PostgreSQL failed over, and something was lost": fail_over,
    "PostgreSQL failed over to a synchronous standby": fail_over_synchronously,
    "junk on Redis": Nemesis.junk_on_redis,
    "clients that stop reading": Nemesis.stop_reading,
}
FAILOVERS = [name for name in FAULTS if "failed over" in name]
