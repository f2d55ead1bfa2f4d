"""One /metrics for all workers of a server: the same whichever of them answers, and whichever has died."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from psutil import STATUS_ZOMBIE, Process

from memberstaff.server.metrics import UPDATE_SECONDS
from tests.infrastructure.postgres import PostgresServer
from tests.infrastructure.redis import RedisServer
from tests.scrapes import Values, scrape
from tests.soak.cluster import Cluster
from tests.waiting import until
from tests.web import web_client


@pytest.fixture
async def cluster(own_postgres: PostgresServer, own_redis: RedisServer, tmp_path: Path) -> AsyncIterator[Cluster]:
    cluster = Cluster(
        own_postgres, own_redis, tmp_path, nodes=1, workers=2, MEMBERSTAFF_METRICS="true", TMPDIR=str(tmp_path)
    )
    try:
        await cluster.begin(people=1)
        yield cluster
    finally:
        cluster.end()


@pytest.mark.timeout(300)
async def test_workers_answer_with_the_sum_of_all_of_them(cluster: Cluster, tmp_path: Path) -> None:
    [node] = cluster.nodes
    [folder] = tmp_path.glob("memberstaff-metrics-*")  # noqa: ASYNC240
    assert folder.stat().st_mode & 0o777 == 0o700

    async def newest() -> Values:
        async with web_client() as client:  # another connection each time, and so perhaps another worker
            return await scrape(client, node.http)

    async def hearing() -> bool:
        values = await newest()
        return values["memberstaff_processes"] == 2 and values["memberstaff_live_hearing"] == 1

    async with asyncio.timeout(60):
        while not await hearing():
            await asyncio.sleep(UPDATE_SECONDS / 10)
    answered: set[str] = set()
    asked = 0
    while len(answered) < 2:
        async with web_client() as client:
            asked += 1
            assert (await client.get(f"{node.http}/")).status_code in {200, 404}
            answered |= {worker for worker in workers(node.pid) if connections(worker, node.port)}
    for _ in range(8):
        values = await newest()
        assert values["memberstaff_processes"] == 2
        assert values["memberstaff_ready"] == 1
        assert values["memberstaff_live_hearing"] == 1
        assert values["memberstaff_database_connections_most"] == 20
        assert pages(values) == asked

    killed = int(min(answered))
    os.kill(killed, signal.SIGSTOP)
    await until(waits(node.pid))  # for its answer, for a minute
    os.kill(killed, signal.SIGKILL)
    async with asyncio.timeout(30):
        await until(lambda: str(killed) not in workers(node.pid) and len(workers(node.pid)) == 2)
    await node.ready()
    async with asyncio.timeout(60):
        while not await hearing():
            await asyncio.sleep(UPDATE_SECONDS / 10)
    values = await newest()
    assert values["memberstaff_database_connections_most"] == 20
    assert pages(values) == asked
    node.begin_to_stop()
    assert await node.ended() == 0
    assert not folder.exists()


def waits(supervisor: int) -> Callable[[], bool]:
    """Whether it waits for a worker: otherwise it looks after them twice a second."""
    seen, since = -1, 0.0

    def is_still() -> bool:
        nonlocal seen, since
        switches = Process(supervisor).num_ctx_switches().voluntary
        if switches != seen:
            seen, since = switches, time.monotonic()
        return time.monotonic() - since > 2

    return is_still


def pages(values: Values) -> float:
    """How often pages were asked for."""
    counts = "memberstaff_request_duration_seconds_count{"
    return sum(by for name, by in values.items() if name.startswith(counts) and "route=page" in name)


def workers(parent: int) -> set[str]:
    """The process ids of the workers."""
    children = Process(parent).children()
    living = [child for child in children if child.status() != STATUS_ZOMBIE]
    return {str(child.pid) for child in living if "resource_tracker" not in " ".join(child.cmdline())}


def connections(worker: str, port: int) -> bool:
    """Whether a worker has a client."""
    found = Process(int(worker)).net_connections("tcp")
    return any(each.status == "ESTABLISHED" and each.laddr.port == port for each in found)
