"""Databases whose clock the tests turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from memberstaff.db.work import Database
from tests.clock import TurnedClock
from tests.databases import UTC_ZONE


@pytest.fixture
async def database(database_url: str, clock: TurnedClock) -> AsyncIterator[Database]:
    """A migrated, empty database whose instants are the test's clock's."""
    opened = Database(database_url, zone=UTC_ZONE, clock=clock)
    yield opened
    await opened.close()
