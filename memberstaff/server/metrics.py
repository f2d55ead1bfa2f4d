"""`/metrics` for Prometheus, of this process: with several workers, of whichever one answers."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from memberstaff.server import log_writer
from memberstaff.server.host import Host
from memberstaff.server.open_connections import OpenConnections


class MetricsCollector(Collector):
    """Reads the gauges and counters of the host and of the server at each scrape."""

    def __init__(self, host: Host, connections: OpenConnections) -> None:
        self.host = host
        self.connections = connections

    def collect(self) -> Iterator[Metric]:
        metrics: dict[str, tuple[float, str]] = {
            **self.host.gauges(),
            "connections_open": (len(self.connections), "TCP connections, whatever they say."),
            "connections_refused_total": (
                self.connections.refused,
                "TCP connections closed at once, since there were too many.",
            ),
            "log_lines_dropped_total": (log_writer.dropped(), "Lines of the log that could not be written."),
        }
        for name, (value, help_text) in metrics.items():
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(f"memberstaff_{name}", help_text, value=value)


def router(host: Host, connections: OpenConnections) -> APIRouter:
    """The router with /metrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(MetricsCollector(host, connections))
    made = APIRouter()

    @made.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return made
