"""`/metrics` for Prometheus: of this process, or of all workers that share a folder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from memberstaff import metrics
from memberstaff.server.host import Host
from memberstaff.server.open_connections import OpenConnections

UPDATE_SECONDS = 1.0
"""How old another worker's gauges may be; its counters and histograms are not."""


class Gauges:
    """Those of this process, which know their values only when somebody asks."""

    def __init__(self, host: Host, connections: OpenConnections) -> None:
        self.host = host
        self.connections = connections

    def update(self) -> None:
        """Read the values."""
        own = {
            metrics.CONNECTIONS_OPEN: len(self.connections),
            metrics.CONNECTIONS_MOST: self.connections.total,
            metrics.PROCESSES: 1,
        }
        for gauge, value in (*self.host.gauges().items(), *own.items()):
            gauge.set(value)

    async def keep_updated(self) -> None:
        """Read them regularly, for the worker that answers; they are forgotten when this is cancelled."""
        try:
            while True:
                self.update()
                await asyncio.sleep(UPDATE_SECONDS)
        finally:
            forget_worker(os.getpid())


def forget_worker(process_id: int) -> None:
    """Count the gauges of a worker no longer, since it has ended. What it has counted stays."""
    if metrics.is_shared():
        mark_process_dead(process_id)  # type: ignore[no-untyped-call]


@contextmanager
def shared_by_workers() -> Iterator[None]:
    """Have the processes that are started in the block share their values, in a folder of their own."""
    with TemporaryDirectory(prefix="memberstaff-metrics-") as folder:
        before = os.environ.get(metrics.SHARED_FOLDER)
        os.environ[metrics.SHARED_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[metrics.SHARED_FOLDER]
            if before is not None:
                os.environ[metrics.SHARED_FOLDER] = before


def router(gauges: Gauges) -> APIRouter:
    """The router with /metrics."""
    registry = metrics.REGISTRY
    if metrics.is_shared():
        registry = CollectorRegistry(auto_describe=False)
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    made = APIRouter()

    @made.get("/metrics", include_in_schema=False)
    async def scrape() -> Response:
        gauges.update()
        is_ready, _ = await gauges.host.readiness()
        metrics.READY.set(is_ready)
        # Reading the files of all workers takes milliseconds, for which nobody is to wait.
        return Response(await asyncio.to_thread(generate_latest, registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return made
