"""Two servers of an installation, for front ends that use Laravel Echo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from tests.infrastructure.redis import Redis
from tests.installation import Installation, install
from tests.pusher import KEY
from tests.waiting import until


@asynccontextmanager
async def two_servers(furnished_url: str, redis: Redis, **changes: Any) -> AsyncIterator[list[Installation]]:
    changes = {"broadcast_url": redis.url, "broadcast_channel": uuid4().hex, "echo_key": KEY, **changes}
    async with (
        install(furnished_url, **changes) as one,
        install(furnished_url, furnish=False, **changes) as other,
    ):
        await until(lambda: one.application.notifier.subscribed and other.application.notifier.subscribed)
        other.staff = one.staff
        yield [one, other]
