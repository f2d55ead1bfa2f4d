"""No socket outlives its client, and a stop says "come back" to each client within its time."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from memberstaff.server.uvicorn_websocket import WebSocketProtocol
from tests.api.clients import INIT, PROTOCOL, SECONDS, connected
from tests.api.toy import toy
from tests.raw_sockets import frame, raw_socket
from tests.serving import Address, serving
from tests.waiting import until


async def begin(address: Address, **options: Any) -> ClientConnection:
    client = await connect(f"{address.ws}/graphql", subprotocols=[PROTOCOL], compression=None, **options)
    await client.send(json.dumps(INIT))
    assert json.loads(await client.recv()) == {"type": "connection_ack"}
    return client


async def subscribe(client: ClientConnection, query: str) -> None:
    await client.send(json.dumps({"type": "subscribe", "id": "a", "payload": {"query": query}}))


async def until_no_connections(address: Address) -> None:
    """Wait until the server holds no connection; it says nothing when one goes, so it is asked."""
    await until(lambda: not address.server.server_state.connections)


async def test_a_client_that_answers_pings_stays_however_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    pings = 0
    send = WebSocketProtocol.send_keepalive_ping

    def counting(self: WebSocketProtocol) -> None:
        nonlocal pings
        pings += 1
        send(self)

    monkeypatch.setattr(WebSocketProtocol, "send_keepalive_ping", counting)
    app, host = toy(ping_seconds=0.02, silence_seconds=0.5)
    async with serving(app, host.settings) as address:
        client = await begin(address)
        await until(lambda: pings > 30)  # one each 0.02 s, after the last one's pong: it has been silent for too long
        await client.send(json.dumps({"type": "ping"}))
        assert json.loads(await client.recv()) == {"type": "pong"}
        await client.close()


async def test_a_client_that_answers_no_ping_is_cut_off() -> None:
    app, host = toy(ping_seconds=0.02, silence_seconds=0.06)
    async with serving(app, host.settings) as address:
        client = await raw_socket(address)
        await until_no_connections(address)
        client.close()


async def test_a_client_that_stops_reading_is_cut_off_and_its_operation_ends() -> None:
    app, host = toy(ping_seconds=0.05, silence_seconds=0.15)
    async with serving(app, host.settings) as address:
        client = await raw_socket(address)
        flood = {"type": "subscribe", "id": "a", "payload": {"query": "subscription { flood }"}}
        await asyncio.get_running_loop().sock_sendall(client, frame(INIT) + frame(flood))
        await asyncio.wait_for(host.closed(1), SECONDS)
        await until_no_connections(address)
        client.close()
    assert [context.closed for context in host.contexts] == [1]


async def test_a_send_has_a_deadline_whatever_the_protocol_does() -> None:
    app, host = toy(silence_seconds=0.1, ping_seconds=0.05)
    async with serving(app, host.settings, ws_ping_interval=None) as address:
        client = await raw_socket(address)
        large = [
            {"type": "subscribe", "id": str(n), "payload": {"query": "{ large(size: 4000000) }"}} for n in range(5)
        ]
        await asyncio.get_running_loop().sock_sendall(client, frame(INIT) + b"".join(map(frame, large)))
        await until_no_connections(address)
        client.close()


async def test_a_client_that_resets_while_it_does_not_read_leaves_nothing_behind() -> None:
    app, host = toy()
    async with serving(app, host.settings) as address:
        client = await raw_socket(address)
        loop = asyncio.get_running_loop()
        flood = {"type": "subscribe", "id": "a", "payload": {"query": "subscription { flood }"}}
        await loop.sock_sendall(client, frame(INIT) + frame(flood))
        protocol = await stuck(address)
        await loop.sock_sendall(client, frame({"type": "ping"}))  # the handler waits until it can send the pong
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        await until_no_connections(address)
        assert not protocol.blocked
        await until(lambda: not len(host.groups))


async def test_a_socket_that_cannot_finish_closing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memberstaff.server.uvicorn_websocket.LINGER_SECONDS", 0.05)
    app, host = toy(drain_seconds=0)
    async with serving(app, host.settings) as address:
        client = await raw_socket(address)
        flood = {"type": "subscribe", "id": "a", "payload": {"query": "subscription { flood }"}}
        await asyncio.get_running_loop().sock_sendall(client, frame(INIT) + frame(flood))
        protocol = await stuck(address)
        protocol.shutdown()
        await until_no_connections(address)
        client.close()


async def test_pings_whose_pongs_nobody_reads_do_not_fill_the_memory() -> None:
    app, host = toy(max_backlog_bytes=65_536, init_seconds=60)
    async with serving(app, host.settings) as address:
        client = await raw_socket(address)
        ping = b"\x89" + bytes([0x80 | 125]) + bytes(4) + b"x" * 125
        loop = asyncio.get_running_loop()
        with pytest.raises(ConnectionError):
            for _ in range(400):  # 26 MB, more than the kernel holds for us
                await asyncio.wait_for(loop.sock_sendall(client, ping * 500), SECONDS)
        client.close()


async def test_a_stop_tells_every_client_to_come_back_each_at_its_own_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    drawn: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        drawn.append((low, high))
        return 0.001 * len(drawn)

    monkeypatch.setattr("memberstaff.server.uvicorn_websocket.random.uniform", draw)
    app, host = toy(drain_seconds=0.2, shutdown_seconds=5)
    async with serving(app, host.settings) as address:
        clients = [await begin(address) for _ in range(20)]
        await subscribe(clients[0], "subscription { forever }")
        assert json.loads(await clients[0].recv())["type"] == "next"
        address.server.should_exit = True

        async def closing(client: ClientConnection) -> int:
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(client.recv(), SECONDS)
            assert closed.value.rcvd is not None
            return closed.value.rcvd.code

        assert await asyncio.gather(*map(closing, clients)) == [1012] * 20
    assert drawn == [(0, 0.2)] * 20
    assert "shutdown exceeded" not in caplog.text  # which uvicorn says when shutdown_seconds are over
    assert [context.closed for context in host.contexts] == [1]
    assert host.is_running is False


async def test_a_stop_lets_a_request_in_flight_finish() -> None:
    app, host = toy(drain_seconds=0)
    async with serving(app, host.settings) as address, connected(address) as (reader, writer):
        body = b'{"query":"{ waiting }"}'
        writer.write(
            b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n" % len(body) + body
        )
        while not host.contexts:
            await asyncio.wait_for(host.changed.wait(), SECONDS)
        address.server.should_exit = True
        host.gate.set()
        answer = await asyncio.wait_for(reader.read(), SECONDS)
    assert answer.endswith(b'{"data":{"waiting":"done"}}')


@pytest.mark.parametrize("before", [b"", b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"])
@pytest.mark.parametrize("begun", [b"\r\n", b"POST /graphql HTTP/1.1\r\nhost: localhost\r\n"])
async def test_a_client_that_does_not_finish_its_headers_is_cut_off(before: bytes, begun: bytes) -> None:
    app, host = toy(headers_seconds=0.1)
    async with serving(app, host.settings, timeout_keep_alive=60) as address, connected(address) as (reader, writer):
        if before:
            writer.write(before)
            assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"}"), SECONDS)
        writer.write(begun)
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), SECONDS) == b""


async def test_a_client_that_stops_reading_its_event_stream_is_cut_off() -> None:
    app, host = toy(silence_seconds=0.2, ping_seconds=0.1)
    loop = asyncio.get_running_loop()
    async with serving(app, host.settings) as address:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", address.port))
            body = b'{"query":"subscription { flood }"}'
            head = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            await loop.sock_sendall(
                client, head + b"accept: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(body) + body
            )
            await asyncio.wait_for(host.closed(1), SECONDS)
            await until_no_connections(address)


async def stuck(address: Address) -> WebSocketProtocol:
    """Wait until the server cannot send any more to its one socket."""

    def those() -> list[WebSocketProtocol]:
        connections = address.server.server_state.connections
        return [each for each in connections if isinstance(each, WebSocketProtocol) and not each.writable.is_set()]

    await until(lambda: bool(those()))
    return those()[0]
