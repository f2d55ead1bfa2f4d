"""How a socket of the Pusher protocol ends, and what it may take."""

from __future__ import annotations

from typing import Any

import pytest
import websockets

from memberstaff.access import Role
from tests.api.echoes import DAY
from tests.clock import TurnedClock
from tests.databases import Engine
from tests.installation import Installation, install
from tests.pusher import KEY, echo


@pytest.fixture
def engine() -> Engine:
    """Messages and limits of the protocol know no database."""
    return "sqlite"


@pytest.fixture
def installation_settings() -> dict[str, Any]:
    return {"echo_key": KEY, "poll_seconds": 0.05}


async def test_a_logout_closes_the_socket_for_good(installation: Installation) -> None:
    async with echo(installation) as client:
        await client.joined(DAY, Role.VIEWER)
        await installation.viewer.ask("mutation { logout { errors { code } } }")
        assert await client.closing() == (4009, "The session has been ended. Log in again.")


async def test_an_expired_token_makes_the_client_come_back(installation: Installation, clock: TurnedClock) -> None:
    async with echo(installation) as client:
        await client.joined(DAY, Role.VIEWER)
        clock.turn(minutes=16)
        await installation.application.access_watcher.check()
        assert (await client.closing())[0] == 4100


async def test_a_socket_without_a_channel_is_closed_after_a_while(furnished_url: str) -> None:
    async with install(furnished_url, echo_key=KEY, echo_public=True, echo_idle_seconds=0.2) as installed:
        async with echo(installed) as idle, echo(installed) as client:
            await client.joined("attendance")
            assert await idle.closing() == (4100, "No channel was subscribed to")
            await client.send("pusher:ping", {})
            assert await client.hear() == {"event": "pusher:pong", "data": {}}
            await client.send("pusher:unsubscribe", {"channel": "attendance"})
            assert (await client.closing())[0] == 4100


@pytest.mark.parametrize(
    ("path", "origin", "code"),
    [
        ("/app/other?protocol=7", None, 4001),
        (f"/app/{KEY}?protocol=4", None, 4007),
        (f"/app/{KEY}", None, 4007),
        (f"/app/{KEY}?protocol=7", "https://stranger.example", 4009),
    ],
)
async def test_who_is_not_served_is_told_to_give_up(
    installation: Installation, path: str, origin: str | None, code: int
) -> None:
    options: dict[str, Any] = {"origin": origin} if origin else {}
    async with websockets.connect(installation.address.ws + path, **options) as connection:
        with pytest.raises(websockets.ConnectionClosed):
            await connection.recv()
        assert connection.close_code == code


async def test_without_a_key_nothing_is_served(furnished_url: str) -> None:
    async with install(furnished_url) as installed:
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(f"{installed.address.ws}/app/{KEY}?protocol=7")
        assert (await installed.http.post("/broadcasting/auth")).status_code == 404


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        "{}",
        '{"event":"client-typing","channel":"private-attendance","data":{}}',
        '{"event":"pusher:subscribe","data":{"channel":7}}',
        '{"event":"pusher:subscribe","data":{"channel":"attendance","auth":7}}',
        '{"event":"pusher:subscribe","data":"{"}',
        '{"event":"pusher:unsubscribe"}',
    ],
)
async def test_a_message_that_is_none_is_answered_and_the_socket_goes_on(installation: Installation, text: str) -> None:
    async with echo(installation) as client:
        await client.connection.send(text)
        assert (await client.hear())["event"] == "pusher:error"
        await client.send("pusher:ping", {})
        assert (await client.hear())["event"] == "pusher:pong"


async def test_too_many_messages_and_binary_ones_close_the_socket(furnished_url: str) -> None:
    async with install(furnished_url, echo_key=KEY, message_burst=3, messages_per_second=0.01) as installed:
        async with echo(installed) as client:
            for _ in range(4):
                await client.send("pusher:pong", {})
            assert await client.closing() == (4100, "Too many messages; slow down")
        async with echo(installed) as client:
            await client.connection.send(b"\x00")
            assert (await client.closing())[0] == 4100


async def test_channels_of_a_socket_and_sockets_of_an_account_are_limited(furnished_url: str) -> None:
    async with install(
        furnished_url, echo_key=KEY, max_operations_per_socket=1, max_sockets_per_account=1
    ) as installed:
        async with echo(installed) as one, echo(installed) as other:
            await one.joined(DAY, Role.VIEWER)
            assert (await one.subscribe("private-attendance", Role.VIEWER))["data"]["status"] == 429
            assert (await other.subscribe(DAY, Role.VIEWER))["data"]["status"] == 429


async def test_a_stop_tells_clients_to_come_back(furnished_url: str) -> None:
    async with install(furnished_url, echo_key=KEY, echo_public=True, drain_seconds=0.1) as installed:
        client_context = echo(installed)
        client = await client_context.__aenter__()
        await client.joined("attendance")
        installed.address.server.should_exit = True
        assert (await client.closing())[0] == 4100
        await client_context.__aexit__(None, None, None)
