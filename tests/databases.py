"""Migrated databases for tests: migrated once, then copied, which takes milliseconds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copyfile
from typing import Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

from memberstaff.db.migrate import migrate
from memberstaff.db.work import Database
from tests.infrastructure.postgres import Postgres

Engine = Literal["sqlite", "postgresql"]
UTC_ZONE = ZoneInfo("UTC")


class Databases:
    """Hands out databases of either engine, each for one test."""

    def __init__(self, folder: Path, postgres: Postgres) -> None:
        self._folder = folder
        self._postgres = postgres
        self._templates: dict[Engine, str] = {}

    @asynccontextmanager
    async def fresh(self, engine: Engine) -> AsyncIterator[str]:
        """The address of a migrated, empty database, gone when the block ends."""
        if engine not in self._templates:
            self._templates[engine] = await self._template(engine)
        template = self._templates[engine]
        if engine == "sqlite":
            file = self._folder / f"{uuid4().hex}.db"
            copyfile(template, file)
            yield f"sqlite+aiosqlite:///{file}"
            self._remove(file)
        else:
            url = self._postgres.create_database(template=template)
            yield url
            self._postgres.drop_database(url)

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
        return url


async def _migrate(url: str) -> None:
    database = Database(url, zone=UTC_ZONE)
    await migrate(database.engine)
    await database.close()
