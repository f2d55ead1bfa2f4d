"""Two releases side by side, under load: rolled forward and back, one server at a time, without a gap."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from memberstaff.db.migrate import finish, migrate
from schema.ids import global_id
from tests.clock import TODAY
from tests.infrastructure.postgres import PostgresServer
from tests.infrastructure.redis import RedisServer
from tests.newer_release import NEXT, build, newer_release
from tests.soak.clients import WATCH, WATCH_NESTED, Habits, ask, watch, watch_state, write
from tests.soak.cluster import Cluster, Node
from tests.soak.history import RESTART_REQUIRED, History
from tests.soak.run import caught_up, fresh_of, log_of
from tests.soak.subscriptions import TRANSPORTS
from tests.soak.upgrades import of_release
from tests.soak.verdict import verdict
from tests.waiting import until
from tests.web import web_client

PEOPLE = 10
ACCOUNTS = "{ accounts(first: 10) { edges { node { displayName role } } } }"


class Rollout:
    """Exchanges the release of one server after the other, while every other one has to be ready."""

    def __init__(self, cluster: Cluster, newer: Path) -> None:
        self.cluster = cluster
        self.newer = newer
        self.in_rotation = {node.name for node in cluster.nodes}
        self.probes: Counter[tuple[str, int]] = Counter()
        """Of servers in rotation, by name and status."""

    async def exchange(self, node: Node, *, newer: bool) -> None:
        """Take a server out of rotation, stop it, and start it with a release."""
        self.in_rotation.discard(node.name)
        node.begin_to_stop()
        assert await node.ended() in {0, -signal.SIGTERM}
        node.environment = of_release(node.environment, self.newer if newer else None)
        node.start()
        await node.ready()
        self.in_rotation.add(node.name)

    async def probe(self) -> None:
        """Ask whether the servers in rotation are ready, for ever."""
        async with web_client(timeout=15) as client:
            while True:
                for node in self.cluster.nodes:
                    if node.name in self.in_rotation:
                        status = 0
                        with suppress(httpx2.HTTPError):
                            status = (await client.get(f"{node.http}/health/ready")).status_code
                        if node.name in self.in_rotation:  # still
                            self.probes[node.name, status] += 1
                await asyncio.sleep(0.05)


@asynccontextmanager
async def load(cluster: Cluster, history: History) -> AsyncIterator[None]:
    """Marks without an end, and boards by every transport, which go on with whatever server they reach."""
    staff: list[str] = [global_id("Staff", number) for number in range(1, PEOPLE + 1)]
    watching = [
        watch(cluster, history, f"board {index} by {name}", TODAY, document, Habits(name))
        for name in TRANSPORTS
        for index, document in enumerate((WATCH, WATCH_NESTED))
    ]
    states = [watch_state(cluster, history, f"state by {name}", TODAY, Habits(name)) for name in TRANSPORTS]
    writing = [write(cluster, history, f"w{index}", [TODAY], staff[index::2], 0.05) for index in range(2)]
    watchers, writers = ([asyncio.create_task(each) for each in some] for some in ([*watching, *states], writing))
    try:
        await until(lambda: len(history.watchers) == len(watching))
        yield
        for task in writers:
            task.cancel()
        await asyncio.gather(*writers, return_exceptions=True)
        logs, fresh = {TODAY: await log_of(cluster, TODAY)}, {TODAY: await fresh_of(cluster, TODAY)}
        await caught_up(history, logs, fresh)
        assert verdict(history, logs, fresh) == []
    finally:
        for task in (*watchers, *writers):
            task.cancel()
        await asyncio.gather(*watchers, *writers, return_exceptions=True)


async def more_marks(history: History, number: int = 10) -> None:
    """Wait until so many more were acknowledged."""
    before = len(history.acknowledged)
    await until(lambda: len(history.acknowledged) >= before + number)


@pytest.mark.timeout(300)
async def test_releases_are_rolled_forward_and_back_without_a_gap(
    own_postgres: PostgresServer, own_redis: RedisServer, tmp_path: Path
) -> None:
    random.seed(1)
    cluster = Cluster(own_postgres, own_redis, tmp_path, MEMBERSTAFF_DRAIN_SECONDS="1")
    rollout, history = Rollout(cluster, build(tmp_path / "next")), History()
    (one, two), database = cluster.nodes, cluster.database()
    try:
        await cluster.begin(PEOPLE)
        probing = asyncio.create_task(rollout.probe())
        async with load(cluster, history):
            await more_marks(history)
            with newer_release(tmp_path / "migrations"):
                await migrate(database.engine)
            await more_marks(history)
            await rollout.exchange(two, newer=True)
            await more_marks(history)
            await rollout.exchange(one, newer=True)
            await more_marks(history)
            await rollout.exchange(one, newer=False)  # back, beside the newer tables
            await more_marks(history)
            rollout.in_rotation.discard(one.name)  # since it becomes unready on purpose
            with newer_release(tmp_path / "migrations"):
                await finish(database.engine)
            await one.ready(503)
            async with cluster.connection() as connection:
                assert await connection.fetchval("SELECT least_revision FROM installation") == NEXT
                await connection.execute(
                    "INSERT INTO account (display_name, role, created_at) VALUES ('Ada', 'AUDITOR', now())"
                )
            await more_marks(history)
            roles = []
            for index in range(2):
                async with web_client(timeout=15) as client:
                    data = await ask(client, cluster, index, ACCOUNTS)
                roles.append({edge["node"]["role"] for edge in data["accounts"]["edges"]})
            assert roles == [{"ADMIN", None}, {"ADMIN", "AUDITOR"}]
        probing.cancel()
    finally:
        await database.close()
        cluster.end()
    assert {status for _, status in rollout.probes} == {200}, rollout.probes
    assert {name for name, _ in rollout.probes} == {"one", "two"}
    assert all(watcher.subscribed > 1 and RESTART_REQUIRED not in watcher.ends for watcher in history.watchers)
    assert len(history.watchers) == 6  # so that none has begun again
