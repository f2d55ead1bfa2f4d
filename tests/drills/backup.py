"""docs/backup.md: each way to back up and restore, under load, and the checker's verdict over what came back.

`./dev drill backup` runs all of them for a while; tests/live/test_backup.py in a short form.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg

from schema.ids import global_id
from tests.clock import TODAY
from tests.infrastructure.postgres import INITDB, TUNING, USER, PostgresServer
from tests.infrastructure.process import stop
from tests.soak.clients import WATCH, Habits, mark, watch
from tests.soak.cluster import furnish, log_in
from tests.soak.history import EndedEpoch, History
from tests.soak.pages import steps
from tests.soak.run import caught_up, fresh_of, log_of
from tests.soak.site import Site
from tests.soak.subscriptions import TRANSPORTS
from tests.soak.verdict import verdict
from tests.web import web_client

NAME = "memberstaff"
PEOPLE = 20
ARCHIVED = """SELECT coalesce(last_archived_wal >= $1, false) FROM pg_stat_archiver"""


@dataclass(frozen=True)
class Outcome:
    """What a drill has found."""

    violations: list[str]
    held: int
    """Acknowledged marks that the backup had to hold."""
    lost: int
    """Those that came after it."""

    def __str__(self) -> str:
        found = "".join(f"\n  {words}" for words in self.violations)
        return f"{self.held:,} marks held, {self.lost:,} after it lost, {len(self.violations)} violations{found}"


class Load:
    """Marks and boards, all the time; boards go on through the restore."""

    def __init__(self, site: Site) -> None:
        self.history = History()
        self._site = site
        self._staff = [global_id("Staff", number) for number in range(1, PEOPLE + 1)]
        self._numbers = count()

    @asynccontextmanager
    async def boards(self) -> AsyncIterator[None]:
        """Boards, one over each transport."""
        watching = [
            asyncio.create_task(watch(self._site, self.history, name, TODAY, WATCH, Habits(name)))
            for name in TRANSPORTS
        ]
        try:
            yield
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    @asynccontextmanager
    async def marks(self) -> AsyncIterator[None]:
        """Marks, as long as the block lasts; the last one has its answer then."""
        wanted = True

        async def mark_on() -> None:
            async with web_client(timeout=15) as client:
                while wanted:
                    token = f"mark-{next(self._numbers)}"
                    await mark(client, self._site, self.history, 0, token, TODAY, random.choice(self._staff))
                    await asyncio.sleep(0.01)

        marking = asyncio.create_task(mark_on())
        try:
            yield
        finally:
            wanted = False
            await marking

    async def more(self, seconds: float) -> None:
        """Wait for so long, and until some more marks were acknowledged."""
        before, end = len(self.history.acknowledged), time.monotonic() + seconds
        async with asyncio.timeout(seconds + 60):
            while time.monotonic() < end or len(self.history.acknowledged) < before + 5:
                await asyncio.sleep(0.02)


BackedUp = Callable[[Load], AsyncIterator[tuple[set[str], dict[str, str]]]]
"""Takes a backup; yields the marks that it has to hold, and variables for the restore; then waits until it has them."""


async def drill(site: Site, title: str, seconds: float, *, backed_up: BackedUp | None = None) -> Outcome:
    """Back up under load, lose everything, restore, go on; then judge.

    Without `backed_up` the page's backup holds what was acknowledged before it began.
    """
    page = steps(title)

    async def by_the_page(load: Load) -> AsyncIterator[tuple[set[str], dict[str, str]]]:
        held = set(load.history.acknowledged)
        await site.run(page["Back up"])
        yield held, {}

    database = site.database()
    await furnish(database, PEOPLE)
    await database.close()
    load = Load(site)
    history = load.history
    try:
        await site.server.begin()
        site.token = await log_in(site.nodes[0])
        async with load.boards():
            async with load.marks():
                await load.more(seconds)
                async for held, variables in (backed_up or by_the_page)(load):  # noqa: B007 - for the restore
                    await load.more(seconds)
            ended, _ = await site.epoch_and_positions()
            await site.server.end()
            await site.run(page["Restore"], **variables)
            begun, survived = await site.epoch_and_positions()
            history.ended[ended] = EndedEpoch(survived, synchronous=False)
            await site.server.begin()
            async with load.marks():
                await load.more(seconds)
            logs, fresh = {TODAY: await log_of(site, TODAY)}, {TODAY: await fresh_of(site, TODAY)}
            await caught_up(history, logs, fresh)
    finally:
        await site.server.end()
    violations = verdict(history, logs, fresh)
    missing = sorted(token for token in held if history.is_lost(history.acknowledged[token]))
    violations += [f"{token} is not in the backup" for token in missing]
    if begun <= ended:
        violations.append("the restored database has no later epoch")
    return Outcome(violations, len(held), history.lost)


@contextmanager
def postgres(**settings: str) -> Iterator[PostgresServer]:
    """A server whose settings are in its folder, so that the page's commands can start it."""
    server = PostgresServer()
    try:
        server.run_program("initdb", "-D", server.data, "-U", USER, *INITDB)
        options = {**TUNING, "unix_socket_directories": str(server.folder), **settings}
        with (server.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in options.items())
        server.run_program("pg_ctl", "start", "-D", server.data, "--wait", "--log", server.folder / "log")
        yield server
    finally:
        for folder in (server.data, server.folder / "data.broken"):
            if (folder / "postmaster.pid").exists():
                server.run_program("pg_ctl", "stop", "-D", folder, "-m", "immediate")
        server.stop()


def postgres_site(server: PostgresServer) -> Site:
    """A site with a database on this server, in whose folder the backups are."""
    server.run(f"CREATE DATABASE {NAME}")
    url = f"postgresql+asyncpg://{USER}@/{NAME}?host={server.folder}"
    variables = {
        "PATH": str(server.binaries),
        "PGDATABASE": NAME,
        "PGHOST": str(server.folder),
        "PGUSER": USER,
        "PGDATA": str(server.data),
    }
    return Site(url, server.folder, variables, server.user)


async def dump(seconds: float) -> Outcome:
    """PostgreSQL, by pg_dump."""
    with postgres(synchronous_commit="on") as server:
        return await drill(postgres_site(server), "PostgreSQL: a dump", seconds)


async def point_in_time(seconds: float) -> Outcome:
    """PostgreSQL, by a base backup and the archived log."""
    title = "PostgreSQL: to any point in time"
    with postgres(synchronous_commit="on", wal_level="replica", max_wal_senders="2") as server:
        site = postgres_site(server)
        await site.run(steps(title)["Prepare"])

        async def backed_up(load: Load) -> AsyncIterator[tuple[set[str], dict[str, str]]]:
            await site.run(steps(title)["Back up"])
            await load.more(seconds)
            held = set(load.history.acknowledged)
            yield held, {"UNTIL": server.run("SELECT clock_timestamp()")}
            connection = await asyncpg.connect(host=str(server.folder), user=USER, database="postgres")
            wal = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
            while not await connection.fetchval(ARCHIVED, wal):
                await asyncio.sleep(0.05)
            await connection.close()

        return await drill(site, title, seconds, backed_up=backed_up)


async def copy(seconds: float) -> Outcome:
    """SQLite, by a copy."""
    with tempfile.TemporaryDirectory(prefix="ms-drill-") as folder:
        return await drill(sqlite_site(Path(folder)), "SQLite: a copy", seconds)


async def litestream(seconds: float) -> Outcome:
    """SQLite, by Litestream, which is ended as a machine is that shuts down."""
    title = "SQLite: Litestream"
    with tempfile.TemporaryDirectory(prefix="ms-drill-") as folder:
        site = sqlite_site(Path(folder))

        async def backed_up(load: Load) -> AsyncIterator[tuple[set[str], dict[str, str]]]:
            [command] = steps(title)["Back up"]
            running = site.begin(command)
            try:
                while not (site.folder / "backups" / "litestream").exists():
                    assert running.poll() is None, "Litestream does not run"
                    await asyncio.sleep(0.05)
                await load.more(seconds)
                held = set(load.history.acknowledged)
            finally:
                await asyncio.to_thread(stop, running)
            yield held, {}

        return await drill(site, title, seconds, backed_up=backed_up)


def sqlite_site(folder: Path) -> Site:
    """A site with its database in a file."""
    file = folder / "data" / "memberstaff.db"
    file.parent.mkdir()
    return Site(f"sqlite+aiosqlite:///{file}", folder, {"DATABASE": str(file)})


WAYS = {"a dump": dump, "a point in time": point_in_time, "a copy": copy, "Litestream": litestream}


def main() -> int:
    """The long form."""
    parser = argparse.ArgumentParser(prog="./dev drill backup", description="Do docs/backup.md, step by step.")
    parser.add_argument("--seconds", type=float, default=20, help="of load before and after each step; default: 20")
    parser.add_argument("--seed", type=int, default=None, help="for the choices of clients")
    options = parser.parse_args()
    random.seed(options.seed)
    violations = 0
    for name, way in WAYS.items():
        began = time.monotonic()
        outcome = asyncio.run(way(options.seconds))
        violations += len(outcome.violations)
        print(f"{name}: {outcome} ({time.monotonic() - began:.0f} s)", flush=True)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
