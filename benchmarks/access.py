"""`python -m benchmarks.access`: how soon a revoked login loses what it has open, and what watching over all costs.

Once with a login on each of thousands of sockets, of which some are revoked on another server: heard by Redis, and
found by the poll alone. And once with 100,000 sessions in one process without sockets, by their number alone.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import websockets.sync.client
from websockets import Subprotocol
from websockets.exceptions import ConnectionClosed

from benchmarks import machine
from benchmarks.documents import ours
from benchmarks.environment import Environment, running_environment
from benchmarks.load import Result, command
from benchmarks.machine import Unable
from benchmarks.processes import Failed, post
from benchmarks.scenarios import Fan
from benchmarks.servers import Measured
from benchmarks.tools import prepare
from memberstaff.access import Role
from memberstaff.accounts.access_watcher import AccessWatcher
from memberstaff.accounts.sessions import end_session
from memberstaff.accounts.tokens import Claims
from memberstaff.db.database import Database
from memberstaff.db.tables import account, session
from schema.asgi import COLLECTED_AFTER

REVOKED = 10
"""Logins that are revoked, one by one."""
HOLD_SECONDS = 40.0
"""How long the other sockets stay; all are revoked by then."""
POLL_SECONDS = 2.0
LOGOUT = '{"query":"mutation { logout { errors { message } } }"}'


def on_sockets(environment: Environment, sockets: int, *, redis: bool) -> Result:
    """Seconds from the logout on another server to the close of a socket, with so many others open."""
    more = {} if redis else {"MEMBERSTAFF_BROADCAST_URL": "memory://"}
    with (
        environment.database() as database,
        environment.memberstaff(database, {"MEMBERSTAFF_METRICS": "true", **more}) as (port, process),
        environment.memberstaff(database, more) as (desk, _),
    ):
        probes, logins = environment.logins[:REVOKED], environment.logins[REVOKED:sockets]
        board = Measured(port, process, ours(environment.day, environment.staff_id), logins=logins)
        case = Fan("", len(logins), rest_seconds=1, hold_seconds=HOLD_SECONDS)
        load = subprocess.Popen(command(case, board, environment), stdout=subprocess.PIPE)
        try:
            while _watched(port) < len(logins):
                if load.poll() is not None:
                    raise Failed("the load generator ended too early")
                time.sleep(0.5)
            took = [_revoked(port, desk, token) for token in probes]
            held: Result = json.loads(load.communicate(timeout=3 * HOLD_SECONDS)[0])
        finally:
            load.kill()
            load.wait()
    names = ("subscribers", "connect_s", "rss_kib_per_subscriber", "idle_cpu_share", "lost_connections")
    return {**_spread(took), **{name: held[name] for name in names}}


def _watched(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    name = "memberstaff_connections_watched "
    return next(int(float(line.removeprefix(name))) for line in lines if line.startswith(name))


def _revoked(port: int, desk: int, token: str) -> float:
    headers = {"Authorization": f"Bearer {token}"}
    address = f"ws://127.0.0.1:{port}/graphql"
    with websockets.sync.client.connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": headers["Authorization"]}}))
        assert json.loads(socket.recv()) == {"type": "connection_ack"}
        began = time.monotonic()
        post(desk, LOGOUT, headers)
        with suppress(ConnectionClosed):
            while True:
                socket.recv(timeout=60)
        return time.monotonic() - began


class Door:
    """Something open, without a socket."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def end(self, _code: int, _reason: str) -> None:
        """It takes note."""
        self.ended.set()


async def in_process(url: str, count: int) -> Result:
    """What so many sessions cost the process that watches over them."""
    database, elsewhere = (Database(url, zone=ZoneInfo("UTC")) for _ in range(2))
    watcher = AccessWatcher(database, poll_seconds=POLL_SECONDS)
    claims = await _sessions(elsewhere, count)
    doors = [Door() for _ in claims]
    found: Result = {"sessions": count}
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)
    async with _cost(found, "admit all"):
        for start in range(0, count, 200):
            some = zip(doors[start : start + 200], claims[start : start + 200], strict=True)
            await asyncio.gather(*(watcher.admit(door, each) for door, each in some))
    async with _cost(found, "full check"):
        await watcher.check()
    async with _cost(found, "quiet check", times=100):
        for _ in range(100):
            await watcher.check()
    running = asyncio.create_task(watcher.run())
    took = []
    for door, each in zip(doors[:REVOKED], claims, strict=False):
        began = time.monotonic()
        await _end(elsewhere, [each])
        await door.ended.wait()
        took.append(time.monotonic() - began)
    found["revoked, found by the poll"] = _spread(took)
    at_once = slice(REVOKED, REVOKED + 1_000)
    async with _cost(found, "1,000 revoked at once"):
        await _end(elsewhere, claims[at_once])
        await asyncio.gather(*(door.ended.wait() for door in doors[at_once]))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for each_database in (database, elsewhere):
        await each_database.close()
    return found


async def _sessions(database: Database, count: int) -> list[Claims]:
    """So many accounts with a session each, inserted as rows."""
    async with database.write() as work:
        lasting, expires_at = {"created_at": work.now}, work.now + timedelta(days=1)
        named = {"display_name": "Desk", "role": Role.MARKER, **lasting}
        first = 1_000_000
        numbers = range(first, first + count)
        await work.write(account.insert(), [{"id": number, **named} for number in numbers])
        of_session = {"expires_at": expires_at, **lasting}
        rows = [{"id": f"session {number}", "account_id": number, **of_session} for number in numbers]
        await work.write(session.insert(), rows)
    return [Claims(f"session {number}", number, expires_at) for number in numbers]


async def _end(database: Database, several: Sequence[Claims]) -> None:
    async with database.write() as work:
        for claims in several:
            await end_session(work, claims.session_id)


@asynccontextmanager
async def _cost(found: Result, name: str, *, times: int = 1) -> AsyncIterator[None]:
    """CPU and wall time of the block, each time, and the most CPU time between two turns of something else."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            began = time.thread_time()  # the machine's other work does not count
            await asyncio.sleep(0.002)
            longest = max(longest, time.thread_time() - began)

    ticking = asyncio.create_task(tick())
    cpu, wall = time.process_time(), time.monotonic()
    yield
    await asyncio.sleep(0.01)  # for the last tick
    found[name] = {
        "cpu_ms": round((time.process_time() - cpu) * 1_000 / times, 2),
        "wall_ms": round((time.monotonic() - wall) * 1_000 / times, 2),
        "longest_stall_ms": round(longest * 1_000, 1),
    }
    ticking.cancel()


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    return {"median_s": round(median(seconds), 4), "longest_s": round(max(seconds), 4)}


def main() -> None:
    """Print what was found, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.access", description=__doc__)
    parser.add_argument("--sockets", type=int, default=15_000, help="with a login each; 0: leave them out")
    parser.add_argument("--sessions", type=int, default=100_000, help="in one process; 0: leave them out")
    options = parser.parse_args()
    machine.require_linux()
    machine.allow_many_files()
    server_cores, other_cores = machine.cores()
    found: dict[str, Any] = {"machine": machine.describe()}
    tools = prepare([])
    machine.keep_to(other_cores)
    with (
        tempfile.TemporaryDirectory(prefix="ms-bench-") as folder,
        running_environment(
            tools, Path(folder), server_cores, durable=True, subscribers=options.sockets
        ) as environment,
    ):
        if options.sockets:
            found["sockets, heard by Redis"] = on_sockets(environment, options.sockets, redis=True)
            found["sockets, by the poll alone"] = on_sockets(environment, options.sockets, redis=False)
        if options.sessions:
            with environment.database() as database:
                machine.keep_to(server_cores)
                found["in one process"] = asyncio.run(in_process(database, options.sessions))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    try:
        main()
    except (Unable, Failed) as reason:
        sys.exit(str(reason))
