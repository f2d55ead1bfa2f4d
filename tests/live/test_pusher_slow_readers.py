"""An Echo client that stops reading: bounded memory here, no delay for the others, and a real end."""

from __future__ import annotations

import asyncio
import socket as plain
from typing import Any

import pytest

from memberstaff.changes import Status
from tests.clock import TurnedClock
from tests.databases import Engine
from tests.installation import Installation, install
from tests.live.slow import MOST_WAITING, sockets
from tests.pusher import KEY, echo
from tests.raw_sockets import frame, raw_socket
from tests.soak.leaks import fill, hire
from tests.waiting import until


async def stuck_client(office: Installation) -> plain.socket:
    """A socket that subscribes to the public channel and then never reads again."""
    raw = await raw_socket(office.address, f"/app/{KEY}?protocol=7", protocol="")
    message = {"event": "pusher:subscribe", "data": {"channel": "attendance"}}
    await asyncio.get_running_loop().sock_sendall(raw, frame(message))
    return raw


@pytest.fixture
def engine() -> Engine:
    """Buffers of sockets know no database."""
    return "sqlite"


async def test_an_echo_client_that_stops_reading_delays_nobody_and_is_cut_off(
    furnished_url: str, clock: TurnedClock
) -> None:
    limits: dict[str, Any] = {"ping_seconds": 0.5, "silence_seconds": 1.5, "max_backlog_bytes": 65_536}
    async with install(
        furnished_url, clock=clock, poll_seconds=0.1, echo_key=KEY, echo_public=True, **limits
    ) as office:
        await hire(office, 500)
        async with echo(office) as lively:
            await lively.joined("attendance")
            heard: list[str] = []
            waiting: set[int] = set()

            async def read() -> None:
                while True:
                    heard.append((await lively.change())["cursor"])
                    waiting.update(each.transport.get_write_buffer_size() for each in sockets(office))

            reading = asyncio.create_task(read())
            with await stuck_client(office):
                await until(lambda: office.application.groups.members == 2)
                assert len(office.application.groups) == 1
                for each in sockets(office):  # or the kernel would take megabytes before it says that nobody reads
                    each.transport.get_extra_info("socket").setsockopt(plain.SOL_SOCKET, plain.SO_SNDBUF, 8_192)
                expected = 0
                for round_ in range(12):
                    expected += await fill(office, [Status.LATE, Status.PRESENT][round_ % 2])
                    await asyncio.sleep(0)
                await until(lambda: len(heard) == expected)
                await until(lambda: len(sockets(office)) == 1)
            assert not reading.done()
            reading.cancel()
            assert len(set(heard)) == expected
            assert 65_536 < max(waiting) < MOST_WAITING
