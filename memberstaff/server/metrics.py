"""`/metrics` for Prometheus, of this process: with several workers, of whichever one answers."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from memberstaff.server.host import Host


class HostCollector(Collector):
    """Reads the host's gauges and counters at each scrape."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def collect(self) -> Iterator[Metric]:
        for name, (value, help_text) in self.host.gauges().items():
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(f"memberstaff_{name}", help_text, value=value)


def router(host: Host) -> APIRouter:
    """The router with /metrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(HostCollector(host))
    made = APIRouter()

    @made.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return made
