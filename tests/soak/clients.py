"""Writers and watchers: what front ends do, recorded."""

from __future__ import annotations

import asyncio
import json
import random
from itertools import count
from typing import Any

import httpx2
import websockets
from websockets.exceptions import WebSocketException

from memberstaff.attendance.cursor import Cursor
from tests.soak.cluster import Cluster
from tests.soak.history import Entry, History, Watcher

STATUSES = ("PRESENT", "LATE", "ABSENT", "REMOTE", "HALF_DAY")
MARK = """mutation ($input: UpdateAttendanceInput!) {
  updateAttendance(input: $input) { attendance { feedCursor } errors { code } } }"""
BOARD = """query ($date: Date!) { attendanceDay(date: $date) {
  records(first: 1000) { feedCursor edges { node { staffId status version } } } } }"""
WATCH = """subscription ($date: Date!, $after: String) {
  attendanceUpdated(date: $date, after: $after) { staffId status version note feedCursor } }"""
RESTART_SECONDS = 5.0
"""How long a client stays away at most after its connection broke."""


async def ask(client: httpx2.AsyncClient, cluster: Cluster, node: int, document: str, **variables: Any) -> Any:
    """The data of an answer; raises what httpx raises, and ValueError for an answer with errors."""
    headers = {"Authorization": f"Bearer {cluster.token}"}
    body = {"query": document, "variables": variables}
    response = await client.post(f"{cluster.nodes[node].http}/graphql", json=body, headers=headers)
    answer = response.json()
    if "errors" in answer:
        raise ValueError(answer["errors"][0]["message"])
    return answer["data"]


async def mark(
    client: httpx2.AsyncClient, cluster: Cluster, history: History, node: int, token: str, day: str, staff: str
) -> bool:
    """Mark a person, with a token of the mark's own; answers whether it was acknowledged."""
    target = {"staffDate": {"staffId": staff, "date": day}}
    history.unknown.add(token)
    try:
        change = {"target": target, "status": random.choice(STATUSES), "note": token}
        data = await ask(client, cluster, node, MARK, input=change)
    except (httpx2.HTTPError, ValueError):
        return False
    payload = data["updateAttendance"]
    assert payload["errors"] == [], payload
    history.unknown.discard(token)
    history.acknowledged[token] = (day, Cursor.parse(payload["attendance"]["feedCursor"]).position)
    return True


async def write(cluster: Cluster, history: History, name: str, days: list[str], staff: list[str], pace: float) -> None:
    """Mark people for ever; a mark that was not acknowledged is not sent again."""
    async with httpx2.AsyncClient(timeout=15) as client:
        for number in count():
            target = random.choice(days), random.choice(staff)
            if await mark(client, cluster, history, random.randrange(2), f"{name}-{number}", *target):
                await asyncio.sleep(random.uniform(0, 2 * pace))
            else:
                await asyncio.sleep(0.1)


async def board(cluster: Cluster, node: int, day: str) -> tuple[str, dict[str, tuple[str, int]]]:
    """The feed's cursor and everybody's status and version, in one snapshot."""
    async with httpx2.AsyncClient(timeout=15) as client:
        data = await ask(client, cluster, node, BOARD, date=day)
    records = data["attendanceDay"]["records"]
    people = {edge["node"]["staffId"]: edge["node"] for edge in records["edges"]}
    return records["feedCursor"], {who: (record["status"], record["version"]) for who, record in people.items()}


async def watch(cluster: Cluster, history: History, name: str, day: str, *, slow: float, restless: float) -> None:
    """Query a day and follow it for ever, resuming from the last event after each break.

    `slow`: seconds that it takes for an event at most; `restless`: seconds after which it reconnects by itself.
    """
    cursor, records = await board(cluster, random.randrange(2), day)
    watcher = Watcher(name, day, Cursor.parse(cursor).position, records)
    history.watchers.append(watcher)
    while True:
        try:
            async with asyncio.timeout(restless * random.uniform(0.5, 1.5) if restless else None):
                cursor = await _follow(cluster, watcher, cursor, slow)
        except (OSError, TimeoutError, WebSocketException):
            pass
        if watcher.seen:
            cursor = _cursor(cursor, watcher.seen[-1].position)
        await asyncio.sleep(random.uniform(0, 0.5))


def _cursor(like: str, position: int) -> str:
    parsed = Cursor.parse(like)
    return str(Cursor(parsed.epoch, parsed.date, position))


async def _follow(cluster: Cluster, watcher: Watcher, after: str, slow: float) -> str:
    node = random.choice(cluster.nodes)
    async with websockets.connect(
        node.ws, subprotocols=[websockets.Subprotocol("graphql-transport-ws")], max_queue=4, open_timeout=5
    ) as socket:
        await socket.send(
            json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {cluster.token}"}})
        )
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        variables = {"date": watcher.day, "after": after}
        payload = {"query": WATCH, "variables": variables}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        watcher.connections += 1
        while True:
            message = json.loads(await socket.recv())
            if message["type"] != "next":
                code = message["payload"][0]["extensions"]["code"]
                assert code != "RESTART_REQUIRED", f"{watcher.name} was sent back to the start"
                await asyncio.sleep(0.2)
                return after
            record = message["payload"]["data"]["attendanceUpdated"]
            position = Cursor.parse(record["feedCursor"]).position
            watcher.seen.append(Entry(position, record["staffId"], record["version"], record["status"], record["note"]))
            after = record["feedCursor"]
            if slow:
                await asyncio.sleep(random.uniform(0, slow))
