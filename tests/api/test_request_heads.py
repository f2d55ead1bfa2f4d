"""Nobody fills the memory with request lines, headers or trailers: they are refused before more of them is taken."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from memberstaff.server import uvicorn_http
from memberstaff.server.app import ServerApp
from memberstaff.server.head_bounds import HEAD_BYTES, HEAD_LINES, URL_BYTES
from memberstaff.server.uvicorn_http import PARSED_AT_ONCE, HttpProtocol
from tests.api.clients import SECONDS, connected
from tests.api.toy import toy
from tests.serving import Address, serving
from tests.waiting import until

OK, BAD = b"HTTP/1.1 200 OK", b"HTTP/1.1 400 Bad Request"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large"
TOO_LONG = b"HTTP/1.1 414 URI Too Long"
LIVE = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n"
UPGRADE = (
    b"GET /graphql HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-protocol: graphql-transport-ws\r\n"
)
CHUNKED = (
    b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    b'10\r\n{"query":"{hello\r\n2\r\n}"\r\n1\r\n}\r\n'
)
FLOOD = 8 * 1024 * 1024
"""Bytes that are offered to the server, and that it must not take."""


async def first_line(address: Address, request: bytes) -> bytes:
    """How the server begins its answer to these bytes; empty when it closes without one."""
    async with connected(address) as (reader, writer):
        with suppress(ConnectionError):
            writer.write(request)
            return (await asyncio.wait_for(reader.readline(), SECONDS)).strip()
    return b""


def lines(count: int, length: int = 8) -> bytes:
    return b"".join(b"x-%d: %b\r\n" % (number, b"y" * length) for number in range(count))


@pytest.mark.parametrize(
    ("request_head", "answer"),
    [
        (LIVE + lines(HEAD_LINES - 1), OK),
        (LIVE + lines(HEAD_LINES), TOO_LARGE),
        (LIVE + b"x: " + b"y" * (HEAD_BYTES - 100) + b"\r\n", OK),
        (LIVE + b"x: " + b"y" * HEAD_BYTES + b"\r\n", TOO_LARGE),
        (LIVE + b"x: " + b"y" * 2 * HEAD_BYTES + b"\r\n", TOO_LARGE),
        (LIVE + b"y" * 2 * HEAD_BYTES + b": x\r\n", TOO_LARGE),
        (LIVE + lines(50, 2 * HEAD_BYTES // 50), TOO_LARGE),
        (UPGRADE + lines(HEAD_LINES), TOO_LARGE),
        (UPGRADE + b"x: " + b"y" * 2 * HEAD_BYTES + b"\r\n", TOO_LARGE),
        (LIVE.replace(b"live", b"live?" + b"y" * (URL_BYTES - 100)), OK),
        (LIVE.replace(b"live", b"live?" + b"y" * URL_BYTES), TOO_LONG),
        (UPGRADE.replace(b"graphql HTTP", b"graphql?" + b"y" * URL_BYTES + b" HTTP"), TOO_LONG),
        (b"GET /" + b"y" * 2 * HEAD_BYTES, TOO_LONG),
        (b"y" * 2 * HEAD_BYTES, BAD),
    ],
)
async def test_a_head_within_the_bounds_is_answered_and_a_larger_one_refused(
    request_head: bytes, answer: bytes
) -> None:
    app, host = toy()
    async with serving(app, host.settings) as address:
        assert await first_line(address, request_head + b"\r\n") == answer
        assert await first_line(address, LIVE + b"\r\n") == OK


@pytest.mark.parametrize("method", [b"GET", b"POST"])
@pytest.mark.parametrize("body", [b"content-length: 5\r\n\r\nabcde", b"transfer-encoding: chunked\r\n\r\n"])
async def test_a_handshake_with_a_body_is_refused_instead_of_held(method: bytes, body: bytes) -> None:
    app, host = toy()
    async with serving(app, host.settings) as address:
        assert await first_line(address, UPGRADE.replace(b"GET", method) + body) == BAD
        assert await first_line(address, UPGRADE + b"content-length: 0\r\n\r\n") == b"HTTP/1.1 101 Switching Protocols"


async def test_a_refusal_says_what_the_bounds_are() -> None:
    app, host = toy()
    async with serving(app, host.settings) as address, connected(address) as (reader, writer):
        writer.write(LIVE + lines(HEAD_LINES) + b"\r\n")
        answer = await asyncio.wait_for(reader.read(), SECONDS)
    assert answer.endswith(b"\r\n\r\nThe headers of a request may have 32 KiB and 100 lines.")


@pytest.mark.parametrize(
    "trailers",
    [
        b"0\r\nx: " + b"y" * 2 * HEAD_BYTES + b"\r\n\r\n",
        b"0\r\n" + lines(HEAD_LINES + 1) + b"\r\n",
        b"1;" + b"y" * 2 * HEAD_BYTES + b"\r\n \r\n0\r\n\r\n",
        b"0;" + b"y" * 2 * HEAD_BYTES + b"\r\n\r\n",
    ],
)
async def test_what_follows_a_chunked_body_is_bounded_too(trailers: bytes) -> None:
    app, host = toy()
    async with serving(app, host.settings) as address:
        assert await first_line(address, CHUNKED + trailers) == TOO_LARGE
        assert await first_line(address, CHUNKED + b"0\r\nx: y\r\n\r\n") == OK


async def test_a_trailer_is_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[tuple[bytes, bytes]]] = []
    complete = HttpProtocol.on_message_complete

    def looking(self: HttpProtocol) -> None:
        seen.append(list(self.scope["headers"]))
        complete(self)

    monkeypatch.setattr(HttpProtocol, "on_message_complete", looking)
    app, host = toy()
    async with serving(app, host.settings) as address:
        assert await first_line(address, CHUNKED + b"0\r\nauthorization: Bearer x\r\n\r\n") == OK
    (headers,) = seen
    assert [name for name, _ in headers] == [b"host", b"content-type", b"transfer-encoding"]


@pytest.mark.parametrize("begun", [LIVE + b"x: ", b"GET /", LIVE, CHUNKED + b"0\r\nx: "])
async def test_a_flood_is_not_taken_in(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0
    received = HttpProtocol.data_received

    def counting(self: HttpProtocol, data: bytes) -> None:
        nonlocal taken
        taken += len(data)
        received(self, data)

    monkeypatch.setattr(HttpProtocol, "data_received", counting)
    app, host = toy()
    async with serving(app, host.settings) as address, connected(address) as (reader, writer):
        writer.write(begun)
        filler = lines(1000) if begun is LIVE else b"y" * 65_536
        with suppress(ConnectionError):
            for _ in range(FLOOD // len(filler)):
                writer.write(filler)
                await asyncio.wait_for(writer.drain(), SECONDS)
        with suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), SECONDS)
    assert taken < 1024 * 1024


async def test_a_body_may_be_as_large_as_before_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    app, host = toy(max_body_bytes=200_000)
    query = b'{"query":"{hello}"' + b" " * 150_000 + b"}"
    head = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (query[i : i + 7] for i in range(0, 9_000, 7)))
    rest = query[9_002:]
    chunked = CHUNKED.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + chunks + b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest)
    async with serving(app, host.settings) as address:
        assert await first_line(address, head % len(query) + query) == OK
        assert await first_line(address, chunked) == OK
        assert await first_line(address, (LIVE + b"\r\n") * 2_000) == OK


async def test_a_pipeline_is_answered_in_order_and_begun_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = []
    received = HttpProtocol.data_received

    def counting(self: HttpProtocol, data: bytes) -> None:
        received(self, data)
        waiting.append(len(self.pipeline))

    monkeypatch.setattr(HttpProtocol, "data_received", counting)
    app, host = toy()
    requests = [LIVE.replace(b"live", b"live" if number % 3 else b"nothing") + b"\r\n" for number in range(1_000)]
    async with serving(app, host.settings) as address, connected(address) as (reader, writer):
        writer.write(b"".join(requests))
        for number in range(1_000):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
            assert head.splitlines()[0] == (OK if number % 3 else b"HTTP/1.1 404 Not Found")
            length = next(int(line[15:]) for line in head.splitlines() if line.lower().startswith(b"content-length"))
            await reader.readexactly(length)
    assert max(waiting) <= PARSED_AT_ONCE // len(LIVE) + 1


async def test_what_is_held_behind_a_request_is_not_more_than_a_chunk_and_goes_with_its_client() -> None:
    app, host = toy()
    waiting = b'{"query":"{ waiting }"}'
    head = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    async with serving(app, host.settings) as address:
        async with connected(address) as (_, writer):
            writer.write(head % len(waiting) + waiting + (LIVE + b"\r\n") * 100_000)
            await asyncio.wait_for(host.changed.wait(), SECONDS)
            (protocol,) = address.server.server_state.connections
            assert isinstance(protocol, HttpProtocol)
            assert len(protocol.held) < 1024 * 1024
        host.gate.set()
        await until(lambda: not address.server.server_state.connections)


async def test_what_all_connections_hold_together_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn_http, "HELD_BYTES", 100_000)
    app, host = toy()
    waiting = b'{"query":"{ waiting }"}'
    head = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    pipeline = (LIVE + b"\r\n") * (60_000 // len(LIVE))
    async with serving(app, host.settings) as address, connected(address) as (first, writer):
        assert isinstance(app, ServerApp)
        open_connections = app.open_connections
        writer.write(head % len(waiting) + waiting + pipeline)
        await until(lambda: open_connections.held_bytes > 50_000)
        async with connected(address) as (second, one_too_many):
            one_too_many.write(head % len(waiting) + waiting + pipeline)
            with suppress(ConnectionError):
                assert await asyncio.wait_for(second.read(), SECONDS) == b""
        await until(lambda: open_connections.held_bytes < 100_000)
        host.gate.set()
        assert (await asyncio.wait_for(first.readline(), SECONDS)).strip() == OK
        await until(lambda: open_connections.held_bytes == 0)


async def test_what_is_held_behind_an_event_stream_is_bounded_too_though_it_waits_for_its_end() -> None:
    app, host = toy()
    forever = b'{"query":"subscription { forever }"}'
    head = (
        b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\naccept: text/event-stream\r\n"
        b"authorization: Bearer victor-token\r\ncontent-length: %d\r\n\r\n"
    )
    async with serving(app, host.settings) as address:
        async with connected(address) as (reader, writer):
            writer.write(head % len(forever) + forever + (LIVE + b"\r\n") * 100)
            await asyncio.wait_for(reader.readuntil(b'"forever":1'), SECONDS)
            (protocol,) = address.server.server_state.connections
            assert isinstance(protocol, HttpProtocol)
            writer.write((LIVE + b"\r\n") * (FLOOD // len(LIVE)))
            await until(lambda: bool(protocol.held) and protocol.flow.read_paused)
            assert len(protocol.held) < 1024 * 1024
            writer.transport.abort()
        host.gate.set()
        await until(lambda: not address.server.server_state.connections)
