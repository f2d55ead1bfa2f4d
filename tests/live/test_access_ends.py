"""A login that has ended loses its open sockets too, on every server, with Redis and without."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import date

import pytest
import websockets
from websockets.exceptions import ConnectionClosed

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.accounts import directory
from tests.clock import TODAY, TurnedClock
from tests.databases import Engine
from tests.front_ends import Socket
from tests.infrastructure.redis import RedisServer
from tests.installation import WS, Installation, email, install, renew_tokens
from tests.waiting import until


@pytest.fixture
def engine() -> Engine:
    """How it is told from one server to the other; what is asked of the database is for tests/services to show."""
    return "sqlite"


@pytest.fixture
async def servers(postgres_url: str, own_redis: RedisServer) -> AsyncIterator[tuple[Installation, Installation]]:
    """Two servers whose polls are a minute apart: what ends sooner was told by the notifier."""
    async with (
        install(postgres_url, clock=TurnedClock(), broadcast_url=own_redis.url, poll_seconds=60) as one,
        install(
            postgres_url, clock=TurnedClock(), furnish=False, broadcast_url=own_redis.url, poll_seconds=60
        ) as other,
    ):
        await until(lambda: one.application.notifier.subscribed and other.application.notifier.subscribed)
        yield one, other


async def ending(socket: Socket) -> tuple[int, str]:
    """Code and reason with which the server closes a socket on which nothing else happens."""
    with pytest.raises(ConnectionClosed) as closed:
        await socket.receive()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def test_logging_out_on_one_server_closes_the_sockets_on_the_other(
    servers: tuple[Installation, Installation],
) -> None:
    one, other = servers
    other.tokens = dict(one.tokens)
    async with other.watching(TODAY, Role.VIEWER) as wall, other.watching(TODAY, Role.MARKER) as desk:
        await one.viewer.ask("mutation { logout { errors { message } } }")
        assert (await ending(wall))[0] == 4401
        await one.marker.mark(one.staff["Amina"], TODAY, status="LATE")
        assert (await desk.change())["staffName"] == "Amina"


async def test_a_disabled_account_loses_its_sockets(servers: tuple[Installation, Installation]) -> None:
    one, other = servers
    async with other.socket(Role.VIEWER) as idle:
        async with one.application.database.write() as work:
            work.caller = COMMAND_LINE
            viewer = await directory.find(work, email(Role.VIEWER))
            await directory.disable(work, viewer.id)
        assert (await ending(idle))[0] == 4401


async def test_a_changed_role_makes_its_sockets_come_again(servers: tuple[Installation, Installation]) -> None:
    one, other = servers
    async with other.watching(TODAY, Role.MARKER) as desk:
        async with one.application.database.write() as work:
            work.caller = COMMAND_LINE
            marker = await directory.find(work, email(Role.MARKER))
            await directory.set_role(work, marker.id, Role.VIEWER)
        assert await ending(desk) == (4403, "Your role has changed. Connect again.")


async def test_without_redis_access_ends_with_the_next_poll(postgres_url: str, own_redis: RedisServer) -> None:
    async with install(postgres_url, clock=TurnedClock(), broadcast_url=own_redis.url, poll_seconds=0.2) as office:
        async with office.watching(TODAY, Role.VIEWER) as wall:
            own_redis.kill()
            await office.viewer.ask("mutation { logout { errors { message } } }")
            assert (await ending(wall))[0] == 4401


async def test_servers_that_do_not_hear_each_other_end_access_with_the_next_poll(furnished_url: str) -> None:
    async with (
        install(furnished_url, clock=TurnedClock(), poll_seconds=0.2) as one,
        install(furnished_url, clock=TurnedClock(), furnish=False, poll_seconds=0.2) as other,
    ):
        other.tokens = dict(one.tokens)
        async with other.watching(TODAY, Role.VIEWER) as wall, other.watching(TODAY, Role.MARKER) as desk:
            await one.viewer.ask("mutation { logout { errors { message } } }")
            assert (await ending(wall))[0] == 4401
            async with one.application.database.write() as work:
                work.caller = COMMAND_LINE
                marker = await directory.find(work, email(Role.MARKER))
                await directory.set_role(work, marker.id, Role.VIEWER)
            assert await ending(desk) == (4403, "Your role has changed. Connect again.")


async def test_a_socket_closes_when_its_token_expires(furnished_url: str) -> None:
    clock = TurnedClock()
    async with install(furnished_url, clock=clock, poll_seconds=0.05) as office:
        async with office.watching("2026-01-12", Role.VIEWER) as wall:
            clock.turn(minutes=15)
            code, reason = await ending(wall)
            assert code == 4403
            assert reason.startswith("The access token has expired.")


async def test_an_event_stream_ends_with_its_login(furnished_url: str) -> None:
    clock = TurnedClock()
    document = 'subscription { attendanceUpdated(date: "2026-01-12") { status } }'
    async with install(furnished_url, clock=clock, poll_seconds=0.05) as office:
        headers = {"Authorization": f"Bearer {office.tokens[Role.VIEWER]}", "Accept": "text/event-stream"}
        body = {"query": document}
        async with office.http.stream("POST", "/graphql", json=body, headers=headers) as response:
            await until(lambda: office.application.feed.followers(date(2026, 1, 12)) == 1)
            clock.turn(minutes=15)
            lines = [line async for line in response.aiter_lines()]
        assert any("UNAUTHENTICATED" in line for line in lines)
        assert "event: complete" in lines


async def renewed(office: Installation, role: Role) -> str:
    """A fresh access token of the role's account, by logging in again."""
    await renew_tokens(office)
    return office.tokens[role]


async def test_a_ping_with_a_fresh_token_keeps_the_socket_open(furnished_url: str) -> None:
    clock = TurnedClock()
    async with install(furnished_url, clock=clock, poll_seconds=0.05) as office:
        async with office.watching("2026-01-12", Role.MARKER) as desk:
            clock.turn(minutes=14)
            token = await renewed(office, Role.MARKER)
            await desk.send(type="ping", payload={"authorization": f"Bearer {token}"})
            assert await desk.receive() == {"type": "pong"}
            clock.turn(minutes=5)
            await office.application.access_watcher.check()
            await office.marker.mark(office.staff["Amina"], "2026-01-12", status="LATE")
            assert (await desk.change())["staffName"] == "Amina"
            clock.turn(minutes=15)
            assert (await ending(desk))[0] == 4403


async def test_a_ping_with_somebody_elses_token_ends_the_socket(furnished_url: str) -> None:
    async with install(furnished_url) as office, office.socket(Role.VIEWER) as wall:
        await wall.send(type="ping", payload={"authorization": f"Bearer {office.tokens[Role.ADMIN]}"})
        assert (await ending(wall))[0] == 4403


async def test_an_account_and_an_address_have_so_many_sockets_at_most(furnished_url: str) -> None:
    async with install(furnished_url, max_sockets_per_account=2, max_sockets_per_address=3) as office:
        async with office.socket(Role.VIEWER), office.socket(Role.VIEWER):
            third = await refused_socket(office, Role.VIEWER)
            assert third == (1013, "Too many connections from this account; close some. Retry-After: 5")
            async with office.socket(Role.MARKER):
                fourth = await refused_socket(office, Role.ADMIN)
                assert fourth == (1013, "Too many connections from this address; close some. Retry-After: 5")
        async with office.socket(Role.VIEWER), office.socket(Role.VIEWER):
            pass


async def refused_socket(office: Installation, role: Role) -> tuple[int, str]:
    """Code and reason with which a new socket is turned away."""
    async with websockets.connect(f"{office.address.ws}/graphql", subprotocols=[WS]) as connection:
        socket = Socket(connection)
        with suppress(ConnectionClosed):
            await socket.send(type="connection_init", payload={"authorization": f"Bearer {office.tokens[role]}"})
        return await ending(socket)
