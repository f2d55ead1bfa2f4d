"""Whoever is refused before the request has arrived reads why, and cannot have the server read for ever."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from memberstaff.server.lingering_close import UNDER_WAY
from memberstaff.server.uvicorn_http import HttpProtocol
from tests.api.clients import SECONDS
from tests.api.toy import toy
from tests.certificates import self_signed
from tests.serving import Address, serving
from tests.waiting import until

LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
STATUSES = (400, 401, 403, 404, 405, 411, 413, 414, 415, 421, 429, 431, 503)


async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads nothing: it answers with the status that the path names."""
    if scope["type"] == "lifespan":
        for each in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{each}.complete"})
        return
    headers = [(b"content-length", b"6")]
    await send({"type": "http.response.start", "status": int(scope["path"].strip("/")), "headers": headers})
    await send({"type": "http.response.body", "body": b"Sorry."})


def head(target: str, *lines: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def chunks(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


@contextmanager
def connected(address: Address) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", address.port), timeout=SECONDS) as client:
        yield client


def answer_of(client: socket.socket) -> bytes:
    """An answer, head and body. Raises OSError, or ValueError when the connection ends before it does."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += more(client)
    said, _, body = received.partition(b"\r\n\r\n")
    lengths = [int(line[15:]) for line in said.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < sum(lengths):
        body += more(client)
    return said + b"\r\n\r\n" + body


def more(client: socket.socket) -> bytes:
    if not (received := client.recv(65_536)):
        raise ValueError("the connection has ended")
    return received


def said_to_whoever_sends_it_all(client: socket.socket, *pieces: bytes) -> bytes:
    """The answer, read as by most clients: when everything is sent."""
    for piece in pieces:
        client.sendall(piece)
    return answer_of(client)


def nothing_yet(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        client.recv(1)
    except BlockingIOError:
        return True
    finally:
        client.settimeout(SECONDS)
    return False


async def has_been_read(address: Address) -> None:
    """Let the server come to what it was sent before."""
    with connected(address) as other:
        for _ in range(2):
            other.sendall(head("/404", method="GET"))
            await asyncio.to_thread(answer_of, other)


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_an_answer_waits_for_the_end_of_its_request_and_another_may_follow(is_chunked: bool) -> None:
    body = b"x" * 30_000
    framing = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body)}"
    async with serving(refusing, toy()[1].settings) as address:
        with connected(address) as client:
            for status in STATUSES:
                sent = head(f"/{status}", framing) + (chunks(body) if is_chunked else body)
                cut = len(sent) - (1 if status % 2 else len(body))
                client.sendall(sent[:cut])
                await has_been_read(address)
                assert nothing_yet(client)
                client.sendall(sent[cut:])
                answer = await asyncio.to_thread(answer_of, client)
                assert answer.startswith(b"HTTP/1.1 %d " % status)
                assert answer.endswith(b"\r\n\r\nSorry.")
                assert b"connection: close" not in answer.lower()


LONG, MANY = f"/health/live?{'x' * 9_000}", [f"X-{number}: x" for number in range(101)]
JSON, GRAPHQL = "Content-Type: application/json", "Accept: application/graphql-response+json"
CHUNKED = "Transfer-Encoding: chunked"
KNOWN, EXPIRED = (f"Authorization: Bearer {token}" for token in ("victor-token", "signed-by-us.long-ago"))
BODY = b'{"query": "' + b"x" * 3_000_000 + b'"}'
"""What only those may send who have, or had, a login."""
STRANGERS = BODY[: UNDER_WAY - 1_000]
SMALL = BODY[:90_000]
OF_BODY, OF_STRANGERS, OF_SMALL = (f"Content-Length: {len(each)}" for each in (BODY, STRANGERS, SMALL))
REFUSED = {
    "no JSON": (415, head("/graphql", "Content-Type: text/plain", OF_BODY, KNOWN), BODY),
    "no JSON, in chunks": (415, head("/graphql", CHUNKED, KNOWN), chunks(BODY)),
    "no JSON of a stranger": (415, head("/graphql", "Content-Type: text/plain", OF_STRANGERS), STRANGERS),
    "a method": (405, head("/graphql", JSON, OF_STRANGERS, method="PUT"), STRANGERS),
    "a page": (405, head("/", JSON, OF_STRANGERS), STRANGERS),
    "no page": (404, head("/nothing.js", JSON, OF_STRANGERS, method="GET"), STRANGERS),
    "another name": (421, head("/graphql", JSON, OF_STRANGERS).replace(b"localhost", b"evil.example"), STRANGERS),
    "nothing acceptable": (406, head("/graphql", JSON, OF_STRANGERS, "Accept: image/png"), STRANGERS),
    "a stranger": (401, head("/graphql", JSON, OF_STRANGERS, GRAPHQL), STRANGERS),
    "a stranger, in chunks": (401, head("/graphql", JSON, CHUNKED, GRAPHQL), chunks(STRANGERS)),
    "an expired token": (401, head("/graphql", JSON, OF_BODY, GRAPHQL, EXPIRED), BODY),
    "too large": (413, head("/graphql", JSON, OF_BODY, KNOWN), BODY),
    "too large, in chunks": (413, head("/graphql", JSON, CHUNKED, KNOWN), chunks(BODY)),
    "declared too large": (413, head("/graphql", JSON, "Content-Length: 9000000", KNOWN), STRANGERS),
    "a long address": (414, head(LONG, JSON, OF_SMALL), SMALL),
    "a long address, in chunks": (414, head(LONG, JSON, CHUNKED), chunks(SMALL)),
    "many headers": (431, head("/graphql", JSON, OF_SMALL, *MANY), SMALL),
    "large headers": (431, head("/graphql", JSON, OF_SMALL, *(f"{each * 700}" for each in MANY[:30])), SMALL),
    "no HTTP": (400, b"Hello,\r\n", b" world!" * 20_000),
    "a handshake": (400, head("/graphql", "Connection: upgrade", "Upgrade: websocket", OF_SMALL), SMALL),
    "no chunk": (400, head("/graphql", JSON, KNOWN, CHUNKED), b"3\r\nabc\r\nno\r\n" + SMALL),
}


@pytest.fixture(params=["plain", "TLS"])
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """How a client gets to the server."""
    app, host = toy(anonymous_requests_per_minute=10_000)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    files: dict[str, Any] = self_signed(tmp_path) if request.param == "TLS" else {}

    @contextmanager
    def opened() -> Iterator[socket.socket]:
        with connected(address) as client:
            with context.wrap_socket(client) if files else nullcontext(client) as secured:
                yield secured

    async with serving(app, host.settings, **files) as address:
        yield opened


@pytest.mark.parametrize("kind", REFUSED)
async def test_whoever_sends_everything_first_reads_why_it_was_refused(door: Any, kind: str) -> None:
    status, first, rest = REFUSED[kind]

    def said(*pieces: bytes) -> bytes:
        with door() as client:
            return said_to_whoever_sends_it_all(client, *pieces)

    whole = await asyncio.to_thread(said, first + rest)
    late = await asyncio.to_thread(said, first, rest[:1], rest[1:60_000], rest[60_000:])
    assert [answer.split(b" ")[1] for answer in (whole, late)] == [b"%d" % status] * 2


async def test_a_429_is_read_like_the_other_refusals() -> None:
    app, host = toy(anonymous_requests_per_minute=1)
    async with serving(app, host.settings) as address:
        with connected(address) as client:
            said = [
                await asyncio.to_thread(
                    said_to_whoever_sends_it_all, client, head("/graphql", JSON, OF_STRANGERS), STRANGERS
                )
                for _ in range(2)
            ]
    assert [answer.split(b" ")[1] for answer in said] == [b"200", b"429"]


@asynccontextmanager
async def asked_to_wait(*lines: str) -> AsyncIterator[tuple[Address, socket.socket]]:
    app, host = toy()
    async with serving(app, host.settings) as address:
        with connected(address) as client:
            client.sendall(head("/graphql", "Content-Type: text/plain", OF_SMALL, "Expect: 100-continue", *lines))
            yield address, client


@pytest.mark.parametrize("sends_it_all_the_same", [False, True])
async def test_whoever_waits_for_100_continue_is_refused_at_once(sends_it_all_the_same: bool) -> None:
    async with asked_to_wait() as (address, client):
        answer = await asyncio.to_thread(answer_of, client)
        assert answer.startswith(b"HTTP/1.1 415 ")
        assert b"\r\nconnection: close\r\n" in answer
        if sends_it_all_the_same:
            await asyncio.to_thread(client.sendall, SMALL)
        assert await asyncio.to_thread(client.recv, 1) == b""
        client.close()
        await until(lambda: not address.server.server_state.connections)


async def test_a_long_address_is_refused_before_a_body_is_asked_for() -> None:
    app, host = toy()
    async with serving(app, host.settings) as address:
        with connected(address) as client:
            client.sendall(head(LONG, OF_SMALL, "Expect: 100-continue"))
            assert (await asyncio.to_thread(answer_of, client)).startswith(b"HTTP/1.1 414 ")


async def test_a_proxy_that_waits_for_100_continue_is_asked_for_the_body_which_it_may_send_all_the_same() -> None:
    async with asked_to_wait("X-Forwarded-For: 192.0.2.1") as (_, client):
        assert await asyncio.to_thread(answer_of, client) == b"HTTP/1.1 100 Continue\r\n\r\n"
        answer = await asyncio.to_thread(said_to_whoever_sends_it_all, client, SMALL)
    assert answer.startswith(b"HTTP/1.1 415 ")
    assert b"connection: close" not in answer.lower()


@pytest.mark.parametrize(
    "first",
    [
        "no JSON, in chunks",
        "a stranger, in chunks",
        "too large, in chunks",
        "declared too large",
        "a long address",
        "no HTTP",
    ],
)
async def test_who_never_ends_is_read_up_to_a_bound(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0
    received = HttpProtocol.data_received

    def counting(self: HttpProtocol, data: bytes) -> None:
        nonlocal taken
        taken += len(data)
        received(self, data)

    def send_for_ever(client: socket.socket) -> None:
        client.sendall(REFUSED[first][1])
        with suppress(OSError):
            while True:
                client.sendall(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")

    monkeypatch.setattr(HttpProtocol, "data_received", counting)
    app, host = toy(max_import_bytes=4_000_000, body_seconds=60)
    async with serving(app, host.settings) as address:
        with connected(address) as client:
            await asyncio.to_thread(send_for_ever, client)
        await until(lambda: not address.server.server_state.connections)
    is_read_further = first in {"no JSON, in chunks", "too large, in chunks"}
    assert taken < 2 * UNDER_WAY + (4_000_000 if is_read_further else 0) + 4 * 256 * 1024  # as much comes at once


async def test_a_stranger_is_answered_at_once_who_announces_more_than_is_read() -> None:
    app, host = toy(body_seconds=60)
    async with serving(app, host.settings) as address:
        with connected(address) as client:
            client.sendall(head("/graphql", "Content-Type: text/plain", f"Content-Length: {UNDER_WAY + 1}"))
            answer = await asyncio.to_thread(answer_of, client)
    assert answer.startswith(b"HTTP/1.1 415 ")
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize("first", ["no JSON", "a long address", "no HTTP", "declared too large"])
async def test_who_sends_no_more_is_answered_in_time_and_the_connection_closed(first: str) -> None:
    status, sent, _ = REFUSED[first]
    app, host = toy(body_seconds=0.05, headers_seconds=0.1)
    async with serving(app, host.settings) as address:
        with connected(address) as client:
            answer = await asyncio.to_thread(said_to_whoever_sends_it_all, client, sent)
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert b"connection: close" in answer.lower()
            await until(lambda: not address.server.server_state.connections)


async def test_a_server_that_stops_does_not_wait_for_whoever_was_refused() -> None:
    app, host = toy(body_seconds=60)
    async with serving(app, host.settings) as address:
        with connected(address) as client:
            await asyncio.to_thread(said_to_whoever_sends_it_all, client, b"Hello,\r\n")
            address.server.should_exit = True
            await until(lambda: not address.server.server_state.connections)


async def test_what_is_no_request_does_not_take_the_answer_from_the_request_before_it() -> None:
    app, host = toy()
    body = b'{"query":"{ waiting }"}'
    async with serving(app, host.settings) as address:
        with connected(address) as client:
            client.sendall(head("/graphql", JSON, f"Content-Length: {len(body)}") + body + b" and more of it")
            await asyncio.wait_for(host.changed.wait(), SECONDS)
            client.sendall(b"x" * 100_000)
            host.gate.set()
            answer = await asyncio.to_thread(answer_of, client)
            assert await asyncio.to_thread(client.recv, 1) == b""
    assert answer.endswith(b'{"data":{"waiting":"done"}}')


async def test_what_is_no_request_ends_an_event_stream() -> None:
    app, host = toy()
    body = b'{"query":"subscription { forever }"}'
    sent = head("/graphql", JSON, KNOWN, "Accept: text/event-stream", f"Content-Length: {len(body)}") + body
    async with serving(app, host.settings) as address:
        with connected(address) as client:
            client.sendall(sent)
            await asyncio.to_thread(client.recv, 1)
            client.sendall(b"no request\r\n\r\n")
            await until(lambda: not address.server.server_state.connections)
        host.gate.set()
