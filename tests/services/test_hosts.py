"""Several hosts in one address: the one that accepts changes is found, whatever the others do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
from sqlalchemy import make_url, text

from memberstaff.db.database import Database
from memberstaff.db.hosts import NoPrimary
from memberstaff.errors import Unavailable
from tests.databases import UTC_ZONE, connected
from tests.infrastructure.process import free_port

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])


@dataclass
class Silent:
    """A host that accepts connections, and never says anything."""

    port: int
    asked: int = 0


@asynccontextmanager
async def silent_host() -> AsyncIterator[Silent]:
    ended = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host.asked += 1
        await ended.wait()
        writer.transport.abort()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        host = Silent(server.sockets[0].getsockname()[1])
        yield host
        ended.set()


def hosts(url: str, *others: int) -> str:
    """The address of a database, after these ports of this machine."""
    address = make_url(url)
    names = [*(f"127.0.0.1:{port}" for port in others), f"{address.query['host']}:{address.port or 5432}"]
    return address.set(host=None, port=None, query={"host": names}).render_as_string(hide_password=False)


@asynccontextmanager
async def process(url: str, *, connections: int = 1) -> AsyncIterator[Database]:
    database = Database(url, zone=UTC_ZONE, answer_seconds=2, pool_size=connections)
    yield database
    await database.close()


async def test_a_host_that_refuses_is_passed_over(database_url: str) -> None:
    async with process(hosts(database_url, free_port())) as database, database.read() as reading:
        assert await reading.scalar(text("SELECT 7")) == 7


async def test_a_host_that_says_nothing_has_its_share_of_the_time_and_is_asked_last_from_then_on(
    database_url: str,
) -> None:
    async with silent_host() as silent, process(hosts(database_url, silent.port), connections=3) as database:
        async with database.read(), database.read(), database.read() as reading:
            assert await reading.scalar(text("SELECT 7")) == 7
        assert silent.asked == 1


async def test_a_host_that_accepts_no_changes_is_none(database_url: str) -> None:
    role = f"test_{uuid4().hex}"
    async with connected(database_url) as owner:
        await owner.execute(f"CREATE ROLE {role} LOGIN")
        try:
            await owner.execute(f"ALTER ROLE {role} SET default_transaction_read_only = on")
            port = free_port()
            url = make_url(hosts(database_url, port)).set(username=role).render_as_string(hide_password=False)
            async with process(url) as database:
                with pytest.raises(Unavailable) as unavailable:
                    async with database.read():
                        pass
        finally:
            await owner.execute(f"DROP ROLE {role}")
    reason = unavailable.value.__cause__
    assert isinstance(reason, NoPrimary)
    socket = make_url(database_url).query["host"]
    refused, read_only = str(reason).split("; ")
    assert refused.startswith(f"127.0.0.1:{port}: ")
    assert read_only == f"{socket}:5432: accepts no changes"
