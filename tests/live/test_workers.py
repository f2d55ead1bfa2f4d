"""Several processes behind one address behave as one, and stop as one while everybody is busy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import httpx2
import pytest
import websockets
from psutil import CONN_ESTABLISHED, Process
from sqlalchemy import select
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from memberstaff.attendance.cursor import Cursor
from memberstaff.db.tables import attendance_revision
from schema.ids import global_id
from tests.clock import TODAY
from tests.infrastructure.postgres import PostgresServer
from tests.infrastructure.redis import RedisServer
from tests.soak.clients import MARK, WATCH, ask, board
from tests.soak.cluster import Cluster, Node
from tests.web import web_client

DRAIN_SECONDS = 1


@pytest.fixture
async def cluster(own_postgres: PostgresServer, own_redis: RedisServer, tmp_path: Path) -> AsyncIterator[Cluster]:
    """One node of two workers; what their database says is a poll of a minute away, so they must hear each other."""
    settings = {"MEMBERSTAFF_POLL_SECONDS": "60", "MEMBERSTAFF_DRAIN_SECONDS": str(DRAIN_SECONDS)}
    cluster = Cluster(own_postgres, own_redis, tmp_path, nodes=1, workers=2, **settings)
    try:
        await cluster.begin(people=4)
        yield cluster
    finally:
        cluster.end()


@pytest.mark.timeout(300)
async def test_two_workers_behave_as_one_and_stop_as_one_under_load(cluster: Cluster) -> None:
    [node] = cluster.nodes
    start, _ = await board(cluster, 0, TODAY)
    boards = [await watching(cluster, start) for _ in range(4)]
    while min(sockets_of_workers(node)) < 2:  # the kernel gives a connection to whichever worker is free
        boards.append(await watching(cluster, start))

    acknowledged = [await mark(cluster, f"quiet {number}") for number in range(10)]
    async with asyncio.timeout(20):
        seen = await asyncio.gather(*(changes(socket, 10) for socket in boards))
    assert acknowledged == list(range(1, 11))
    assert seen == [acknowledged] * len(boards)

    busy = [asyncio.create_task(mark_until_refused(cluster, f"busy {writer}")) for writer in range(4)]
    async with asyncio.timeout(20):
        await changes(boards[0], 20)
    node.begin_to_stop()
    codes = await asyncio.gather(*map(closed_with, boards))
    acknowledged += [position for positions in await asyncio.gather(*busy) for position in positions]
    assert await node.ended() == 0
    assert "shutdown exceeded" not in node.log_tail()  # which uvicorn says when it has waited for somebody in vain
    assert set(codes) == {1012}
    with pytest.raises(httpx2.ConnectError):
        await board(cluster, 0, TODAY)
    kept = await positions(cluster)
    assert kept == list(range(1, len(kept) + 1))
    assert set(acknowledged) <= set(kept)
    assert len(kept) - len(acknowledged) <= len(busy)  # a writer may lose its last answer, never its mark


def sockets_of_workers(node: Node) -> list[int]:
    """How many connections each worker process holds to clients, as the kernel sees it."""
    workers = [child for child in Process(node.pid).children() if "resource_tracker" not in " ".join(child.cmdline())]
    return [
        sum(each.status == CONN_ESTABLISHED and each.laddr.port == node.port for each in worker.net_connections("tcp"))
        for worker in workers
    ]


async def watching(cluster: Cluster, after: str) -> ClientConnection:
    socket = await websockets.connect(
        cluster.nodes[0].ws, subprotocols=[websockets.Subprotocol("graphql-transport-ws")], compression=None
    )
    token = {"authorization": f"Bearer {cluster.token}"}
    await socket.send(json.dumps({"type": "connection_init", "payload": token}))
    assert json.loads(await socket.recv())["type"] == "connection_ack"
    payload = {"query": WATCH, "variables": {"date": TODAY, "after": after}}
    await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
    return socket


async def changes(socket: ClientConnection, number: int) -> list[int]:
    """The positions of the next changes."""
    seen = []
    for _ in range(number):
        message = json.loads(await socket.recv())
        seen.append(Cursor.parse(message["payload"]["data"]["attendanceUpdated"]["feedCursor"]).position)
    return seen


async def closed_with(socket: ClientConnection) -> int:
    """The code with which the server closes a socket, whatever comes before."""
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await socket.recv()
    return closed.value.rcvd.code if closed.value.rcvd else 1006


async def mark(cluster: Cluster, note: str) -> int:
    """The position of a mark that was acknowledged."""
    target = {"staffDate": {"staffId": global_id("Staff", 1), "date": TODAY}}
    async with web_client(timeout=15) as client:
        data = await ask(client, cluster, 0, MARK, input={"target": target, "status": "LATE", "note": note})
    return Cursor.parse(data["updateAttendance"]["attendance"]["feedCursor"]).position


async def mark_until_refused(cluster: Cluster, name: str) -> list[int]:
    """Mark as fast as it goes until the server takes no more connections."""
    acknowledged = []
    for number in count():
        try:
            acknowledged.append(await mark(cluster, f"{name} {number}"))
        except httpx2.TransportError:
            return acknowledged
    return acknowledged


async def positions(cluster: Cluster) -> list[int]:
    database = cluster.database()
    try:
        async with database.read() as reading:
            found = await reading.rows(select(attendance_revision.c.position).order_by("position"))
    finally:
        await database.close()
    return [row.position for row in found]
