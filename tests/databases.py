"""Migrated databases for tests: migrated once, then copied, and emptied for the next test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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
    a test gives back is emptied, which takes three, and used again.
    """

    def __init__(self, folder: Path, postgres: Postgres) -> None:
        self._folder = folder
        self._postgres = postgres
        self._templates: dict[Engine, str] = {}
        self._first_rows: dict[str, str] = {}
        """Of PostgreSQL's template: the rows of each table that has any, as JSON."""
        self._given_back: list[str] = []

    def close(self) -> None:
        """Remove what is left on the server, which may be one that stays."""
        for url in (*self._given_back, *(url for engine, url in self._templates.items() if engine == "postgresql")):
            self._postgres.drop_database(url)

    @asynccontextmanager
    async def fresh(self, engine: Engine) -> AsyncIterator[str]:
        """The address of a migrated database without anything in it, gone when the block ends."""
        if engine not in self._templates:
            self._templates[engine] = await self._template(engine)
        template = self._templates[engine]
        if engine == "sqlite":
            file = self._folder / f"{uuid4().hex}.db"
            copy(template, file)
            yield f"sqlite+aiosqlite:///{file}"
            self._remove(file)
        else:
            url = await self._emptied() or self._postgres.create_database(template=template)
            yield url
            self._given_back.append(url)

    async def _emptied(self) -> str | None:
        """One that was given back, as new but for its name."""
        if not self._given_back:
            return None
        url = self._given_back.pop()
        async with connected(url) as connection:
            if await connection.fetchval("SELECT pg_database_size(current_database())") < LARGEST_KEPT:
                while await connection.fetchval(OTHERS_ENDED):
                    await asyncio.sleep(0.005)
                await connection.execute(EMPTIED)
                for table, rows in self._first_rows.items():
                    restored = f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, $1)"
                    await connection.execute(restored, rows)
                return url
        self._postgres.drop_database(url)
        return None

    @asynccontextmanager
    async def empty(self, engine: Engine) -> AsyncIterator[str]:
        """The address of a database without any table, gone when the block ends."""
        if engine == "sqlite":
            file = self._folder / f"{uuid4().hex}.db"
            yield f"sqlite+aiosqlite:///{file}"
            self._remove(file)
        else:
            url = self._postgres.create_database()
            yield url
            self._postgres.drop_database(url)

    def _remove(self, file: Path) -> None:
        for left in self._folder.glob(f"{file.name}*"):
            left.unlink()

    async def _template(self, engine: Engine) -> str:
        if engine == "sqlite":
            file = self._folder / "template.db"
            await _migrate(f"sqlite+aiosqlite:///{file}")
            return str(file)
        url = self._postgres.create_database()
        await _migrate(url)
        async with connected(url) as connection:
            for table in metadata.sorted_tables:
                if rows := await connection.fetchval(f"SELECT json_agg(each) FROM {table.name} AS each"):
                    self._first_rows[table.name] = rows
        return url


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
