"""A server that can be killed, and another of the same installation on which marks are made meanwhile."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from memberstaff.db.clock import utc_now
from tests.clock import TODAY
from tests.infrastructure.redis import Redis
from tests.installation import SECRET, Installation, install
from tests.soak.cluster import Node


@dataclass
class Killable:
    """Both of them."""

    server: Node
    """In a process of its own."""
    other: Installation

    async def mark(self, name: str, status: str) -> None:
        """A mark of today that is acknowledged, whether or not the server is there."""
        assert (await self.other.admin.mark(self.other.staff[name], TODAY, status=status))["errors"] == []


@asynccontextmanager
async def killable(folder: Path, database_url: str, redis: Redis, **changes: Any) -> AsyncIterator[Killable]:
    """Both, on one database and one channel; `changes` are settings."""
    shared = {"broadcast_url": redis.url, "broadcast_channel": uuid4().hex, "logins_per_minute": 100, **changes}
    settings = {"database_url": database_url, "secret_key": SECRET, **shared}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMBERSTAFF_")}
    environment |= {f"MEMBERSTAFF_{name.upper()}": str(value) for name, value in settings.items()}
    server = Node("server", environment, folder)
    async with install(database_url, clock=utc_now, **shared) as other:  # a process can have no other clock than this
        server.start()
        try:
            await server.ready()
            yield Killable(server, other)
        finally:
            server.stop()
