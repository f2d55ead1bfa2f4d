"""Hundreds of boards come back at once after a restart, and are served without an error."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest
import websockets
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from schema.ids import global_id
from tests.clock import TODAY
from tests.infrastructure.postgres import PostgresServer
from tests.infrastructure.redis import RedisServer
from tests.soak.clients import MARK, WATCH, ask, board
from tests.soak.cluster import Cluster
from tests.web import web_client

BOARDS = 600
"""More than there are connections to the database, or sessions that are looked up in a statement, by far."""


class Board:
    """A client that does what ours do: it comes back after 1012, and after 1013 when it is asked to, at its cursor."""

    def __init__(self, cluster: Cluster, cursor: str) -> None:
        self.cluster = cluster
        self.cursor = cursor
        self.seen: list[str] = []
        self.closes: list[int] = []
        self.following = asyncio.Event()

    async def run(self) -> None:
        """Follow the day until cancelled."""
        while True:
            try:
                socket = await websockets.connect(
                    self.cluster.nodes[0].ws,
                    subprotocols=[websockets.Subprotocol("graphql-transport-ws")],
                    compression=None,
                    open_timeout=60,
                    ping_interval=None,
                )
            except ConnectionRefusedError:  # the server is not back yet
                await asyncio.sleep(random.uniform(0.5, 3))
                continue
            try:
                await self.follow(socket)
            except ConnectionClosed as closed:
                self.following.clear()
                code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
                self.closes.append(code)
                if code == 1013:  # on a machine that is slower than a queue of ten seconds
                    await asyncio.sleep(float(reason.rpartition("Retry-After: ")[2]))

    async def follow(self, socket: ClientConnection) -> None:
        """Subscribe from the cursor, and take what comes."""
        token = {"authorization": f"Bearer {self.cluster.token}"}
        await socket.send(json.dumps({"type": "connection_init", "payload": token}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        payload = {"query": WATCH, "variables": {"date": TODAY, "after": self.cursor}}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        self.following.set()
        while True:
            message = json.loads(await socket.recv())
            assert message["type"] == "next", message
            record = message["payload"]["data"]["attendanceUpdated"]
            self.seen.append(record["note"])
            self.cursor = record["feedCursor"]


async def mark(cluster: Cluster, note: str) -> None:
    target = {"staffDate": {"staffId": global_id("Staff", 1), "date": TODAY}}
    async with web_client(timeout=30) as client:
        await ask(client, cluster, 0, MARK, input={"target": target, "status": "LATE", "note": note})


@pytest.mark.timeout(300)
async def test_all_boards_come_back_after_a_restart_and_miss_nothing(
    own_postgres: PostgresServer, own_redis: RedisServer, tmp_path: Path
) -> None:
    cluster = Cluster(
        *(own_postgres, own_redis, tmp_path),
        nodes=1,
        MEMBERSTAFF_MAX_SOCKETS_PER_ACCOUNT=str(BOARDS),
        MEMBERSTAFF_DRAIN_SECONDS="1",  # not 5: all of them are sent away almost at once
    )
    await cluster.begin(people=1)
    cursor, _ = await board(cluster, 0, TODAY)
    boards = [Board(cluster, cursor) for _ in range(BOARDS)]
    running = [asyncio.create_task(each.run()) for each in boards]
    try:
        await seen_by_all(boards, running)
        await mark(cluster, "before")
        await seen_by_all(boards, running, "before")
        await asyncio.to_thread(cluster.nodes[0].stop)
        cluster.nodes[0].start()
        await cluster.nodes[0].ready()
        await mark(cluster, "while they come back")
        await seen_by_all(boards, running, "before", "while they come back")
        assert {tuple(code for code in each.closes if code != 1013) for each in boards} == {(1012,)}
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        cluster.end()


async def seen_by_all(boards: list[Board], running: list[asyncio.Task[None]], *notes: str) -> None:
    """Wait until every board follows the day and has seen exactly these."""
    async with asyncio.timeout(120):
        while not all(each.following.is_set() and each.seen == [*notes] for each in boards):
            for task in running:
                if task.done():
                    task.result()
            await asyncio.sleep(0.1)
