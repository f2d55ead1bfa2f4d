"""What happens when all boards come back at once: `.venv/bin/python -m benchmarks.storm`, with and without the rule.

Each board, of an account and an address of its own, reads a day that no cache has, opens a socket and subscribes. It
gives up after a while, as browsers and proxies do, and comes again as our clients do. Meanwhile somebody else asks
whether the server lives, and marks. "Without" is the same server without a bound on what it does at once.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import random
import re
import struct
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.environment import Environment, running_environment
from benchmarks.tools import Tools
from tests.raw_sockets import frame

BOARD = """query ($date: Date!) { attendanceDay(date: $date) { id state label summary { total present late absent }
  records(first: 200) { feedCursor rosterVersion edges { node {
    id staffId staffName status note version sequence } } } } }"""
STATE = "subscription ($date: Date!) { attendanceDayUpdated(date: $date) { sequence rosterVersion summary { total } } }"
MARK = """mutation ($i: UpdateAttendanceInput!) { updateAttendance(input: $i) {
  attendance { updatedAt } errors { message } } }"""
RETRY_AFTER = re.compile(rb"Retry-After: (\d+)$")
UNBOUNDED = "import memberstaff.application\nmemberstaff.application.ADMITTED_AT_ONCE = 10**9\n"
"""A sitecustomize.py of the server without the rule."""


class Refused(Exception):
    """For so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


@dataclass
class Storm:
    """Boards that come at once, and what became of them."""

    port: int
    process: int
    environment: Environment
    patience: float
    refused: int = 0
    given_up: int = 0
    """Attempts that took longer than a client waits."""
    stood_after: list[float] = field(default_factory=list)
    open: list[asyncio.StreamWriter] = field(default_factory=list)
    """Of boards that stand."""
    lives: list[float] = field(default_factory=list)
    marks: list[float] = field(default_factory=list)

    @property
    def day(self) -> str:
        return self.environment.day.isoformat()

    async def post(self, token: str, address: str, query: str, **variables: Any) -> Any:
        """The answer, over a connection of its own."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        head = (
            f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {address}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(head.encode() + body)
            return json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
        finally:
            writer.transport.abort()

    async def board(self, number: int, began: float) -> None:
        """Come until it stands."""
        token, address = self.environment.logins[number], f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        failures = 0
        while True:
            seconds = 0.0
            try:
                async with asyncio.timeout(self.patience):
                    answer = await self.post(token, address, BOARD, date=self.day, unused=random.random())
                if errors := answer.get("errors"):
                    raise Refused(errors[0]["extensions"]["retryAfter"])
                async with asyncio.timeout(self.patience):
                    await self.subscribe(token, address)
                self.stood_after.append(time.monotonic() - began)
                return
            except Refused as refused:
                self.refused += 1
                seconds = refused.seconds
            except (TimeoutError, OSError, asyncio.IncompleteReadError, ValueError):
                self.given_up += 1
            await asyncio.sleep(seconds + min(0.5 * 2**failures, 10) * random.uniform(0.5, 1))
            failures += 1

    async def subscribe(self, token: str, address: str) -> None:
        """Open a socket and wait for the day's state, which is sent on subscribing; the socket stays."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(
                f"GET /graphql HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {address}\r\nConnection: Upgrade\r\n"
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n"
                f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n".encode()
            )
            await reader.readuntil(b"\r\n\r\n")
            writer.write(frame({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
            await self.hear(reader)
            payload = {"query": STATE, "variables": {"date": self.day}}
            writer.write(frame({"type": "subscribe", "id": "1", "payload": payload}))
            await self.hear(reader)
        except BaseException:
            writer.transport.abort()
            raise
        self.open.append(writer)

    async def hear(self, reader: asyncio.StreamReader) -> None:
        """A message. Raises Refused for a close with 1013."""
        first, length = await reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack(">H", await reader.readexactly(2))
        content = await reader.readexactly(length)
        if first & 15 == 8:
            found = RETRY_AFTER.search(content)
            raise Refused(float(found[1]) if found else 5.0)

    async def live(self) -> None:
        """Ask for /health/live, for ever."""
        while True:
            began = time.monotonic()
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            await reader.read()
            writer.transport.abort()
            self.lives.append(time.monotonic() - began)
            await asyncio.sleep(0.05)

    async def mark(self) -> None:
        """Mark somebody on another day, so that no board is read anew for it, for ever."""
        target = {"staffDate": {"staffId": self.environment.staff_id, "date": self.environment.other_day.isoformat()}}
        while True:
            began = time.monotonic()
            change = {"target": target, "status": random.choice(["LATE", "PRESENT"]), "note": str(began)}
            answer = await self.post(self.environment.token, "10.255.0.1", MARK, i=change)
            assert not answer.get("errors"), answer
            self.marks.append(time.monotonic() - began)
            await asyncio.sleep(0.2)

    async def run(self, boards: int, longest: float) -> str:
        """All of it; what was found, in a line of a table."""
        await self.post(self.environment.token, "10.255.0.1", BOARD, date=self.day)  # prepared, and connected
        others = [asyncio.create_task(each) for each in (self.live(), self.mark())]
        await asyncio.sleep(1)
        self.lives.clear()
        self.marks.clear()
        clock = (~self.process << 3) | 2  # of the process's CPU time: see clock_getcpuclockid(3)
        computed, began = time.clock_gettime(clock), time.monotonic()
        coming = [asyncio.create_task(self.board(number, began)) for number in range(boards)]
        with suppress(TimeoutError):
            async with asyncio.timeout(longest):
                await asyncio.gather(*coming)
        computed = time.clock_gettime(clock) - computed
        for task in (*coming, *others):
            if task.done() and not task.cancelled():
                task.result()
            task.cancel()
        await asyncio.gather(*coming, *others, return_exceptions=True)
        ordered = sorted(self.stood_after) + [float("inf")] * (boards - len(self.stood_after))
        for writer in self.open:
            writer.transport.abort()
        return (
            f"{len(self.stood_after):,} stand; half of them after {ordered[boards // 2]:.1f} s, all after "
            f"{ordered[-1]:.1f} s; {computed:.1f} s of CPU; {self.refused:,} refused, {self.given_up:,} given up; "
            f"longest wait for /health/live {max(self.lives, default=0) * 1_000:,.0f} ms, "
            f"for a mark {max(self.marks, default=0) * 1_000:,.0f} ms"
        )


def main() -> None:
    """Measure both, and print what was found."""
    words = argparse.ArgumentParser(prog="python -m benchmarks.storm", description=__doc__)
    words.add_argument("--boards", type=int, default=5_000)
    words.add_argument(
        "--patience", type=float, default=15.0, help="seconds after which a client gives up; default: 15"
    )
    words.add_argument("--longest", type=float, default=240.0, help="seconds after which a storm is given up")
    given = words.parse_args()
    machine.allow_many_files()
    with tempfile.TemporaryDirectory() as name:
        folder, cores = Path(name), sorted(os.sched_getaffinity(0))
        (folder / "unbounded").mkdir()
        (folder / "unbounded" / "sitecustomize.py").write_text(UNBOUNDED, encoding="utf-8")
        tools = Tools(Path(), Path(), None, {})
        with running_environment(tools, folder, {cores[0]}, durable=True, subscribers=given.boards) as environment:
            os.sched_setaffinity(0, set(cores[1:]) or set(cores))
            settings = {"MEMBERSTAFF_TRUSTED_PROXIES": "127.0.0.1", "MEMBERSTAFF_ALLOWED_HOSTS": "localhost"}
            for what, more in (("with the rule", {}), ("without", {"PYTHONPATH": str(folder / "unbounded")})):
                with (
                    environment.database() as database,
                    environment.memberstaff(database, {**settings, **more}) as (port, process),
                ):
                    storm = Storm(port, process, environment, given.patience)
                    print(f"{what}: {asyncio.run(storm.run(given.boards, given.longest))}", flush=True)


if __name__ == "__main__":
    main()
