"""What a board costs while nothing happens: thousands of them are open all day."""

from __future__ import annotations

import asyncio
import gc
import socket
import tracemalloc
from contextlib import ExitStack
from datetime import date

from memberstaff.access import Role
from tests.clock import TODAY, TurnedClock
from tests.front_ends import WATCH
from tests.installation import Installation, install
from tests.live.slow import sockets
from tests.raw_sockets import frame, raw_socket
from tests.waiting import until

WARM, SOCKETS = 20, 100
MOST_BYTES = 10_000
"""For each socket: asyncio's own transport, of which uvloop's is a third, and the client's side included."""


async def test_an_idle_socket_keeps_few_bytes(postgres_url: str, clock: TurnedClock) -> None:
    async with install(postgres_url, clock=clock, max_sockets_per_account=1_000) as office:
        with ExitStack() as opened:
            await open_boards(office, opened, WARM)  # whatever is made once
            gc.collect()
            tracemalloc.start()
            try:
                await open_boards(office, opened, SOCKETS)
                gc.collect()
                kept = tracemalloc.get_traced_memory()[0] / SOCKETS
            finally:
                tracemalloc.stop()
            assert [vars(each) for each in sockets(office)] == [{}] * (
                WARM + SOCKETS
            )  # whatever uvicorn sets has a slot
        assert kept < MOST_BYTES


async def open_boards(office: Installation, opened: ExitStack, count: int) -> None:
    """Open sockets that follow today, and wait until all of them do."""
    loop = asyncio.get_running_loop()
    feed, day = office.application.feed, date.fromisoformat(TODAY)
    before = feed.followers(day)
    for _ in range(count):
        board: socket.socket = opened.enter_context(await raw_socket(office.address))
        token = f"Bearer {office.tokens[Role.VIEWER]}"
        await loop.sock_sendall(board, frame({"type": "connection_init", "payload": {"authorization": token}}))
        payload = {"query": WATCH, "variables": {"date": TODAY}}
        await loop.sock_sendall(board, frame({"type": "subscribe", "id": "1", "payload": payload}))
    await until(lambda: feed.followers(day) == before + count)
