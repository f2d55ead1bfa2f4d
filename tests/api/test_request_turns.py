"""Whoever comes from elsewhere does not stand behind all that one client has sent."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from memberstaff.server.uvicorn_http import HttpProtocol
from tests.api.toy import ToyHost, toy
from tests.certificates import self_signed
from tests.serving import Address, serving
from tests.waiting import until

REQUEST = (
    b"GET /graphql?query=%7B%20hello%20%7D HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer victor-token\r\n\r\n"
)
MANY, ELSEWHERE = "127.0.0.1", "127.0.0.2"


@contextmanager
def clients(address: Address, sources: Sequence[str], first: bytes) -> Iterator[list[socket.socket]]:
    """Connections from these addresses, which have sent this before the loop sees any of them."""
    with ExitStack() as stack:
        there = ("127.0.0.1", address.port)
        found = [stack.enter_context(socket.create_connection(there, source_address=(source, 0))) for source in sources]
        for each in found:
            each.sendall(first)
        yield found


def protocols(address: Address) -> list[HttpProtocol]:
    """Of the open connections."""
    return [each for each in address.server.server_state.connections if isinstance(each, HttpProtocol)]


def wait_for_its_turn(protocol: HttpProtocol) -> None:
    """Receive a request just after another one of the network has had its turn."""
    assert protocol.slot is not None
    assert protocol.slot.takes_turn(lambda: None)
    protocol.data_received(REQUEST)
    assert protocol.held == REQUEST


def places(host: ToyHost, source: str) -> list[int]:
    """When the requests of an address were begun, among all."""
    return [place for place, context in enumerate(host.contexts) if context.connection.address == source]


@pytest.mark.parametrize(("trusted", "place"), [("", 1), ("127.0.0.0/8", 40)])
async def test_a_request_from_elsewhere_is_begun_beside_the_first_of_many(trusted: str, place: int) -> None:
    app, host = toy(trusted_proxies=trusted)
    async with serving(app, host.settings) as address:
        with clients(address, [MANY] * 40 + [ELSEWHERE], REQUEST):
            await until(lambda: len(host.contexts) == 41)
    assert places(host, ELSEWHERE) == [place]


async def test_a_byte_sent_ahead_is_no_turn_for_the_rest() -> None:
    app, host = toy()
    async with serving(app, host.settings) as address:
        with clients(address, [MANY] * 40, REQUEST[:1]) as many:
            await until(lambda: len(protocols(address)) == 40 and all(each.unparsed for each in protocols(address)))
            with clients(address, [ELSEWHERE], REQUEST[:1]) as elsewhere:
                await until(lambda: sum(each.unparsed for each in protocols(address)) == 41)
                for each in (*many, *elsewhere):
                    each.sendall(REQUEST[1:])
                await until(lambda: len(host.contexts) == 41)
    assert places(host, ELSEWHERE)[0] <= 1


async def test_each_request_of_a_pipeline_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    """How many requests there were at the end of each iteration."""
    app, host = toy()
    async with serving(app, host.settings) as address:
        loop = asyncio.get_running_loop()

        def count() -> None:
            begun.append(len(host.contexts))
            counting[0] = loop.call_soon(count)

        counting = [loop.call_soon(count)]
        with clients(address, [MANY] * 10, REQUEST * 10):
            await until(lambda: len(host.contexts) == 100)
        counting[0].cancel()
    assert max(after - before for before, after in pairwise(begun)) == 1


@pytest.mark.parametrize("withheld", [0, 1, 7, 200], ids=["nothing", "a byte", "two headers", "most of it"])
async def test_handshakes_of_tls_wait_for_their_turns(
    withheld: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also those whose clients have connected before, and all begin at one moment."""
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    hello = outgoing.read()
    begun: list[int] = []
    """The iterations in which handshakes began."""
    app, host = toy()
    options: dict[str, Any] = {**self_signed(tmp_path)}
    async with serving(app, host.settings, **options) as address:
        loop = asyncio.get_running_loop()
        accept = loop.connect_accepted_socket

        def began(*arguments: Any, **options: Any) -> Awaitable[Any]:
            begun.append(iterations[0])
            return accept(*arguments, **options)

        def count() -> None:
            iterations[0] += 1
            counting[0] = loop.call_soon(count)

        monkeypatch.setattr(loop, "connect_accepted_socket", began)
        iterations, counting = [0], [loop.call_soon(count)]
        with clients(address, [MANY] * 10, hello[:withheld]) as strangers:
            await until(lambda: len(address.server.server_state.connections) == 10)
            assert begun == []
            for stranger in strangers:
                stranger.sendall(hello[withheld:])
            await until(lambda: len(begun) == 10)
        counting[0].cancel()
    assert len(set(begun)) == 10


async def test_an_idle_connection_is_kept_for_longer_than_by_clients_and_proxies() -> None:
    """A request that is sent while the server closes is lost; nginx and load balancers wait for a minute."""
    app, host = toy()
    async with serving(app, host.settings) as address:
        with clients(address, [MANY], REQUEST):
            await until(lambda: len(protocols(address)) == 1)
            [protocol] = protocols(address)
            await until(lambda: protocol.timeout_keep_alive_task is not None)
            timer = protocol.timeout_keep_alive_task
            assert timer is not None
            remaining = timer.when() - asyncio.get_running_loop().time()
            assert 60 < remaining <= 75


async def test_no_time_of_a_client_passes_while_it_waits_for_its_turn() -> None:
    """Neither that in which it may be idle, nor that in which its head has to be complete."""
    app, host = toy()
    async with serving(app, host.settings) as address:
        with clients(address, [MANY], b""):
            await until(lambda: len(protocols(address)) == 1)
            [protocol] = protocols(address)
            for number in range(2):
                assert [protocol.headers_timeout_timer is None, protocol.timeout_keep_alive_task is None] == [
                    number == 1,
                    number == 0,
                ]
                wait_for_its_turn(protocol)
                assert protocol.timeout_keep_alive_task is None
                protocol.start_headers_timer()
                protocol.headers_timed_out()
                assert not protocol.transport.is_closing()
                await until(lambda: protocol.timeout_keep_alive_task is not None)
    assert len(host.contexts) == 2


async def test_a_request_that_waits_for_its_turn_is_answered_by_a_server_that_stops() -> None:
    app, host = toy()
    async with serving(app, host.settings) as address:
        with clients(address, [MANY], b"") as [client]:
            await until(lambda: len(protocols(address)) == 1)
            [protocol] = protocols(address)
            wait_for_its_turn(protocol)
            protocol.shutdown()
            answer = await asyncio.to_thread(client.recv, 1_000)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close" in answer.lower()
