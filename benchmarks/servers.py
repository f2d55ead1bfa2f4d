"""The measured servers: how each is started, spoken to, and fed with changes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import make_url

from benchmarks.documents import Dialect, echo, ours, pusher, theirs
from benchmarks.environment import Environment
from benchmarks.machine import Unable
from benchmarks.marks import Found, by_pgbench, from_the_resolver
from benchmarks.processes import answers_graphql, running
from benchmarks.scenarios import Http
from benchmarks.tools import ROOT
from tests.infrastructure.process import free_port


class Publishing(NamedTuple):
    """Where events come from, if not from mutations on the measured server itself."""

    port: int
    """Of Redis, or of another server on which the mutations are made."""
    channel: str | None
    """In Redis."""


@dataclass(frozen=True)
class Measured:
    """A server that runs."""

    port: int
    process: int
    dialect: Dialect
    path: str = "/graphql"
    token: str | None = None
    logins: Sequence[str] = ()
    """Access tokens of the subscribers, each of an account and a session of its own."""
    publishing: Publishing | None = None
    database: str | None = None
    """Where its marks are stored, if they are."""
    load: Callable[[Http], Found] | None = None
    """How it is measured, instead of by a load generator."""


@dataclass(frozen=True)
class Server:
    """One that can be started."""

    name: str
    what: str
    start: Callable[[Environment], AbstractContextManager[Measured]]
    packages: str | None = None
    """The folder of peers/ whose packages it needs."""
    is_peer: bool = True
    """Whether memberstaff is compared with it: another GraphQL server."""


def _memberstaff(
    *, workers: int = 1, streams: bool = False
) -> Callable[[Environment], AbstractContextManager[Measured]]:
    @contextmanager
    def start(environment: Environment) -> Iterator[Measured]:
        dialect = ours(environment.day, environment.staff_id)
        if streams:
            dialect = replace(dialect, wire="event-stream")
        with (
            environment.database() as database,
            environment.memberstaff(database, workers=workers) as (port, process),
        ):
            yield Measured(
                port, process, dialect, token=environment.token, logins=environment.logins, database=database
            )

    return start


def _marks(
    load: Callable[[Environment, str, Http], Found],
) -> Callable[[Environment], AbstractContextManager[Measured]]:
    @contextmanager
    def start(environment: Environment) -> Iterator[Measured]:
        dialect = ours(environment.day, environment.staff_id)
        with environment.database() as database:
            yield Measured(0, 0, dialect, database=database, load=partial(load, environment, database))

    return start


@contextmanager
def _pusher(environment: Environment) -> Iterator[Measured]:
    dialect = pusher(environment.day, environment.staff_id)
    # All subscribers are one account's, unlike those of GraphQL, each of whom has a session of their own.
    settings = {"MEMBERSTAFF_ECHO_KEY": "bench", "MEMBERSTAFF_MAX_SOCKETS_PER_ACCOUNT": "10000"}
    # As for laravel-echo-server, delivery alone is measured: the marks are made on a second server.
    with (
        environment.database() as database,
        environment.memberstaff(database, settings) as (port, process),
        environment.memberstaff(database) as (desk, _),
    ):
        elsewhere = Publishing(desk, None)
        yield Measured(port, process, dialect, "/app/bench?protocol=7", environment.token, publishing=elsewhere)


@contextmanager
def _naive(environment: Environment) -> Iterator[Measured]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.peers.naive:app", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--log-level", "warning", "--timeout-keep-alive", "75"]  # busy, it takes long
    with _peer(environment, "strawberry", command, ROOT, port) as process:
        yield Measured(port, process, theirs(environment.day))


def _node(script: str) -> Callable[[Environment], AbstractContextManager[Measured]]:
    @contextmanager
    def start(environment: Environment) -> Iterator[Measured]:
        port, folder = free_port(), environment.tools.packages("node")
        with _peer(environment, script, [str(environment.tools.node), f"{script}.js"], folder, port) as process:
            yield Measured(port, process, theirs(environment.day))

    return start


@contextmanager
def _mercurius_pg(environment: Environment) -> Iterator[Measured]:
    port, folder = free_port(), environment.tools.packages("node")
    with environment.database() as database:
        url = make_url(database)
        where = {
            "BENCH_POSTGRES_HOST": str(url.query["host"]),
            "BENCH_POSTGRES_USER": str(url.username),
            "BENCH_POSTGRES_DATABASE": str(url.database),
        }
        command = [str(environment.tools.node), "mercurius-pg.js"]
        with _peer(environment, "mercurius-pg", command, folder, port, where) as process:
            yield Measured(port, process, theirs(environment.day, str(environment.staff_number)), database=database)


@contextmanager
def _echo(environment: Environment) -> Iterator[Measured]:
    port, folder = free_port(), environment.tools.packages("echo")
    settings = {
        "authHost": "http://127.0.0.1",
        "authEndpoint": "/broadcasting/auth",
        "clients": [],
        "database": "redis",
        "databaseConfig": {"redis": {"host": "127.0.0.1", "port": environment.redis_port}},
        "devMode": False,
        "host": "127.0.0.1",
        "port": str(port),
        "protocol": "http",
        "socketio": {},
        "subscribers": {"http": True, "redis": True},
    }
    (folder / "laravel-echo-server.json").write_text(json.dumps(settings))
    (folder / "laravel-echo-server.lock").unlink(missing_ok=True)  # left by one that was killed
    program = folder / "node_modules" / "laravel-echo-server" / "bin" / "server.js"
    command = [str(environment.tools.node), str(program), "start", "--force", f"--dir={folder}"]

    def subscribed() -> bool:
        with environment.redis.client() as client:
            return int(client.pubsub_numpat()) > 0

    with _peer(environment, "echo", command, folder, port, ready=subscribed) as process:
        yield Measured(
            port,
            process,
            echo(environment.day),
            path="/socket.io/?EIO=3&transport=websocket",
            publishing=Publishing(environment.redis_port, f"attendance-{environment.day}"),
        )


def _peer(
    environment: Environment,
    name: str,
    command: list[str],
    folder: Path,
    port: int,
    more: dict[str, str] | None = None,
    ready: Callable[[], bool] | None = None,
) -> AbstractContextManager[int]:
    env = {
        **os.environ,
        "NODE_ENV": "production",
        "PORT": str(port),
        "REDIS_URL": environment.redis.url,
        "BENCH_DATE": environment.day.isoformat(),
        "BENCH_OTHER_DATE": environment.other_day.isoformat(),
        **(more or {}),
    }
    return running(
        command,
        ready=ready or (lambda: answers_graphql(port)),
        env=env,
        folder=folder,
        log=environment.folder / f"{name}.log",
        cores=environment.server_cores,
    )


SERVERS = {
    server.name: server
    for server in (
        Server("memberstaff", "this server, on PostgreSQL and Redis, with logins", _memberstaff(), is_peer=False),
        Server("two-workers", "the same server as two processes", _memberstaff(workers=2), is_peer=False),
        Server(
            "event-streams", "the same server, by SSE instead of sockets", _memberstaff(streams=True), is_peer=False
        ),
        Server("pusher", "the same server, for Laravel Echo: its Pusher protocol", _pusher, is_peer=False),
        Server("strawberry", "Strawberry, FastAPI and broadcaster, as usually put together", _naive),
        Server("apollo", "Apollo Server, Express, graphql-ws", _node("apollo"), "node"),
        Server("mercurius", "Mercurius on Fastify, with its just-in-time compiler", _node("mercurius"), "node"),
        Server(
            "mercurius-pg", "Mercurius with `pg`: the same transaction in the same PostgreSQL", _mercurius_pg, "node"
        ),
        Server("resolver", "memberstaff without HTTP, GraphQL and Redis", _marks(from_the_resolver), is_peer=False),
        Server("pgbench", "the statements of memberstaff's marks alone", _marks(by_pgbench), is_peer=False),
        Server("echo", "laravel-echo-server: no GraphQL, events come from Redis", _echo, "echo", is_peer=False),
    )
}


def chosen(names: list[str]) -> list[Server]:
    """The servers with these names. Raises Unable for one that is not known."""
    for name in names:
        if name not in SERVERS:
            raise Unable(f"There is no server {name!r}; these are known: {', '.join(SERVERS)}.")
    return [SERVERS[name] for name in names]
