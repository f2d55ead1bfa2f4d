"""A real uvicorn on a free port of the loopback, in the test's own loop and with production's options.

Except for its pauses: uvicorn looks whether it should stop, and whether it has, ten times a second. At a thousand
starts and stops these were minutes of the tests' time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
import uvicorn.server

from memberstaff.server.run import options
from memberstaff.server.uvicorn_tls import Config
from memberstaff.settings import Settings


@dataclass(frozen=True)
class Address:
    """Where a test's server listens, and the server itself."""

    port: int
    server: Server

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


class Server(uvicorn.Server):
    """uvicorn that says when it has started, stops when it is told to, and leaves the test runner's signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        self.ready = asyncio.Event()
        self._told_to_stop = asyncio.Event()
        super().__init__(config)

    @property
    def should_exit(self) -> bool:
        return self._told_to_stop.is_set()

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        if value:
            self._told_to_stop.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """A tick at once, for the headers of all answers, and the one that finds that it should stop."""
        await self.on_tick(0)
        await self._told_to_stop.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Brisk:
    """asyncio for a stop of uvicorn, whose pauses of 0.1 s are the steps in which it waits for its connections."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 50)


vars(uvicorn.server)["asyncio"] = _Brisk()


@contextlib.asynccontextmanager
async def serving(
    app: Callable[..., Any], settings: Settings, *, port: int = 0, **changes: Any
) -> AsyncIterator[Address]:
    """Serve an ASGI application, or what a factory without parameters makes; `changes` go to uvicorn.Config.

    Port 0 is a free one.
    """
    factory = not hasattr(app, "router") and _takes_nothing(app)
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # with 0, asyncio never sets TCP_NODELAY
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(
        socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536
    )  # of each connection: who does not read is soon felt
    listener.bind(("127.0.0.1", port))
    server = Server(Config(app, factory=factory, log_config=None, **{**options(settings), **changes}))
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    started = asyncio.ensure_future(server.ready.wait())
    try:
        await asyncio.wait({running, started}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield Address(listener.getsockname()[1], server)
    finally:
        started.cancel()
        server.should_exit = True
        await running
        listener.close()


def _takes_nothing(app: Callable[..., Any]) -> bool:
    code = getattr(app, "__code__", None)
    return code is not None and code.co_argcount == 0
