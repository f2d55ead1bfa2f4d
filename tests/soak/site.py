"""A server on a database that is lost and restored, and the commands of a page that do it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from sqlalchemy import select

from memberstaff.db.clock import utc_now
from memberstaff.db.database import Database
from memberstaff.db.tables import attendance_day, installation
from tests.databases import UTC_ZONE
from tests.installation import install
from tests.soak import pages
from tests.soak.cluster import DATABASE_URL, LATE_MARK_DAYS, Node, environment


class Process(Node):
    """A server in a process of its own."""

    async def begin(self) -> None:
        """Start, and wait until it serves."""
        self.start()
        await self.ready()

    async def end(self) -> None:
        """Stop, if it runs."""
        await asyncio.to_thread(self.stop)


class Here(Node):
    """A server in this process, for the short form: it starts in a moment."""

    async def begin(self) -> None:
        """Start."""
        self._running = AsyncExitStack()
        url = self.environment[DATABASE_URL]
        served = install(url, clock=utc_now, furnish=False, port=self.port, late_mark_days=LATE_MARK_DAYS)
        await self._running.enter_async_context(served)

    async def end(self) -> None:
        """Stop, if it runs."""
        await self._running.aclose()


class Site:
    """One server on a database that is lost and restored."""

    kind: type[Process | Here] = Process

    def __init__(self, url: str, folder: Path, variables: dict[str, str], user: int | None = None) -> None:
        self.url = url
        self.folder = folder
        self.variables = {**environment(**{DATABASE_URL: url}), **variables, "BACKUPS": str(folder / "backups")}
        self.variables["PATH"] = os.pathsep.join(
            [variables.get("PATH", ""), str(Path(sys.executable).parent), os.environ["PATH"]]
        ).lstrip(os.pathsep)
        self.user = user
        """As whom PostgreSQL runs."""
        self.server = self.kind("server", environment(**{DATABASE_URL: url}), folder)
        self.nodes: list[Node] = [self.server]
        self.token = ""
        (folder / "backups").mkdir()
        if user is not None:
            os.chown(folder / "backups", user, -1)

    def database(self) -> Database:
        return Database(self.url, zone=UTC_ZONE, pool_size=2)

    async def epoch_and_positions(self) -> tuple[int, dict[str, int]]:
        """What the database holds, read past the server."""
        database = self.database()
        try:
            async with database.read() as reading:
                epoch = await reading.scalar(select(installation.c.epoch))
                rows = await reading.rows(select(attendance_day.c.date, attendance_day.c.position))
        finally:
            await database.close()
        return epoch, {row.date.isoformat(): row.position for row in rows}

    async def run(self, blocks: Sequence[str], **more: str) -> None:
        """Run blocks of the page; memberstaff's own as whoever runs the server."""
        for block in blocks:
            user = None if re.search(r"^memberstaff ", block, re.MULTILINE) else self.user
            await asyncio.to_thread(pages.run, block, {**self.variables, **more}, self.folder, user)

    def begin(self, block: str) -> subprocess.Popen[bytes]:
        """Start a command of the page that does not end by itself."""
        with (self.folder / "command.log").open("wb") as log:
            return subprocess.Popen(["bash", "-c", f"exec {block}"], env=self.variables, stdout=log, stderr=log)
