"""Sends cases: over connections of their own, from many addresses, and to Redis."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlencode

from redis.asyncio import Redis
from redis.exceptions import RedisError

from memberstaff.keyring import Keyring
from memberstaff.pusher.protocol import signature
from tests.fuzz.cases import Authorised, Case, Commands, Heard, Pause, World
from tests.fuzz.http_cases import Request
from tests.fuzz.socket_cases import frame

ANSWER_SECONDS = 30.0
"""A limit for what must come; ordinarily it takes milliseconds."""
HEARD_SECONDS = 1.0
"""How long is waited for what may come."""
MOST_HEARD = 4_000_000
SOCKET_ID = re.compile(rb'socket_id\\?":\\?"([0-9.]+)')


class NoAnswer(Exception):
    """The server neither answered nor closed what it was asked as it should be."""


def address_of(number: int) -> str:
    """Where a case comes from: few come from any one address, which has an allowance. 127.0.0.1 is the bystander's."""
    return f"127.0.{1 + number // 250 % 250}.{1 + number % 250}" if sys.platform == "linux" else "127.0.0.1"


class Connection:
    """A case's connection, which reads whatever comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.heard = b""
        self.ended = False
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                self.heard = (self.heard + data)[:MOST_HEARD]
                self._news.set()
        self.ended = True
        self._news.set()

    async def more(self, seconds: float) -> bool:
        """Wait until something came, or the end; False if nothing did."""
        if self.ended:
            return False
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        return self._news.is_set()

    def reset(self) -> None:
        """Drop the connection without a word (RST)."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        """End it, and the reading."""
        self.writer.close()
        self._reading.cancel()
        await asyncio.wait({self._reading})
        self.writer.transport.abort()  # whatever was not taken


@asynccontextmanager
async def connected(port: int, address: str) -> AsyncIterator[Connection]:
    """A connection from an address; raises OSError if it is refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    connection = Connection(reader, writer)
    try:
        yield connection
    finally:
        await connection.close()


async def send(case: Case, world: World, port: int, address: str) -> tuple[bytes, bytes]:
    """What was sent, and what was heard. Raises NoAnswer, with what was sent; OSError if nobody listens."""
    sent = b""
    async with connected(port, address) as connection:
        for step in case.steps:
            if connection.ended or connection.writer.transport.is_closing():
                break
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            elif isinstance(step, Heard):
                await connection.more(HEARD_SECONDS)
            else:
                data = step if isinstance(step, bytes) else await _join(step, world, connection.heard, port, address)
                sent += data
                connection.writer.write(data)
                with suppress(OSError):
                    async with asyncio.timeout(ANSWER_SECONDS):
                        await connection.writer.drain()
        if case.answer_due:
            while not connection.ended:
                if not await connection.more(ANSWER_SECONDS):
                    raise NoAnswer(sent)
        elif case.ending == "half-close":
            with suppress(OSError):
                connection.writer.write_eof()
        if not case.answer_due and not connection.heard:
            await connection.more(HEARD_SECONDS)
        while not case.answer_due and await connection.more(case.linger) and not connection.ended:
            pass
        if case.ending == "reset" and not connection.ended:
            connection.reset()
        return sent, connection.heard


async def _join(step: Authorised, world: World, heard: bytes, port: int, address: str) -> bytes:
    """The message that joins a Pusher channel, signed as /broadcasting/auth did."""
    found = SOCKET_ID.search(heard)
    socket_id = found[1].decode() if found else "1.1"
    form = {"socket_id": socket_id, "channel_name": step.channel, **step.fields}
    headers = (("Host", "127.0.0.1"), ("Authorization", f"Bearer {world.tokens[step.role]}"), ("Connection", "close"))
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    body = urlencode(form, errors="surrogatepass").encode()
    request = Request("POST", "/broadcasting/auth", headers=(*headers, kind), body=body)
    with suppress(OSError, NoAnswer):
        await send(Case((request.encode(),), answer_due=True), world, port, address)
    key = Keyring(world.secret).keys("Echo subscriptions").current
    member = json.dumps({"user_id": "x", "user_info": {"name": "x"}}) if step.spoilt else ""
    parts = (socket_id, step.channel, *([member] if member else []))
    with suppress(UnicodeEncodeError):
        signed = signature(key.secret, *parts)
        data = {"channel": step.channel, "auth": f"{world.echo_key}:{signed}", "channel_data": member}
        return frame(json.dumps({"event": "pusher:subscribe", "data": data}).encode())
    return b""


async def command(commands: Commands, redis: Redis) -> bytes:
    """What was sent to Redis; it may refuse any of it."""
    sent = []
    for words in commands.commands:
        sent.append(
            b" ".join(each if isinstance(each, bytes) else str(each).encode("utf-8", "replace") for each in words)
        )
        with suppress(RedisError, OSError, UnicodeEncodeError):
            await redis.execute_command(*words)  # type: ignore[no-untyped-call]
    return b"\n".join(sent)
