"""A door in front of a server that counts who goes through it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic

from tests.infrastructure.process import free_port


@dataclass
class Door:
    """Listens on a port of its own and passes everything on to `target`."""

    target: int
    port: int = field(default_factory=free_port)
    opened: list[float] = field(default_factory=list)
    """When each connection came on which a Pusher client wanted a socket."""
    inside: set[asyncio.StreamWriter] = field(default_factory=set)
    """Who is there now."""

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side has ended it."""
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            with suppress(OSError):
                self.count(await reader.read(65_536))
            writer.close()
            return
        self.inside.add(writer)
        try:
            await asyncio.gather(pump(reader, inner_writer, self.count), pump(inner_reader, writer))
        except OSError:
            pass
        finally:
            self.inside.discard(writer)
            inner_writer.close()
            writer.close()

    def cut(self) -> None:
        """Break all connections, as a lost network does."""
        for writer in self.inside:
            writer.transport.abort()

    def count(self, chunk: bytes) -> None:
        """Look at what a client has sent: it may want a socket on a connection that it has used before."""
        if chunk.startswith(b"GET /app/"):
            self.opened.append(monotonic())


async def pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, look: Callable[[bytes], None] | None = None
) -> None:
    """Pass on what comes, and then its end."""
    while chunk := await reader.read(65_536):
        if look is not None:
            look(chunk)
        writer.write(chunk)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


@asynccontextmanager
async def counting(target: int) -> AsyncIterator[Door]:
    """A door in front of the server on this port."""
    door = Door(target)
    server = await asyncio.start_server(door.enter, "127.0.0.1", door.port)
    try:
        yield door
    finally:
        server.close()
