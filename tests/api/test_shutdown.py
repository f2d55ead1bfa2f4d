"""A server that stops lets nobody hang: sockets are told to come back, streams are closed, and it ends."""

from __future__ import annotations

import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

from memberstaff.access import Role
from tests.clock import TODAY
from tests.databases import Engine
from tests.installation import Installation, install
from tests.waiting import WAIT_SECONDS, until

DOCUMENT = f'subscription {{ attendanceUpdated(date: "{TODAY}") {{ status }} }}'


async def stop(office: Installation) -> None:
    """Ask the server to stop, as SIGTERM does, and wait until nobody is connected any more."""
    office.address.server.should_exit = True
    await until(lambda: not office.address.server.server_state.connections)


@pytest.fixture
def engine() -> Engine:
    """Sockets and streams know no database."""
    return "sqlite"


async def test_a_socket_is_told_to_come_back(furnished_url: str) -> None:
    async with install(furnished_url, drain_seconds=0.1) as office, office.watching(TODAY) as board:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.gather(stop(office), board.receive())
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012


async def test_an_event_stream_does_not_hold_up_the_stop(furnished_url: str) -> None:
    async with install(furnished_url, drain_seconds=0.1) as office:
        headers = {"Authorization": f"Bearer {office.tokens[Role.VIEWER]}", "Accept": "text/event-stream"}
        request = office.http.stream("POST", "/graphql", json={"query": DOCUMENT}, headers=headers)
        async with request as response, asyncio.timeout(WAIT_SECONDS):
            await stop(office)
            assert "event: complete" not in await broken_off(response)


async def broken_off(response: object) -> list[str]:
    """The lines of a stream whose connection is closed in the middle."""
    lines: list[str] = []
    try:
        async for line in response.aiter_lines():  # type: ignore[attr-defined]
            lines.append(line)
    except Exception as error:
        assert type(error).__name__ == "RemoteProtocolError"
    return lines
