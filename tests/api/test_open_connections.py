"""Whoever opens connections and says nothing, or half of a TLS handshake, keeps nobody else out."""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
from websockets.exceptions import InvalidStatus

from memberstaff import metrics
from memberstaff.server.app import ServerApp
from tests.api.clients import SECONDS, client
from tests.api.toy import toy
from tests.certificates import self_signed
from tests.serving import Address, serving
from tests.waiting import until

LIVE = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
OK = b"HTTP/1.1 200 OK"
ANYBODY = ssl.create_default_context()
ANYBODY.check_hostname = False
ANYBODY.verify_mode = ssl.CERT_NONE


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops that uvicorn may run on: their transports are not the same."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """uvicorn's options, with and without TLS."""
    return self_signed(tmp_path) if request.param == "tls" else {}


@asynccontextmanager
async def served(tls: dict[str, str], **settings: Any) -> AsyncIterator[tuple[Address, ServerApp]]:
    app, host = toy(**settings)
    assert isinstance(app, ServerApp)
    options: dict[str, Any] = {**tls}
    async with serving(app, host.settings, **options) as address:
        yield address, app


class Stranger:
    """Opens connections from an address of the loopback."""

    def __init__(self, address: Address, source: str = "127.0.0.1") -> None:
        self.address = address
        self.source = source
        self.open: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def connect(self, **options: Any) -> asyncio.StreamReader:
        """Open a connection, of which the answers may be read; it stays open until `close`."""
        made = await asyncio.open_connection("127.0.0.1", self.address.port, local_addr=(self.source, 0), **options)
        self.open.append(made)
        return made[0]

    async def answer(self, tls: dict[str, str]) -> bytes:
        """How a request over a connection of its own is answered; empty if it is closed instead."""
        with suppress(ConnectionError):
            reader = await self.connect(ssl=ANYBODY if tls else None)
            self.open[-1][1].write(LIVE)
            return (await asyncio.wait_for(reader.readline(), SECONDS)).strip()
        return b""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        for _, writer in self.open:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        self.open.clear()


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(1), SECONDS) == b""
    except ConnectionError:
        return True


async def test_a_connection_too_many_is_closed_at_once_and_another_address_is_served(tls: dict[str, str]) -> None:
    async with (
        served(tls, max_connections_per_address=3) as (address, app),
        Stranger(address) as silent,
        Stranger(address, "127.0.0.2") as neighbour,
    ):
        for _ in range(3):
            await silent.connect()
        await until(lambda: len(app.open_connections) == 3)
        assert await is_closed(await silent.connect())
        assert await silent.answer(tls) == b""
        assert await neighbour.answer(tls) == OK
        assert app.open_connections.refused == 2
        await silent.close()
        await neighbour.close()
        await until(lambda: len(app.open_connections) == 0)
        assert await silent.answer(tls) == OK


async def test_half_a_handshake_is_counted_and_given_up(tmp_path: Path) -> None:
    async with (
        served(self_signed(tmp_path), max_connections_per_address=1, headers_seconds=0.2) as (address, app),
        Stranger(address) as stranger,
    ):
        reader = await stranger.connect()
        stranger.open[0][1].write(b"\x16\x03\x01\x02\x00\x01")  # a record of a ClientHello, and nothing after it
        await until(lambda: len(app.open_connections) == 1)
        before = failed("timeout")
        assert await is_closed(reader)
        await until(lambda: len(app.open_connections) == 0)
        assert failed("timeout") == before + 1


async def test_what_is_no_handshake_is_closed_and_no_longer_counted(tmp_path: Path) -> None:
    async with served(self_signed(tmp_path)) as (address, app), Stranger(address) as stranger:
        before = failed("failed")
        reader = await stranger.connect()
        stranger.open[0][1].write(LIVE)
        await asyncio.wait_for(reader.read(), SECONDS)
        await until(lambda: len(app.open_connections) == 0)
        assert failed("failed") == before + 1


def failed(reason: str) -> float:
    """Handshakes, so far."""
    return metrics.REGISTRY.get_sample_value("memberstaff_tls_failed_total", {"reason": reason}) or 0.0


async def test_a_connection_for_which_no_file_can_be_opened_is_refused_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(self_signed(tmp_path)) as (address, app), Stranger(address) as stranger:
        with monkeypatch.context() as patched:
            patched.setattr("socket.dup", no_more_files)
            assert await is_closed(await stranger.connect())
        assert (len(app.open_connections), app.open_connections.refused) == (0, 1)
        assert await stranger.answer({"tls": "yes"}) == OK


def no_more_files(_: int) -> int:
    raise OSError(errno.EMFILE, "Too many open files")


async def test_a_client_that_leaves_within_its_handshake_is_no_longer_counted(tmp_path: Path) -> None:
    async with served(self_signed(tmp_path)) as (address, app), Stranger(address) as stranger:
        await stranger.connect()
        await until(lambda: len(app.open_connections) == 1)
        await stranger.close()
        await until(lambda: len(app.open_connections) == 0)


async def test_a_stop_does_not_wait_for_half_a_handshake(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with AsyncExitStack() as stack:
        async with served(self_signed(tmp_path)) as (address, app):
            await (await stack.enter_async_context(Stranger(address))).connect()
            await until(lambda: len(app.open_connections) == 1)
        assert "shutdown exceeded" not in caplog.text


async def test_a_hello_without_end_is_given_up(tmp_path: Path) -> None:
    async with served(self_signed(tmp_path)) as (address, app), Stranger(address) as stranger:
        reader = await stranger.connect()
        stranger.open[0][1].write(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" + b"\x16\x03\x01\x40\x00" + bytes(20_000))
        assert await is_closed(reader)
        await until(lambda: len(app.open_connections) == 0)


async def test_a_hello_in_several_records_is_answered(tmp_path: Path) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ANYBODY.wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()[5:]
    async with served(self_signed(tmp_path)) as (address, _), Stranger(address) as stranger:
        reader = await stranger.connect()
        for start in range(0, len(hello), 100):
            record = hello[start : start + 100]
            stranger.open[0][1].write(b"\x16\x03\x01" + len(record).to_bytes(2) + record)
        while outgoing.pending == 0:
            incoming.write(await asyncio.wait_for(reader.read(4_096), SECONDS))
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
        assert tls.version() == "TLSv1.3"


async def test_little_is_decrypted_of_a_client_that_was_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    decrypted = 0
    read = ssl.SSLObject.read

    def reading(self: ssl.SSLObject, *arguments: Any) -> Any:
        nonlocal decrypted
        found = read(self, *arguments)
        if self.server_side:
            decrypted += found if isinstance(found, int) else len(found)
        return found

    monkeypatch.setattr(ssl.SSLObject, "read", reading)
    async with served(self_signed(tmp_path)) as (address, app), Stranger(address) as stranger:
        reader = await stranger.connect(ssl=ANYBODY)
        writer = stranger.open[0][1]
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * 16 * 1024 * 1024)
        with suppress(ConnectionError):
            refusal = await asyncio.wait_for(reader.readline(), SECONDS)
            assert refusal == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
        await until(lambda: len(app.open_connections) == 0)
    assert decrypted < 1024 * 1024


async def test_sockets_count_with_the_other_connections(tls: dict[str, str]) -> None:
    async with served(tls, max_connections_per_address=2) as (address, app), Stranger(address) as stranger:
        async with client(address, **socket_options(address, tls)) as socket:
            await socket.begin()
            await stranger.connect()
            await until(lambda: len(app.open_connections) == 2)
            assert await is_closed(await stranger.connect())
        await stranger.close()
        await until(lambda: len(app.open_connections) == 0)


async def test_a_handshake_that_is_left_to_the_library_is_counted_until_it_is_refused(tls: dict[str, str]) -> None:
    twice = {"additional_headers": {"Sec-WebSocket-Version": "13"}}
    async with served(tls) as (address, app):
        with pytest.raises(InvalidStatus):
            async with client(address, **socket_options(address, tls), **twice):
                pass
        await until(lambda: len(app.open_connections) == 0)


def socket_options(address: Address, tls: dict[str, str]) -> dict[str, Any]:
    scheme = "wss" if tls else "ws"
    return {"uri": f"{scheme}://127.0.0.1:{address.port}/graphql", "ssl": ANYBODY if tls else None}
