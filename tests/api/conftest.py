"""A whole installation: a served application, its accounts and its roster."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.clock import TurnedClock
from tests.installation import Installation, install


@pytest.fixture
async def installation(database_url: str, clock: TurnedClock) -> AsyncIterator[Installation]:
    """One server on one database, with an administrator, a marker, a viewer and four people."""
    async with install(database_url, clock=clock) as installed:
        yield installed


@pytest.fixture(params=["direct", "ordinary"])
async def on_any_path(
    database_url: str, clock: TurnedClock, request: pytest.FixtureRequest
) -> AsyncIterator[Installation]:
    """The same, once with events that groups write to sockets directly, and once on the ordinary ASGI path."""
    async with install(database_url, clock=clock, ordinary=request.param == "ordinary") as installed:
        yield installed
