"""The clients of Laravel Echo, pusher-js 7 and 8, as a program that is told what to do; and laravel-echo-server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from memberstaff.access import Role
from tests.clients.conftest import HERE
from tests.clients.counting import Door
from tests.clients.program import Program, started
from tests.clock import TODAY
from tests.infrastructure.process import free_port, start, stop
from tests.infrastructure.redis import Redis
from tests.installation import PASSWORD, Installation, email
from tests.waiting import until

KEY = "the-old-app-key"


PUSHERS = {"pusher-js 7": 7, "pusher-js 8": 8}


QUICK: dict[str, Any] = {"echo_key": KEY, "poll_seconds": 0.05, "logins_per_minute": 100}


LATE: dict[str, Any] = {
    "staff_name": "Amina",
    "staff_category": "Teaching",
    "staff_photo": None,
    "status": "late",
    "note": "Bus",
    "reason": None,
    "photo_url": None,
    "date": TODAY,
    "arrived_at": "2026-01-12T08:00:00.000000Z",
    "left_at": None,
    "updated_at": "2026-01-12T08:00:00.000000Z",
}
"""What Laravel sent, less the ids, and the times, which it did not know."""


@asynccontextmanager
async def playing(workshop: Path, address: str) -> AsyncIterator[Program]:
    async with started(workshop, "players/echo.ts", address) as program:
        yield program


async def tell(program: Program, command: str, clients: Any = tuple(PUSHERS), **values: Any) -> None:
    """Have each client do something, and wait until it has begun."""
    for client in clients:
        about = {"client": client, "pusher": PUSHERS.get(client, 8), "key": KEY, "options": {}, **values}
        await program.tell(command, **about)
    await program.hear("done", command, *clients)


def bearing(installation: Installation, role: Role) -> dict[str, str]:
    """What a front end adds for channels that need a login; in a browser the address can be relative."""
    return {
        "authEndpoint": f"{installation.address.http}/broadcasting/auth",
        "bearerToken": installation.tokens[role],
    }


async def listening(program: Program, clients: Any, how: str, channel: str, **values: Any) -> None:
    """Clients with the original configuration, subscribed to a channel."""
    await tell(program, "open", clients, **values)
    await tell(program, how, clients, channel=channel)
    await program.hear("subscribed", channel, *clients)


async def late(installation: Installation, name: str = "Amina") -> dict[str, Any]:
    """Somebody is late; answers the data that Echo's listeners should be given."""
    answer = await installation.marker.mark(installation.staff[name], TODAY, status="LATE", note="Bus")
    record = answer["attendance"]
    fields = {"id": record["id"], "staff_id": installation.staff[name], **LATE, "staff_name": name}
    return {"attendanceData": fields, "cursor": record["feedCursor"]}


def all_said(program: Program, what: str) -> list[list[Any]]:
    """What each of the two clients has said of this kind."""
    return [program.said[client][what] for client in PUSHERS]


def without_note(data: dict[str, Any]) -> dict[str, Any]:
    """As somebody is sent it who may not read notes, nor when people came."""
    return {**data, "attendanceData": {**data["attendanceData"], "note": None, "arrived_at": None}}


async def live(program: Program, role: Role = Role.MARKER) -> None:
    """The example's clients, logged in."""
    await tell(program, "live", email=email(role), password=PASSWORD)


async def fourth_connection(door: Door) -> float:
    """Seconds from the first connection to the fourth."""
    await until(lambda: len(door.opened) >= 4)
    return door.opened[3] - door.opened[0]


@contextmanager
def laravel_echo_server(folder: Path, redis_server: Redis, prefix: str, auth_host: str, **login: str) -> Iterator[str]:
    """Unmodified, on a port of its own; `login` is its user on Redis."""
    url, port = make_url(redis_server.url), free_port()
    where = {"host": url.host, "port": url.port, "db": int(url.database or 0), "keyPrefix": prefix, **login}
    settings = {
        "authHost": auth_host,
        "authEndpoint": "/broadcasting/auth",
        "clients": [],
        "database": "redis",
        "databaseConfig": {"redis": {name: value for name, value in where.items() if value is not None}},
        "devMode": False,
        "host": "127.0.0.1",
        "port": str(port),
        "protocol": "http",
        "socketio": {},
        "subscribers": {"http": False, "redis": True},
    }
    (folder / "laravel-echo-server.json").write_text(json.dumps(settings))
    script = HERE / "echo-server" / "node_modules" / "laravel-echo-server" / "bin" / "server.js"
    with redis_server.client() as client:
        before = client.pubsub_numpat()
        process = start(
            ["node", script, "start", "--force", f"--dir={folder}"],
            log=folder / "log",
            ready=lambda: client.pubsub_numpat() > before,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)
