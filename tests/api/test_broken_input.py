"""What a client breaks off or garbles is its own affair: it ends its connection, and leaves no error in the log."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

import pytest

from memberstaff.server.uvicorn_websocket import WebSocketProtocol
from tests.api.clients import SECONDS, connected
from tests.api.toy import toy
from tests.raw_sockets import raw_socket
from tests.serving import serving
from tests.waiting import until

HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
)


async def test_a_handshake_before_the_answer_to_the_request_before_it_ends_the_connection_after_that() -> None:
    app, host = toy()
    async with serving(app, host.settings) as address, connected(address) as (reader, writer):
        writer.write(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n" + HANDSHAKE)
        heard = await asyncio.wait_for(reader.read(), SECONDS)
    assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
    assert heard.endswith(b'\r\nconnection: close\r\n\r\n{"status":"ok"}')
    assert heard.count(b"HTTP/1.1") == 1


async def test_a_client_that_leaves_before_its_socket_is_accepted_is_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade = WebSocketProtocol.upgrade

    def upgrade_and_leave(self: WebSocketProtocol, transport: asyncio.Transport, *arguments: Any) -> None:
        upgrade(self, transport, *arguments)
        transport.abort()

    monkeypatch.setattr(WebSocketProtocol, "upgrade", upgrade_and_leave)
    caplog.set_level(logging.INFO)
    app, host = toy()
    async with serving(app, host.settings) as address, connected(address) as (reader, writer):
        writer.write(HANDSHAKE)
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), SECONDS) == b""
        await until(lambda: "request" in caplog.messages)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    ("after", "code"), [(b"", 1007), (b"\x88\x82\0\0\0\0\x03\xe8", 1000)], ids=["alone", "closing"]
)
async def test_a_message_that_is_not_utf_8_closes_its_socket_quietly(
    caplog: pytest.LogCaptureFixture, after: bytes, code: int
) -> None:
    app, host = toy()
    async with serving(app, host.settings) as address:
        loop = asyncio.get_running_loop()
        heard = b""
        with await raw_socket(address) as socket:
            await loop.sock_sendall(socket, b"\x81\x82\0\0\0\0\xff\xfe" + after)
            async with asyncio.timeout(SECONDS):
                while data := await loop.sock_recv(socket, 1_024):
                    heard += data
    assert heard.endswith(b"\x88\x02" + code.to_bytes(2, "big"))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
