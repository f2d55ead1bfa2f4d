"""A line to PostgreSQL that can freeze: connections stay open, and nothing comes through, as when a host is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url

SOCKET = ".s.PGSQL.5432"


class Line:
    """Forwards bytes between a process and its database; `url` is the database behind it."""

    def __init__(self, url: str, folder: Path) -> None:
        self._behind = make_url(url)
        self._folder = folder
        self.url = self._behind.set(host=None, port=None, query={"host": str(folder)}).render_as_string(
            hide_password=False
        )
        self._asking, self._answering = Gate(), Gate()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: list[tuple[Gate, asyncio.StreamWriter]] = []
        """Both ends of each connection, with the gate of its answers."""
        self._clients: list[asyncio.StreamWriter] = []

    def freeze(self, *, asking: bool = True) -> int:
        """Freeze the connections that exist; new ones work. Without `asking` only the answers are held.

        Answers how many there were.
        """
        self._ends = [(gate, writer) for gate, writer in self._ends if not writer.transport.is_closing()]
        frozen = sum(gate is self._answering for gate, _ in self._ends) // 2
        if asking:
            self._asking.close()
            self._asking = Gate()
        self._answering.close()
        self._answering = Gate()
        return frozen

    def cut_frozen(self) -> None:
        """Cut the connections that are frozen, as a host's keepalives do in the end."""
        for gate, writer in self._ends:
            if gate is not self._answering:
                writer.transport.abort()

    async def say_last(self, message: bytes) -> None:
        """Have every client hear this, as if it came from PostgreSQL, and nothing after it."""
        self.freeze()
        for client in self._clients:
            client.write(message)
        for _ in range(3):  # it is in their sockets, and is read when the loop looks at those
            await asyncio.sleep(0)

    def freeze_new(self) -> None:
        """Freeze connections that come from now on."""
        self._asking.close()

    def thaw_new(self) -> None:
        """Let connections that come from now on through again."""
        self._asking = Gate()

    async def serve(self) -> asyncio.Server:
        """Listen."""
        return await asyncio.start_unix_server(self._connected, self._folder / SOCKET)

    async def end(self) -> None:
        """Cut every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for _, writer in self._ends:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.append((self._answering, writer))
        self._clients.append(writer)
        connecting = asyncio.current_task()
        assert connecting is not None
        self._note(connecting)
        host = self._behind.query.get("host") or self._behind.host
        try:
            if isinstance(host, str) and host.startswith("/"):
                ours, to = await asyncio.open_unix_connection(f"{host}/{SOCKET}")
            else:
                ours, to = await asyncio.open_connection(str(host), self._behind.port or 5432)
        except (OSError, asyncio.CancelledError):  # PostgreSQL is away, or the line is at its end
            writer.transport.abort()
            return
        self._ends.append((self._answering, to))
        for source, target, gate in ((reader, to, self._asking), (ours, writer, self._answering)):
            self._note(asyncio.create_task(forward(source, target, gate)))

    def _note(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Gate:
    """Open until it is closed, for good."""

    def __init__(self) -> None:
        self._open = True

    def close(self) -> None:
        self._open = False

    async def passed(self) -> None:
        """Wait for ever once it is closed."""
        if not self._open:
            await asyncio.Future()


async def forward(source: asyncio.StreamReader, target: asyncio.StreamWriter, gate: Gate) -> None:
    """Pass on what comes, as long as the gate is open."""
    with suppress(ConnectionError):
        while data := await source.read(65_536):
            await gate.passed()
            target.write(data)
            await target.drain()
        await gate.passed()
    target.close()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    """A line to a PostgreSQL database, which thaws at the end of the block by being cut."""
    with TemporaryDirectory(prefix="ms-line-") as folder:
        line = Line(url, Path(folder))
        async with await line.serve() as server:
            try:
                yield line
            finally:
                server.close()
                await line.end()
