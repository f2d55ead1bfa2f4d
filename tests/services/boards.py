"""A process that shows boards, as tests need it: its readings can be held, and its line to the database cut."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import URL, event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.util import await_only

from memberstaff.access import COMMAND_LINE
from memberstaff.db.database import Database
from memberstaff.staff import commands as staff_commands
from memberstaff.staff.commands import Details
from tests.databases import UTC_ZONE
from tests.services.school import School

NEVER = 3_600.0
"""Seconds between two polls: nothing is read that was not asked for."""
OFTEN = 0.02
"""Seconds between two polls, and between two attempts while the database is away."""

DAY_STATES = "installation.roster_version, attendance_day.date"
"""Occurs only in the statement with which a reading of the watched days begins."""


@asynccontextmanager
async def running(run: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Something that runs until the block ends; whatever it raises itself is raised then."""
    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


class Held:
    """A statement that has read its rows, and does not answer until `go` is set."""

    def __init__(self) -> None:
        self.read = asyncio.Event()
        self.go = asyncio.Event()


@contextmanager
def held(database: Database, words: str) -> Iterator[Held]:
    """Hold the first statement that has these words, at most as long as the block lasts."""
    statement = Held()

    def hold(_connection: object, _cursor: object, sent: str, *_: object) -> None:
        if words in sent and not statement.read.is_set():
            statement.read.set()
            await_only(statement.go.wait())

    event.listen(database.engine.sync_engine, "after_cursor_execute", hold)  # for good: it may still be running
    try:
        yield statement
    finally:
        statement.read.set()
        statement.go.set()


class Line(ABC):
    """A process's line to the database, which can be cut while all others go on using theirs."""

    def __init__(self, url: URL) -> None:
        self.database = Database(url.render_as_string(hide_password=False), zone=UTC_ZONE)
        self._attempts: asyncio.Queue[None] = asyncio.Queue()
        event.listen(self.database.engine.sync_engine, "do_connect", self._note)

    @abstractmethod
    async def cut(self) -> None:
        """Break every connection, and refuse new ones."""

    @abstractmethod
    async def mend(self) -> None:
        """Accept connections, the first one or again."""

    async def close(self) -> None:
        """Leave nothing behind."""
        await self.database.close()

    async def refuses(self, times: int) -> None:
        """Wait until so many connections have been refused."""
        while not self._attempts.empty():
            self._attempts.get_nowait()
        for _ in range(times + 1):  # when another one is attempted, those before have failed
            await self._attempts.get()

    def _note(self, *_: object) -> None:
        self._attempts.put_nowait(None)


class PostgresLine(Line):
    """A role of the process's own, which may log in or not."""

    def __init__(self, school: School) -> None:
        url = school.database.engine.url
        self._school = school
        self._owner = url.username
        self._role = f"test_{uuid4().hex}"
        super().__init__(url.set(username=self._role, password=self._role))

    async def open(self) -> None:
        """Make the role, which may do what the database's owner may."""
        await self._run(f"CREATE ROLE {self._role} LOGIN PASSWORD '{self._role}' IN ROLE \"{self._owner}\"")

    async def cut(self) -> None:
        await self._run(f"ALTER ROLE {self._role} NOLOGIN")
        await self._run(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{self._role}'")

    async def mend(self) -> None:
        await self._run(f"ALTER ROLE {self._role} LOGIN")

    async def close(self) -> None:
        await super().close()
        await self._run(f"DROP ROLE {self._role}")

    async def _run(self, statement: str) -> None:
        async with self._school.database.write() as work:
            await work.write(text(statement))


class SqliteLine(Line):
    """A symbolic link to the folder of the file, which is there or not.

    Connections that are open are found to be dead when they are used next; no statement breaks off.
    """

    def __init__(self, school: School, folder: Path) -> None:
        url = school.database.engine.url
        file = Path(str(url.database))
        self._folder = file.parent
        self._link = folder / "line"
        super().__init__(url.set(database=str(self._link / file.name)))
        event.listen(self.database.engine.sync_engine, "checkout", self._check)

    async def cut(self) -> None:
        self._link.unlink()

    async def mend(self) -> None:
        self._link.symlink_to(self._folder)

    def _check(self, *_: object) -> None:
        if not self._link.is_symlink():
            raise DisconnectionError


@asynccontextmanager
async def line_of(school: School, folder: Path) -> AsyncIterator[Line]:
    """Another process's line to the school's database."""
    line: Line
    if school.database.is_sqlite:
        line = SqliteLine(school, folder)
        await line.mend()
    else:
        line = PostgresLine(school)
        await line.open()
    yield line
    await line.close()


async def rename(school: School, before: str, after: str) -> None:
    """Give somebody another name."""
    async with school.work(COMMAND_LINE) as work:
        await staff_commands.update_person(work, school.people[before], Details(name=after), expected_version=None)
