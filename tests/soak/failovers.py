"""The faults that leave PostgreSQL with another primary; each adds a standby to it again."""

from __future__ import annotations

import asyncio
from typing import Protocol

from tests.infrastructure.replication import ReplicatedPostgres
from tests.soak.cluster import Cluster, Node, NotInjected
from tests.soak.history import EndedEpoch, History


class Failing(Protocol):
    """What is failed over, and who is told."""

    cluster: Cluster
    history: History

    async def marks(self, node: Node) -> None:
        """Wait until a mark through a server is acknowledged."""


async def fail_over(nemesis: Failing) -> None:
    """The primary's host dies, and the standby that takes over has not received what was acknowledged last."""
    postgres = _replicated(nemesis)
    await asyncio.to_thread(postgres.set_synchronous, False)
    await asyncio.to_thread(postgres.cut_standby)
    for node in nemesis.cluster.nodes:
        await nemesis.marks(node)
    lost = nemesis.history.lost
    await _promote(nemesis, synchronous=False)
    if nemesis.history.lost <= lost:
        raise NotInjected("nothing was lost")


async def fail_over_synchronously(nemesis: Failing) -> None:
    """The primary's host dies while everybody marks; nothing was acknowledged that its standby did not have."""
    await asyncio.to_thread(_replicated(nemesis).set_synchronous, True)
    for node in nemesis.cluster.nodes:
        await nemesis.marks(node)
    await _promote(nemesis, synchronous=True)


async def _promote(nemesis: Failing, *, synchronous: bool) -> None:
    cluster, postgres = nemesis.cluster, _replicated(nemesis)
    async with cluster.connection() as connection:
        epoch = await connection.fetchval("SELECT epoch FROM installation")
    await asyncio.to_thread(postgres.primary.kill)
    old = await asyncio.to_thread(postgres.promote)
    old.stop()
    async with cluster.connection(postgres.primary.folder) as connection:  # before any server connects to it
        days = await connection.fetch("SELECT date, position FROM attendance_day")
    survived = {row["date"].isoformat(): row["position"] for row in days}
    nemesis.history.ended[epoch] = EndedEpoch(survived, synchronous)
    postgres.lead_to_primary()
    await asyncio.to_thread(postgres.add_standby)
    for node in cluster.nodes:
        await nemesis.marks(node)


def _replicated(nemesis: Failing) -> ReplicatedPostgres:
    assert isinstance(nemesis.cluster.postgres, ReplicatedPostgres)
    return nemesis.cluster.postgres
