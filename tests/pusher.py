"""A client of the Pusher protocol for tests: what pusher-js does, a message at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import websockets
from websockets.asyncio.client import ClientConnection

from memberstaff.access import Role
from tests.installation import Installation
from tests.waiting import WAIT_SECONDS

KEY = "school"


@dataclass
class EchoClient:
    """One connection."""

    installation: Installation
    connection: ClientConnection
    socket_id: str

    async def send(self, event: str, data: Any) -> None:
        """One message."""
        await self.connection.send(json.dumps({"event": event, "data": data}))

    async def hear(self) -> dict[str, Any]:
        """The next message, with its data read."""
        async with asyncio.timeout(WAIT_SECONDS):
            message: dict[str, Any] = json.loads(await self.connection.recv())
        if isinstance(message.get("data"), str):
            message["data"] = json.loads(message["data"])
        return message

    async def closing(self) -> tuple[int, str]:
        """Code and reason of the close that must come."""
        async with asyncio.timeout(WAIT_SECONDS):
            await self.connection.wait_closed()
        return self.connection.close_code or 0, self.connection.close_reason or ""

    async def subscribe(self, channel: str, role: Role | None = None, **fields: str) -> dict[str, Any]:
        """Subscribe, authorised for an account with this role, and answer the answer."""
        auth: dict[str, Any] = {}
        if role is not None:
            response = await authorise(self.installation, role, self.socket_id, channel, **fields)
            assert response.status_code == 200, response.text
            auth = response.json()
        await self.send("pusher:subscribe", {"channel": channel, **auth})
        return await self.hear()

    async def joined(self, channel: str, role: Role | None = None, **fields: str) -> None:
        """Subscribe, which must succeed."""
        answer = await self.subscribe(channel, role, **fields)
        assert answer["event"] == "pusher_internal:subscription_succeeded", answer

    async def change(self) -> dict[str, Any]:
        """The data of the change that must come next."""
        message = await self.hear()
        assert message["event"] == "attendance.updated", message
        data: dict[str, Any] = message["data"]
        return data


async def authorise(
    installation: Installation, role: Role, socket_id: str, channel: str, **fields: str
) -> httpx2.Response:
    """What /broadcasting/auth answers."""
    return await installation.http.post(
        "/broadcasting/auth",
        data={"socket_id": socket_id, "channel_name": channel, **fields},
        headers={"Authorization": f"Bearer {installation.tokens[role]}"},
    )


@asynccontextmanager
async def echo(installation: Installation, *, key: str = KEY, query: str = "protocol=7") -> AsyncIterator[EchoClient]:
    """A connection that is established."""
    async with websockets.connect(f"{installation.address.ws}/app/{key}?{query}") as connection:
        client = EchoClient(installation, connection, "")
        message = await client.hear()
        assert message["event"] == "pusher:connection_established"
        client.socket_id = message["data"]["socket_id"]
        yield client
