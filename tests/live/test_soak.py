"""The checker in its short form: every fault and transport, and nothing lost, repeated, reordered or made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.infrastructure.redis import RedisServer
from tests.infrastructure.replication import ReplicatedPostgres
from tests.soak.cluster import Cluster
from tests.soak.nemesis import FAULTS
from tests.soak.run import soak
from tests.soak.subscriptions import TRANSPORTS


@pytest.mark.timeout(600)
async def test_nothing_is_lost_whatever_breaks(
    own_replicated_postgres: ReplicatedPostgres, own_redis: RedisServer, tmp_path: Path
) -> None:
    cluster = Cluster(
        own_replicated_postgres, own_redis, tmp_path, MEMBERSTAFF_DRAIN_SECONDS="1", MEMBERSTAFF_DATABASE_SECONDS="2"
    )
    try:
        report = await soak(cluster, seconds=10, pause=0.2, longest=0.8, writers=2, pace=0.04, people=20)
    finally:
        cluster.end()
    print(report)
    assert report.violations == []
    assert report.acknowledged > 100
    assert set(report.injected) == set(FAULTS)
    assert all(report.events[transport] for transport in TRANSPORTS)
