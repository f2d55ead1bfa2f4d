"""Two servers in processes of their own, on one PostgreSQL and one Redis, all of which can be broken."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

import asyncpg
import httpx2
from psutil import STATUS_STOPPED, Process
from sqlalchemy import make_url

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.accounts import directory
from memberstaff.accounts.passwords import Passwords
from memberstaff.db.database import Database
from memberstaff.db.migrate import migrate
from memberstaff.staff.commands import Details
from memberstaff.staff.importing import import_staff
from tests.clock import MONDAY
from tests.databases import UTC_ZONE
from tests.freezing import Line, line_to
from tests.infrastructure.postgres import PostgresServer
from tests.infrastructure.process import free_port
from tests.infrastructure.redis import RedisServer
from tests.infrastructure.replication import ReplicatedPostgres
from tests.web import web_client

EMAIL, PASSWORD = "soak@school.example", "a long enough password"
SECRET = "for the soak only, and long enough for HS256"
DATABASE_URL = "MEMBERSTAFF_DATABASE_URL"
CHANNEL = "soak"
"""The Redis channel of the servers' notifications."""
START_SECONDS = 240.0
STOP_SECONDS = 30.0


class NotInjected(Exception):
    """A fault had no effect, so the run would prove nothing."""


class NotRecovered(Exception):
    """A fault harmed those whom it must not harm."""


class Node:
    """One server process."""

    def __init__(self, name: str, environment: dict[str, str], folder: Path, workers: int = 1) -> None:
        self.name = name
        self.environment = environment
        """Read when it starts."""
        self.workers = workers
        self.port = free_port()
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def http(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        """Its address for sockets."""
        return f"ws://127.0.0.1:{self.port}/graphql"

    def start(self) -> None:
        """Begin to start; `ready` waits for it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "memberstaff",
                    "serve",
                    "--port",
                    str(self.port),
                    "--workers",
                    str(self.workers),
                ],
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    async def ready(self, status: int = 200) -> None:
        """Wait until it serves, or says with 503 that it cannot."""
        async with asyncio.timeout(START_SECONDS), web_client() as client:
            while True:
                try:
                    if (await client.get(f"{self.http}/health/ready")).status_code == status:
                        return
                except httpx2.HTTPError:
                    pass
                await asyncio.sleep(0.05)

    def log_to(self, file: Path) -> None:
        """Log to another file, from its next start on."""
        self._log = file

    def rss_kib(self) -> int:
        """Resident memory."""
        return Process(self.pid).memory_info().rss // 1024

    @property
    def pid(self) -> int:
        """Of its process; with several workers, of their parent."""
        assert self._process is not None
        return self._process.pid

    def begin_to_stop(self) -> None:
        """SIGTERM."""
        os.kill(self.pid, signal.SIGTERM)

    async def ended(self) -> int:
        """Wait until it has ended; answers its exit code."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, STOP_SECONDS)

    def kill(self) -> int:
        """SIGKILL; answers the process id that is no more."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        return self._process.pid

    def pause(self) -> None:
        """SIGSTOP: connections stay, and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def paused(self) -> bool:
        """Whether it is stopped by a signal."""
        return Process(self.pid).status() == STATUS_STOPPED

    def stop(self) -> None:
        """SIGTERM, and at last SIGKILL."""
        if self._process is None or self._process.poll() is not None:
            return
        self.begin_to_stop()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def log_tail(self) -> str:
        """The end of what it has logged."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-2_000:]


class Servers(Protocol):
    """Servers, and a token that they all accept."""

    nodes: list[Node]
    token: str

    def database(self) -> Database:
        """Their database, for looking into it directly."""


LATE_MARK_DAYS = 3660
"""The days of the soak are long over."""


def environment(**settings: str) -> dict[str, str]:
    """A server's environment: this one's, but for our variables."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("MEMBERSTAFF_")}
    common = {
        "MEMBERSTAFF_SECRET_KEY": SECRET,
        "MEMBERSTAFF_ACCESS_TOKEN_SECONDS": "86400",
        "MEMBERSTAFF_LOG_FORMAT": "json",
        "MEMBERSTAFF_LATE_MARK_DAYS": str(LATE_MARK_DAYS),
        "MEMBERSTAFF_RECENT_CHANGES": "200",  # small, so that whoever is slow really reads the log
    }
    return {**own, **common, **settings}


async def furnish(database: Database, people: int) -> None:
    """Migrate, and hire."""
    await migrate(database.engine)
    hashed = await Passwords(time_cost=1, memory_kib=8).hash(PASSWORD)
    async with database.write() as work:
        work.caller = COMMAND_LINE
        await directory.add(work, email=EMAIL, role=Role.ADMIN, password_hash=hashed)
        rows = [Details(name=f"Person {index:03}", starts_on=MONDAY.replace(day=1)) for index in range(people)]
        await import_staff(work, rows)


async def log_in(node: Node) -> str:
    """A token."""
    login = "mutation ($i: LoginInput!) { login(input: $i) { accessToken errors { message } } }"
    body = {"query": login, "variables": {"i": {"email": EMAIL, "password": PASSWORD}}}
    async with web_client() as client:
        answer = (await client.post(f"{node.http}/graphql", json=body)).json()
    return str(answer["data"]["login"]["accessToken"])


class Cluster:
    """Everything that the soak runs on."""

    def __init__(
        self,
        postgres: PostgresServer | ReplicatedPostgres,
        redis: RedisServer,
        folder: Path,
        *,
        nodes: int = 2,
        workers: int = 1,
        **settings: str,
    ) -> None:
        self.postgres = postgres
        self.redis = redis
        self.database_url = postgres.create_database()
        common = environment(
            MEMBERSTAFF_BROADCAST_URL=redis.url,
            MEMBERSTAFF_BROADCAST_CHANNEL=CHANNEL,
            MEMBERSTAFF_ECHO_KEY="soak",
            **settings,
        )
        self.nodes: list[Node] = []
        self.roles: dict[str, str] = {}
        """Of each server, by its name: the PostgreSQL role whose connections are its own."""
        address = make_url(self.database_url)
        for name in ("one", "two")[:nodes]:
            role = self.roles[name] = f"{address.database}_{name}"
            url = address.set(username=role).render_as_string(hide_password=False)
            self.nodes.append(Node(name, {**common, DATABASE_URL: url}, folder, workers))
        self.lines: dict[str, Line] = {}
        """Of each server, by its name, inside `behind_lines`: its way to PostgreSQL."""
        self.token = ""

    def database(self) -> Database:
        """The database, for looking into it directly."""
        return Database(self.database_url, zone=UTC_ZONE, pool_size=2)

    @asynccontextmanager
    async def connection(self, host: Path | None = None) -> AsyncIterator[asyncpg.Connection]:
        """A connection to the database as its owner, past every server, or to the PostgreSQL in the folder `host`."""
        address = make_url(self.database_url).set(drivername="postgresql")
        if host is not None:
            address = address.set(query={"host": str(host)})
        connection = await asyncpg.connect(address.render_as_string(hide_password=False))
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def behind_lines(self) -> AsyncIterator[None]:
        """Put a line that can freeze between each server and PostgreSQL; enter it before they start."""
        async with AsyncExitStack() as stack:
            for node in self.nodes:
                line = await stack.enter_async_context(line_to(node.environment[DATABASE_URL]))
                node.environment[DATABASE_URL] = line.url
                self.lines[node.name] = line
            yield

    async def begin(self, people: int) -> None:
        """Migrate, hire, start the servers, and log in."""
        async with self.connection() as connection:
            for role in self.roles.values():
                await connection.execute(f'CREATE ROLE "{role}" SUPERUSER LOGIN')
            # A crash of PostgreSQL must not lose what it acknowledged.
            name = make_url(self.database_url).database
            await connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
        database = self.database()
        await furnish(database, people)
        await database.close()
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            await node.ready()
        self.token = await log_in(self.nodes[0])

    def end(self) -> None:
        """Stop the servers."""
        for node in self.nodes:
            node.stop()
