"""Migrated databases for tests: migrated and furnished once, then copied, and emptied for the next test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copy
from typing import Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
from sqlalchemy import make_url

from memberstaff.db.database import Database
from memberstaff.db.migrate import migrate
from memberstaff.db.tables import metadata
from tests.infrastructure.postgres import Postgres

Engine = Literal["sqlite", "postgresql"]
Furnish = Callable[[str], Awaitable[None]]
"""Puts into the empty database at an address what tests begin with."""
UTC_ZONE = ZoneInfo("UTC")

LARGEST_KEPT = 12_000_000
"""Bytes; a database of PostgreSQL has eight million when it is new. One that has grown is not used again."""

EMPTIED = "; ".join(
    [f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)]
    + ["SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"]
)


class Databases:
    """Hands out databases of either engine, each for one test.

    To copy a database of PostgreSQL costs 60 to 160 ms of processor time, as much as most tests that use one; so what
    a test gives back is emptied, which takes three, and used again. What `furnish` puts in is kept, too: it is called
    once for each engine.
    """

    def __init__(self, folder: Path, postgres: Postgres) -> None:
        self._folder = folder
        self._postgres = postgres
        self._files: dict[Furnish | None, Path] = {}
        """Of SQLite, to be copied."""
        self._template: str | None = None
        """Of PostgreSQL, without furniture."""
        self._contents: dict[Furnish | None, str] = {}
        """Of PostgreSQL: the SQL that fills an emptied one."""
        self._given_back: list[str] = []

    def close(self) -> None:
        """Remove what is left on the server, which may be one that stays."""
        for url in (*self._given_back, *filter(None, [self._template])):
            self._postgres.drop_database(url)

    @asynccontextmanager
    async def fresh(self, engine: Engine, furnish: Furnish | None = None) -> AsyncIterator[str]:
        """The address of a migrated database with nothing in it but what `furnish` puts there; gone at the end."""
        if engine == "sqlite":
            file = self._new_file()
            copy(self._files.get(furnish) or await self._make_file(furnish), file)
            yield address_of(file)
            self._remove(file)
        else:
            url = await self._filled(furnish)
            yield url
            self._given_back.append(url)

    async def _make_file(self, furnish: Furnish | None) -> Path:
        file = self._new_file()
        if furnish is None:
            await _migrate(address_of(file))
        else:
            copy(self._files.get(None) or await self._make_file(None), file)
            await furnish(address_of(file))
        self._files[furnish] = file
        return file

    async def _filled(self, furnish: Furnish | None) -> str:
        """A database of PostgreSQL: one that was given back, as new but for its name, if there is one."""
        if self._template is None:
            self._template = self._postgres.create_database()
            await _migrate(self._template)
            self._contents[None] = await _contents(self._template)
        if furnish is not None and furnish not in self._contents:
            made = self._postgres.create_database(template=self._template)
            await furnish(made)
            self._contents[furnish] = await _contents(made)
            return made
        while self._given_back:
            url = self._given_back.pop()
            if await _refill(url, self._contents[furnish]):
                return url
            self._postgres.drop_database(url)
        url = self._postgres.create_database(template=self._template)
        if furnish is not None:
            await _refill(url, self._contents[furnish])
        return url

    @asynccontextmanager
    async def empty(self, engine: Engine) -> AsyncIterator[str]:
        """The address of a database without any table, gone when the block ends."""
        if engine == "sqlite":
            file = self._new_file()
            yield address_of(file)
            self._remove(file)
        else:
            url = self._postgres.create_database()
            yield url
            self._postgres.drop_database(url)

    def _new_file(self) -> Path:
        return self._folder / f"{uuid4().hex}.db"

    def _remove(self, file: Path) -> None:
        for left in self._folder.glob(f"{file.name}*"):
            left.unlink()


def address_of(file: Path) -> str:
    """Of a database of SQLite."""
    return f"sqlite+aiosqlite:///{file}"


OTHERS_ENDED = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
"""Ends whatever a test has left behind; answers how many there still were."""


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database of PostgreSQL, past the application."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(address)
    try:
        yield connection
    finally:
        await connection.close()


async def _migrate(url: str) -> None:
    database = Database(url, zone=UTC_ZONE)
    await migrate(database.engine)
    await database.engine.dispose()
    async with database.read():  # whose connection notes the timeline, and not those of each test
        pass
    await database.close()


async def _contents(url: str) -> str:
    """The SQL that gives an empty database of PostgreSQL the rows of this one, and its sequences."""
    sql = []
    async with connected(url) as connection:
        for table in metadata.sorted_tables:
            if rows := await connection.fetchval(f"SELECT json_agg(each) FROM {table.name} AS each"):
                recordset = f"json_populate_recordset(NULL::{table.name}, $rows${rows}$rows$)"
                sql.append(f"INSERT INTO {table.name} SELECT * FROM {recordset}")
        for sequence in await connection.fetch("SELECT sequencename, last_value FROM pg_sequences"):
            if sequence["last_value"] is not None:
                sql.append(f"SELECT setval('{sequence['sequencename']}', {sequence['last_value']})")
    return "; ".join(sql)


async def _refill(url: str, contents: str) -> bool:
    """Give a database of PostgreSQL these contents, and no others; false if it has grown too large for that."""
    async with connected(url) as connection:
        if await connection.fetchval("SELECT pg_database_size(current_database())") >= LARGEST_KEPT:
            return False
        while await connection.fetchval(OTHERS_ENDED):
            await asyncio.sleep(0.005)
        await connection.execute(f"{EMPTIED}; {contents}")
        return True
