"""`/metrics` for Prometheus: what this process does; with several workers, whichever of them answers."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from memberstaff.server.host import Host


class Measures(Collector):
    """Asks the host at each scrape, so that nothing is counted twice or kept up to date in vain."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def collect(self) -> Iterator[Metric]:
        """A gauge for each of the host's measures."""
        for name, (value, meaning) in self.host.measures().items():
            yield GaugeMetricFamily(f"memberstaff_{name}", meaning, value=value)


def router(host: Host) -> APIRouter:
    """The route, for those who set METRICS."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Measures(host))
    made = APIRouter()

    @made.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return made
