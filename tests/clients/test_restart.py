"""The server process is killed and started again: every client goes on where it was, and sees each change once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from memberstaff.db.clock import utc_now
from tests.clients.follower import following
from tests.clients.program import playing
from tests.clock import TODAY
from tests.infrastructure.redis import Redis
from tests.installation import SECRET, install
from tests.soak.cluster import Node

CLIENTS = ["apollo-websocket", "apollo-multipart", "urql-websocket", "urql-events", "graphql-ws", "graphql-sse"]


async def test_every_client_resumes_after_the_server_was_killed(
    workshop: Path, database_url: str, redis_server: Redis, tmp_path: Path
) -> None:
    shared: dict[str, Any] = {
        "broadcast_url": redis_server.url,
        "broadcast_channel": uuid4().hex,
        "logins_per_minute": 100,
    }
    async with (
        install(database_url, clock=utc_now, **shared) as other,  # where marks are made meanwhile
        killable(tmp_path, database_url=database_url, secret_key=SECRET, **shared) as server,
        playing(workshop, server.http, TODAY, *CLIENTS) as program,
        following(server.http, TODAY) as python,
    ):

        async def mark(name: str, status: str) -> None:
            assert (await other.admin.mark(other.staff[name], TODAY, status=status))["errors"] == []

        async def heard(change: str) -> None:
            await program.hear("change", change, *CLIENTS)
            await python.hear(change)

        await program.tell("show")
        await program.hear("done", "show", *CLIENTS)
        await program.tell("watch")
        await mark("Amina", "PRESENT")
        await heard("Amina PRESENT")
        server.kill()
        await mark("Björn", "LATE")
        await mark("Chloé", "ABSENT")
        server.start()
        await heard("Chloé ABSENT")
        await mark("Amina", "REMOTE")
        await heard("Amina REMOTE")
        once = ["Amina PRESENT", "Björn LATE", "Chloé ABSENT", "Amina REMOTE"]
        seen = {client: program.said[client]["change"] for client in CLIENTS}
        assert {**seen, "python": python.seen} == dict.fromkeys([*CLIENTS, "python"], once)


@asynccontextmanager
async def killable(folder: Path, **settings: Any) -> AsyncIterator[Node]:
    """A server in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMBERSTAFF_")}
    environment |= {f"MEMBERSTAFF_{name.upper()}": str(value) for name, value in settings.items()}
    node = Node("server", environment, folder)
    node.start()
    try:
        await node.ready()
        yield node
    finally:
        node.stop()
