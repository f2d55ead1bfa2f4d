"""What strangers and bad clients do: write junk on Redis, and subscribe without ever reading."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import redis.asyncio

from tests.raw_sockets import frame, raw_socket
from tests.soak.cluster import CHANNEL, Cluster, Node

HUGE = 2_000_000
"""Bytes of the largest message."""
RECORDED = 5
"""Messages of the servers that are kept, to be sent again."""
READERS = 5
"""On each server and over each transport."""
PAUSE = 0.01


async def write_junk(cluster: Cluster, seconds: float) -> int:
    """Junk, forgeries and repeated messages on the servers' channel, and wrong leases of presence; answers how many.

    A message that nobody received is not counted.
    """
    received = 0
    async with redis.asyncio.Redis.from_url(cluster.redis.url) as client, client.pubsub() as listener:
        await listener.subscribe(CHANNEL)
        recorded: list[bytes] = []
        while len(recorded) < RECORDED:
            message = await listener.get_message(ignore_subscribe_messages=True, timeout=1)
            if message is not None:
                recorded.append(message["data"])
        await listener.unsubscribe()
        nodes = f"{CHANNEL}:presence:nodes"
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            received += bool(await client.publish(CHANNEL, _junk(recorded)))
            lease = f"{CHANNEL}:presence:{random.randrange(20)}"
            await client.set(lease, _junk(recorded)[:2_000], ex=10)
            await client.sadd(nodes, lease, random.randbytes(8))
            await client.publish(f"{CHANNEL}:presence", random.randbytes(8))
            await asyncio.sleep(PAUSE)
        await client.delete(nodes)
        await client.set(nodes, "no set", ex=1)
    return received


def _junk(recorded: list[bytes]) -> bytes:
    """A message that is none: random, not UTF-8, huge, in clear, old, or almost right."""
    old = random.choice(recorded)
    middle = random.randrange(len(old))
    return random.choice(
        [
            b"",
            random.randbytes(random.randrange(1, 2_000)),
            b"\xff\xfe" * 10,
            b"A" * random.choice([100, 10_000, HUGE]),
            json.dumps({"epoch": "x", "changes": [{"position": 2**70}]}).encode(),
            old,
            old,
            old[:middle],
            old[:middle] + b"A" + old[middle + 1 :],
        ]
    )


@asynccontextmanager
async def not_reading(cluster: Cluster, document: str, day: str) -> AsyncIterator[list[socket.socket]]:
    """Clients that have subscribed to a day, and read nothing of what they are sent."""
    body = {"query": document, "variables": {"date": day}}
    async with AsyncExitStack() as stack:
        clients = []
        for node in cluster.nodes:
            for _ in range(READERS):
                with suppress(OSError):  # the server may be short of something; then there are fewer
                    clients.append(await _websocket(node, cluster.token, body))
                    clients.append(await _event_stream(node, cluster.token, body))
        for client in clients:
            stack.callback(client.close)
        yield clients


async def _websocket(node: Node, token: str, body: object) -> socket.socket:
    client = await raw_socket(node)
    begin = {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}
    for message in (begin, {"id": "1", "type": "subscribe", "payload": body}):
        await asyncio.get_running_loop().sock_sendall(client, frame(message))
    return client


async def _event_stream(node: Node, token: str, body: object) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", node.port))
    text = json.dumps(body).encode()
    lines = ["POST /graphql HTTP/1.1", "Host: 127.0.0.1", "Accept: text/event-stream", "Content-Type: application/json"]
    lines += [f"Authorization: Bearer {token}", f"Content-Length: {len(text)}", "", ""]
    await loop.sock_sendall(client, "\r\n".join(lines).encode() + text)
    return client
