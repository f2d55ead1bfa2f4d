"""docs/postgresql.md: two servers behind a real PgBouncer in transaction mode, set up as the page says.

`./dev drill pgbouncer` runs it. PgBouncer is in no wheel: apt-get install pgbouncer.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from pwd import getpwnam
from typing import Any

from sqlalchemy import URL, text

from memberstaff.attendance.cursor import Cursor
from memberstaff.errors import Unavailable
from tests.clock import TODAY
from tests.front_ends import MARK
from tests.infrastructure.postgres import USER, PostgresServer
from tests.infrastructure.process import NotFound, free_port, is_root, running, start, stop
from tests.infrastructure.redis import RedisServer
from tests.installation import Installation, install
from tests.waiting import until

PAGE = (Path(__file__).parents[2] / "docs" / "postgresql.md").read_text(encoding="utf-8")
ROSTER = Path(__file__).parents[1] / "rosters" / "school.csv"
DATABASE_URL = "MEMBERSTAFF_DATABASE_URL"
NAME, PASSWORD = "school", "a password"
"""Of the role that serves and of the database, which the page calls memberstaff, as the tests' superuser is called."""
WRITERS = 40
MARKS = 25
"""Of each writer."""
SESSIONS = 6
"""That PgBouncer may open; the two servers have twenty connections to it."""


def find_pgbouncer() -> str:
    """The program. Raises NotFound."""
    for found in (shutil.which("pgbouncer"), "/usr/sbin/pgbouncer"):
        if found and Path(found).exists():
            return found
    raise NotFound("This drill needs PgBouncer: apt-get install pgbouncer.")


def block(language: str, containing: str) -> str:
    """The code on the page in which this stands."""
    [code] = [each for each in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if containing in each]
    return str(code).replace("memberstaff", NAME)


@contextmanager
def pgbouncer(postgres: PostgresServer) -> Iterator[tuple[int, str]]:
    """PgBouncer in front of this server; its port and its version."""
    program = find_pgbouncer()
    folder, port = Path(tempfile.mkdtemp(prefix="ms-pgbouncer-")), free_port()
    users = "".join(f'"{role}" "{PASSWORD}"\n' for role in (NAME, f"{NAME}_owner", "pgbouncer"))
    (folder / "userlist.txt").write_text(users)
    configuration = block("ini", "pool_mode")
    for written, here in {
        "host=127.0.0.1 port=5432": f"host={postgres.folder} port=5432",
        "listen_port = 6432": f"listen_port = {port}\nunix_socket_dir =\nadmin_users = pgbouncer",
        "default_pool_size = 20": f"default_pool_size = {SESSIONS}",
        "/etc/pgbouncer/userlist.txt": f"{folder}/userlist.txt",
    }.items():
        assert written in configuration, written
        configuration = configuration.replace(written, here)
    (folder / "pgbouncer.ini").write_text(configuration)
    user = getpwnam("nobody").pw_uid if is_root() else None  # it refuses to run as root
    if user is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, user, -1)
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    process = start([program, folder / "pgbouncer.ini"], log=folder / "log", ready=lambda: _listens(port), user=user)
    try:
        yield port, version
    except BaseException:
        print((folder / "log").read_text(errors="replace")[-3_000:], file=sys.stderr)
        raise
    finally:
        stop(process)
        shutil.rmtree(folder)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


async def drill() -> None:
    """Migrate, import, mark under load, watch, and stop in the middle of a transaction. Raises AssertionError."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(PostgresServer()) as postgres,
        running(RedisServer(Path(folder) / "redis")) as redis,
    ):
        make_database(postgres)
        with pgbouncer(postgres) as (port, version):
            print(f"PgBouncer {version}, PostgreSQL {postgres.version()}")
            environment = {
                **{name: value for name, value in os.environ.items() if not name.startswith("MEMBERSTAFF_")},
                "MEMBERSTAFF_DATABASE_PGBOUNCER": "true",
                "MEMBERSTAFF_SECRET_KEY": "for the drill only, and long enough for HS256",
            }
            command_line({**environment, DATABASE_URL: address(f"{NAME}_owner", port)}, "migrate")
            served = {**environment, DATABASE_URL: address(NAME, port)}
            command_line(served, "staff", "import", str(ROSTER))
            async with two_servers(address(NAME, port), redis) as (one, other):
                await marks_under_load(one, other)
                await nothing_is_prepared(one, other)
                await sessions_are_shared(postgres, one, other)
                await a_stopped_transaction_ends(one, other)


def address(role: str, port: int) -> str:
    """Of the database, by PgBouncer."""
    url = URL.create("postgresql+asyncpg", role, PASSWORD, "127.0.0.1", port, NAME)
    return url.render_as_string(hide_password=False)


def make_database(postgres: PostgresServer) -> None:
    """The roles, the database and the time-outs of the page."""
    roles = block("sql", "CREATE ROLE").replace("…", PASSWORD)
    script = roles + block("sql", "ALTER ROLE")
    command = [postgres.binaries / "psql", "-h", postgres.folder, "-U", USER, "-d", "postgres", "-v", "ON_ERROR_STOP=1"]
    subprocess.run([str(word) for word in command], input=script, text=True, check=True, stdout=subprocess.DEVNULL)


def command_line(environment: dict[str, str], *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "memberstaff", *words], env=environment, check=True, stdout=subprocess.DEVNULL
    )


@asynccontextmanager
async def two_servers(url: str, redis: RedisServer) -> AsyncIterator[tuple[Installation, Installation]]:
    settings: dict[str, Any] = {
        "broadcast_url": redis.url,
        "database_pgbouncer": True,
        "database_seconds": 5,
        "poll_seconds": 60,
    }
    async with install(url, **settings) as one, install(url, furnish=False, **settings) as other:
        other.staff = one.staff
        await until(lambda: one.application.notifier.subscribed and other.application.notifier.subscribed)
        yield one, other


async def marks_under_load(one: Installation, other: Installation) -> None:
    """Every mark is acknowledged, and a board on the other server sees each change once and in order."""
    people = list(one.staff.values())

    async def write(number: int) -> None:
        server = (one, other)[number % 2]
        for mark in range(MARKS):
            answer = await server.marker.mark(
                people[number % len(people)], TODAY, status="LATE", note=f"{number}/{mark}"
            )
            assert answer["errors"] == [], answer

    async with other.watching(TODAY) as board:
        writers = asyncio.gather(*(write(number) for number in range(WRITERS)))
        positions = [Cursor.parse((await board.change())["feedCursor"]).position for _ in range(WRITERS * MARKS)]
        await writers
    assert positions == list(range(1, WRITERS * MARKS + 1))
    print(f"{WRITERS * MARKS} marks by {WRITERS} writers, each seen once and in order")


async def nothing_is_prepared(*servers: Installation) -> None:
    """In none of the sessions that PgBouncer shares out."""

    async def count(server: Installation) -> int:
        async with server.application.database.read() as reading:
            await reading.scalar(text("SELECT pg_sleep(0.05)"))  # so that they are spread over all sessions
            return int(await reading.scalar(text("SELECT count(*) FROM pg_prepared_statements")))

    counts = await asyncio.gather(*(count(server) for server in servers for _ in range(10)))
    assert set(counts) == {0}, counts


async def sessions_are_shared(postgres: PostgresServer, *servers: Installation) -> None:
    """There are fewer of them than the servers have connections."""
    sessions = int(postgres.run(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{NAME}'"))
    connections = sum(server.application.database.engine.pool.checkedin() for server in servers)  # type: ignore[attr-defined]
    assert sessions <= SESSIONS < connections, (sessions, connections)
    print(f"{connections} connections share {sessions} sessions")


async def a_stopped_transaction_ends(one: Installation, other: Installation) -> None:
    """The role's time-out takes the day's lock from a server that says nothing more."""
    lock = text("SELECT 1 FROM attendance_day FOR UPDATE")
    try:
        async with one.application.database.write() as work:
            await work.scalar(lock)
            while "errors" in await mark(other):  # the lock may be waited for in vain once
                pass
            await work.scalar(lock)
    except Unavailable:
        print("a transaction that was left open was ended, and marking went on")
    else:
        raise AssertionError("A transaction that was left open kept its lock, and another one had it as well.")


async def mark(server: Installation) -> dict[str, Any]:
    """The whole answer to a mark."""
    target = {"staffDate": {"staffId": server.staff["Amina"], "date": TODAY}}
    return await server.marker.send(MARK, input={"target": target, "status": "ABSENT"})


if __name__ == "__main__":
    try:
        asyncio.run(drill())
    except NotFound as missing:
        sys.exit(str(missing))
