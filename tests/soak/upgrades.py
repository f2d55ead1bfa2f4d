"""What an operator does beside the faults: a new release, server by server, and a backup that is restored."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

from sqlalchemy import make_url

from tests.infrastructure.replication import ReplicatedPostgres
from tests.newer_release import NEXT, build
from tests.soak import pages
from tests.soak.cluster import DATABASE_URL, Cluster, Node, NotInjected
from tests.soak.history import History

PAGE = "PostgreSQL: a dump"


def of_release(environment: Mapping[str, str], newer: Path | None) -> dict[str, str]:
    """The environment of a process of the release in this folder, or of this checkout."""
    ours = {name: value for name, value in environment.items() if not name.startswith("PYTHON")}
    return ours | ({} if newer is None else {"PYTHONPATH": str(newer), "PYTHONSAFEPATH": "1"})


class Marking(Protocol):
    """Who waits until marking goes on."""

    async def marks(self, node: Node) -> None:
        """Wait until a mark through a server is acknowledged."""


class Operator:
    """Upgrades the servers, backs up, and restores."""

    def __init__(self, cluster: Cluster, history: History, nemesis: Marking, folder: Path) -> None:
        self.cluster = cluster
        self.history = history
        self.nemesis = nemesis
        self.folder = folder
        self.newer = build(folder / "next")
        self._epoch = 0
        """Of the backup."""
        self._held: set[str] = set()
        """Tokens that were acknowledged before it began."""

    @property
    def steps(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """In order. Most of the time servers of two releases are side by side."""
        one, two = self.cluster.nodes
        return {
            "the next release's migrations": self.migrate,
            "a server rolled forward": lambda: self.exchange(two, self.newer),
            "a backup": self.back_up,
            "the other server rolled forward": lambda: self.exchange(one, self.newer),
            "a server rolled back": lambda: self.exchange(one, None),
            "the backup restored": self.restore,
            "a server rolled forward again": lambda: self.exchange(one, self.newer),
            "the migrations finished": self.finish,
        }

    async def migrate(self) -> None:
        """While the servers of this release serve."""
        await self._memberstaff("migrate")
        await self._all_mark()

    async def finish(self) -> None:
        """When no server of this release is left."""
        await self._memberstaff("migrate", "--finish")
        async with self.cluster.connection() as connection:
            if await connection.fetchval("SELECT least_revision FROM installation") != NEXT:
                raise NotInjected("the migrations are not finished")
        await self._all_mark()

    async def exchange(self, node: Node, newer: Path | None) -> None:
        """Stop a server, and start it with another release."""
        await asyncio.to_thread(node.stop)
        node.environment = of_release(node.environment, newer)
        node.start()
        await node.ready()
        await self._all_mark()

    async def back_up(self) -> None:
        """By the page, while everybody marks."""
        acknowledged = self.history.acknowledged
        self._held = {token for token, place in acknowledged.items() if not self.history.is_lost(place)}
        self._epoch, _ = await self._epoch_and_positions()
        await self._page("Back up")
        await self._all_mark()  # which the backup does not hold

    async def restore(self) -> None:
        """The database is lost, with all that came after the backup."""
        ended, _ = await self._epoch_and_positions()
        lost = self.history.lost
        for node in self.cluster.nodes:
            await asyncio.to_thread(node.stop)
        await self._page("Restore")
        begun, held = await self._epoch_and_positions()
        if begun <= ended:
            raise NotInjected("the restored database has no later epoch")
        self.history.restore(ended, self._epoch, held, self._held)
        if self.history.lost <= lost:
            raise NotInjected("nothing was lost")
        for node in self.cluster.nodes:
            node.start()
        for node in self.cluster.nodes:
            await node.ready()
        await self._all_mark()

    async def _epoch_and_positions(self) -> tuple[int, dict[str, int]]:
        async with self.cluster.connection() as connection:
            epoch = await connection.fetchval("SELECT epoch FROM installation")
            days = await connection.fetch("SELECT date, position FROM attendance_day")
        return epoch, {row["date"].isoformat(): row["position"] for row in days}

    async def _all_mark(self) -> None:
        for node in self.cluster.nodes:
            await self.nemesis.marks(node)

    async def _memberstaff(self, *words: str) -> None:
        """A command of the next release."""
        await asyncio.to_thread(self._run, *words)

    def _run(self, *words: str) -> None:
        variables = of_release(self._variables(), self.newer)
        subprocess.run([sys.executable, "-m", "memberstaff", *words], env=variables, cwd=self.folder, check=True)

    async def _page(self, step: str) -> None:
        for block in pages.steps(PAGE)[step]:
            await asyncio.to_thread(pages.run, block, self._variables(), self.folder)

    def _variables(self) -> dict[str, str]:
        """Of commands that reach the database as its owner."""
        postgres, address = self.cluster.postgres, make_url(self.cluster.database_url)
        assert isinstance(postgres, ReplicatedPostgres)
        programs = [str(postgres.primary.binaries), str(Path(sys.executable).parent), os.environ["PATH"]]
        return {
            **of_release(self.cluster.nodes[0].environment, None),
            DATABASE_URL: self.cluster.database_url,
            "BACKUPS": str(self.folder),
            "PATH": os.pathsep.join(programs),
            "PGDATABASE": address.database or "",
            "PGHOST": str(postgres.primary.folder),
            "PGUSER": address.username or "",
        }
