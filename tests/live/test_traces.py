"""A trace goes on in another process, to which it came through Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from tests.front_ends import Socket
from tests.infrastructure.collector import Collector, collecting
from tests.infrastructure.postgres import PostgresServer
from tests.infrastructure.redis import RedisServer
from tests.installation import WS
from tests.soak.cluster import CHANNEL, Cluster, Node
from tests.web import web_client

BROWSER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
FILL = """
mutation Fill($date: Date!, $status: AttendanceStatus!) {
  bulkUpdateAttendance(input: { date: $date, change: { fill: { status: $status, onlyUnmarked: false } } }) {
    errors { message }
  }
}
"""
DAY = "{ attendanceDay { date records { feedCursor } } }"
WATCH = "subscription ($after: String) { attendanceUpdated(after: $after) { status } }"


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as made:
        yield made


@pytest.fixture
async def cluster(
    collector: Collector, own_postgres: PostgresServer, own_redis: RedisServer, tmp_path: Path
) -> AsyncIterator[Cluster]:
    variables: dict[str, Any] = {
        "MEMBERSTAFF_TRACING": "true",
        "MEMBERSTAFF_POLL_SECONDS": "60",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "60000",  # what is to arrive is sent when the servers stop
        "OTEL_TRACES_SAMPLER": "parentbased_always_off",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
    }
    cluster = Cluster(own_postgres, own_redis, tmp_path, **variables)
    try:
        await cluster.begin(people=2)
        yield cluster
    finally:
        cluster.end()


async def ask(node: Node, cluster: Cluster, document: str, traceparent: str = "", **variables: Any) -> Any:
    headers = {"Authorization": f"Bearer {cluster.token}", "Traceparent": traceparent}
    async with web_client() as client:
        body = {"query": document, "variables": variables}
        answer = (await client.post(f"{node.http}/graphql", json=body, headers=headers)).json()
    assert "errors" not in answer, answer
    return answer["data"]


@pytest.mark.timeout(300)
async def test_a_trace_of_a_browser_goes_on_through_redis_to_the_board_of_another_server(
    cluster: Cluster, collector: Collector
) -> None:
    one, two = cluster.nodes
    day = (await ask(two, cluster, DAY))["attendanceDay"]
    async with websockets.connect(two.ws, subprotocols=[WS]) as connection:
        socket = Socket(connection)
        await socket.send(type="connection_init", payload={"authorization": f"Bearer {cluster.token}"})
        await socket.receive()
        await socket.subscribe("1", WATCH, after=day["records"]["feedCursor"])
        trace, browser = BROWSER
        for status, traceparent in (("PRESENT", ""), ("LATE", f"00-{trace}-{browser}-01")):
            await ask(one, cluster, FILL, traceparent, date=day["date"], status=status)
            for _ in range(2):
                assert await socket.change() == {"status": status}
    for node in (one, two):
        node.begin_to_stop()
        await node.ended()

    assert {span.trace for span in collector.spans} == {trace}  # nothing else was to be traced
    [request] = [span for span in collector.spans if span.name == "POST /graphql"]
    assert request.parent == browser
    [publish] = [span for span in collector.spans if span.name == f"publish {CHANNEL}"]
    here, there = request.instance, next(span.instance for span in collector.spans if span.name == "render")
    assert publish.instance == here != there
    heard = {span.instance: span for span in collector.spans if span.name == f"process {CHANNEL}"}
    assert heard.keys() == {here, there}
    assert {span.parent for span in heard.values()} == {publish.id}
    assert heard[there].attributes["messaging.system"] == "redis"
    [render] = [span for span in collector.spans if span.name == "render"]
    [send] = [span for span in collector.spans if span.name == "send"]
    assert (render.parent, render.instance) == (heard[there].id, there)
    assert (send.parent, send.instance) == (render.id, there)
    assert request.resource.items() >= {
        ("service.name", "memberstaff"),
        ("deployment.environment.name", "test"),
    }
