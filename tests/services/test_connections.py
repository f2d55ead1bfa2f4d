"""What happens to the database's connections when an operation ends before its statements do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import InvalidRequestError

from memberstaff.db.database import Database
from tests.databases import UTC_ZONE, Databases

SLOW = text("SELECT 7 FROM pg_sleep(0.2)")


@pytest.fixture
async def narrow(databases: Databases) -> AsyncIterator[Database]:
    """A PostgreSQL database with one connection: whatever happens to it, the next one who reads will notice."""
    async with databases.fresh("postgresql") as url:
        database = Database(url, zone=UTC_ZONE, pool_size=1)
        yield database
        await database.close()


@pytest.mark.parametrize("way", ["read", "write"])
async def test_a_reading_ends_after_the_statement_that_is_under_way(narrow: Database, way: str) -> None:
    begun = asyncio.Event()
    async with getattr(narrow, way)() as reading:
        assert await reading.scalar(text("SELECT 6")) == 6  # the transaction has begun
        event.listen(narrow.engine.sync_engine, "before_cursor_execute", lambda *_: begun.set())
        under_way = asyncio.create_task(reading.scalar(SLOW))
        await begun.wait()
        late = asyncio.create_task(reading.scalar(text("SELECT 8")))
    assert await under_way == 7
    with pytest.raises(InvalidRequestError, match="has ended"):
        await late
    async with narrow.read() as reading:
        assert await reading.scalar(text("SELECT 9")) == 9


async def test_a_connection_that_comes_back_in_the_midst_of_a_transaction_is_thrown_away(narrow: Database) -> None:
    async with narrow.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None
        await raw.driver_connection.execute("BEGIN")
    for _ in range(2):
        async with narrow.read() as reading:
            assert await reading.scalar(text("SELECT 9")) == 9
