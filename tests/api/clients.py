"""Clients for the tests of the transports: they say what a test wants, right or wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.api.toy import ToyHost, toy
from tests.serving import Address, serving
from tests.web import web_client

GRAPHQL = "application/graphql-response+json"
PROTOCOL = Subprotocol("graphql-transport-ws")
INIT: dict[str, Any] = {"type": "connection_init", "payload": {"authorization": "Bearer amina-token"}}
SECONDS = 30
"""How long a test waits for what must happen."""


@asynccontextmanager
async def api(**changes: Any) -> AsyncIterator[tuple[httpx.AsyncClient, ToyHost]]:
    """The application without a server: for what the application alone decides."""
    app, host = toy(**changes)
    async with web_client(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client, host


@asynccontextmanager
async def http_served(**changes: Any) -> AsyncIterator[tuple[httpx.AsyncClient, ToyHost]]:
    app, host = toy(**changes)
    async with serving(app, host.settings) as address, web_client(base_url=address.http) as client:
        yield client, host


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that says nothing of itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def raw(address: Address, *pieces: bytes) -> tuple[int, bytes]:
    """Send bytes as they are; the answer's status and everything that came back."""
    async with connected(address) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in answer.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        answer += await reader.readexactly(length)
    return int(answer.split()[1]), answer


class Client:
    """A client that says exactly what a test wants it to say."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, *messages: Any) -> None:
        for message in messages:
            await self.socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def hear(self) -> Any:
        return json.loads(await asyncio.wait_for(self.socket.recv(), SECONDS))

    async def begin(self) -> Client:
        await self.say(INIT)
        assert await self.hear() == {"type": "connection_ack"}
        return self

    async def subscribe(self, operation_id: str, query: str, **rest: Any) -> None:
        await self.say({"type": "subscribe", "id": operation_id, "payload": {"query": query, **rest}})

    async def closing(self) -> tuple[int, str]:
        """The code and reason with which the server closes, whatever it says before."""
        try:
            while True:
                await asyncio.wait_for(self.socket.recv(), SECONDS)
        except ConnectionClosed as closed:
            how = closed.rcvd
        return (how.code, how.reason) if how else (1006, "the connection was dropped")


@asynccontextmanager
async def client(address: Address, **options: Any) -> AsyncIterator[Client]:
    options.setdefault("subprotocols", [PROTOCOL])
    options.setdefault("uri", f"{address.ws}/graphql")
    async with connect(compression=None, **options) as socket:
        yield Client(socket)


@asynccontextmanager
async def socket_served(**changes: Any) -> AsyncIterator[tuple[Client, ToyHost]]:
    app, host = toy(**changes)
    async with serving(app, host.settings) as address, client(address) as one:
        yield one, host
