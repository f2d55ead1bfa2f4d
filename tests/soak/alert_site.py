"""The servers and boards that `./dev drill alerts` breaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx2
import websockets

from tests.infrastructure.redis import RedisServer
from tests.infrastructure.replication import ReplicatedPostgres
from tests.installation import WS
from tests.soak.cluster import Cluster, Node
from tests.web import web_client

ANSWER_SECONDS = 3
"""MEMBERSTAFF_DATABASE_SECONDS: a lock is waited for four fifths of it."""
BOARDS = 6
"""Of each server, so that each of its workers has some."""

FILL = """
mutation ($date: Date!, $status: AttendanceStatus!) {
  bulkUpdateAttendance(input: { date: $date, change: { fill: { status: $status, onlyUnmarked: false } } }) {
    errors { message }
  }
}
"""
WATCH = "subscription { attendanceUpdated { status staff { name } } }"
DAY = "{ attendanceDay { date records(first: 1) { totalCount } } }"


@dataclass
class Site:
    """What is broken."""

    cluster: Cluster
    postgres: ReplicatedPostgres
    redis: RedisServer
    date: str = ""
    _marks: int = 0

    @asynccontextmanager
    async def boards(self) -> AsyncIterator[Site]:
        """Boards are open at each server, and come back whatever happens."""
        self.date = (await self.ask(self.cluster.nodes[0], DAY))["data"]["attendanceDay"]["date"]
        following = [asyncio.create_task(self._board(node)) for node in self.cluster.nodes for _ in range(BOARDS)]
        try:
            yield self
        finally:
            for each in following:
                each.cancel()
            await asyncio.gather(*following, return_exceptions=True)

    async def _board(self, node: Node) -> None:
        while True:
            with suppress(OSError, TimeoutError, websockets.WebSocketException):
                async with websockets.connect(node.ws, subprotocols=[WS]) as connection:
                    login = {"authorization": f"Bearer {self.cluster.token}"}
                    await connection.send(json.dumps({"type": "connection_init", "payload": login}))
                    await connection.recv()
                    await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": WATCH}}))
                    while json.loads(await connection.recv())["type"] not in {"error", "complete"}:
                        pass
            await asyncio.sleep(0.2)

    async def ask(self, node: Node, document: str, *, login: bool = True, **variables: Any) -> dict[str, Any]:
        """The whole answer, by a connection of its own, and so perhaps of another worker; {} without one."""
        headers = {"Authorization": f"Bearer {self.cluster.token}"} if login else {}
        try:
            async with web_client(timeout=10 * ANSWER_SECONDS) as client:
                body = {"query": document, "variables": variables}
                answer: dict[str, Any] = (await client.post(f"{node.http}/graphql", json=body, headers=headers)).json()
                return answer
        except (httpx2.HTTPError, ValueError):
            return {}

    async def mark(self) -> None:
        """Mark everybody, at one server after the other, whether or not it works."""
        self._marks += 1
        status = ("PRESENT", "LATE")[self._marks // 2 % 2]
        await self.ask(self.cluster.nodes[self._marks % 2], FILL, date=self.date, status=status)

    @asynccontextmanager
    async def repeating(self, action: Callable[[], Any], pause: float = 0.2) -> AsyncIterator[None]:
        """Do it again and again for as long as the block lasts."""

        async def repeat() -> None:
            while True:
                await action()
                await asyncio.sleep(pause)

        task = asyncio.create_task(repeat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.result()

    @asynccontextmanager
    async def edited(self, change: str, back: str) -> AsyncIterator[None]:
        """Somebody has changed the database by hand."""
        async with self.cluster.connection() as connection:
            await connection.execute(change)
        try:
            yield
        finally:
            async with self.cluster.connection() as connection:
                await connection.execute(back)
