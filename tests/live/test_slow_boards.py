"""A board that is slow or stuck: bounded memory here, no delay for the others, and a real end."""

from __future__ import annotations

import asyncio
import socket as plain
from datetime import date
from typing import Any

import pytest

from memberstaff.access import Role
from memberstaff.changes import Status
from memberstaff.live.watched_day import WatchedDay
from tests.clock import TODAY, TurnedClock
from tests.databases import Engine
from tests.front_ends import WATCH
from tests.installation import Installation, install
from tests.live.slow import MOST_WAITING, sockets
from tests.raw_sockets import frame, raw_socket
from tests.soak.leaks import fill, hire
from tests.waiting import until


@pytest.fixture
def engine() -> Engine:
    """Buffers of sockets know no database."""
    return "sqlite"


async def test_a_board_that_stops_reading_delays_nobody_and_is_cut_off(furnished_url: str, clock: TurnedClock) -> None:
    limits: dict[str, Any] = {"ping_seconds": 0.5, "silence_seconds": 4, "max_backlog_bytes": 65_536}
    async with install(furnished_url, clock=clock, poll_seconds=0.1, **limits) as office:
        await hire(office, 500)
        async with office.watching(TODAY, Role.MARKER) as lively:
            seen: list[int] = []
            waiting: set[int] = set()

            async def read() -> None:
                while True:
                    seen.append((await lively.change())["version"])
                    waiting.update(each.transport.get_write_buffer_size() for each in sockets(office))

            reading = asyncio.create_task(read())
            async with office.one_more_follower(TODAY):
                stuck = await stuck_client(office)
            for each in sockets(office):  # or the kernel would take megabytes before it says that nobody reads
                each.transport.get_extra_info("socket").setsockopt(plain.SOL_SOCKET, plain.SO_SNDBUF, 8_192)
            with stuck:
                expected = 0
                for round_ in range(12):
                    expected += await fill(office, [Status.LATE, Status.PRESENT][round_ % 2])
                    await asyncio.sleep(0)
                await until(lambda: len(seen) == expected)
                await until(lambda: office.application.feed.followers(date.fromisoformat(TODAY)) == 1)
                assert not reading.done()
                reading.cancel()
                assert 65_536 < max(waiting) < MOST_WAITING


async def stuck_client(office: Installation) -> plain.socket:
    """A socket that subscribes and then never reads again."""
    raw, loop = await raw_socket(office.address), asyncio.get_running_loop()
    token = f"Bearer {office.tokens[Role.VIEWER]}"
    await loop.sock_sendall(raw, frame({"type": "connection_init", "payload": {"authorization": token}}))
    payload = {"query": WATCH, "variables": {"date": TODAY}}
    await loop.sock_sendall(raw, frame({"type": "subscribe", "id": "1", "payload": payload}))
    return raw


async def test_a_slow_board_is_fed_from_the_log_at_its_own_pace(furnished_url: str, clock: TurnedClock) -> None:
    async with install(furnished_url, clock=clock, poll_seconds=0.1, recent_changes=50) as office:
        await hire(office, 300)
        async with office.watching(TODAY, Role.MARKER) as slow:
            expected = 0
            for round_ in range(6):
                expected += await fill(office, [Status.LATE, Status.PRESENT][round_ % 2])
            async with office.application.feed.watch(date.fromisoformat(TODAY)) as watched:
                await until(lambda: kept(watched) <= 100)
            versions = [(await slow.change())["version"] for _ in range(expected)]
            assert versions == sorted(versions)
            assert len(versions) == expected == 6 * 304


def kept(day: WatchedDay) -> int:
    """Changes that the process keeps in memory for the day."""
    return sum(day.since(position) is not None for position in range(day.position))
