"""uvicorn's HTTP protocol with an end for every connection: slow requests, clients that do not read, shutdown."""

from __future__ import annotations

import asyncio
import random
from asyncio.transports import Transport
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from memberstaff.server.uvicorn_websocket import WebSocketProtocol, settings_of
from memberstaff.server.websocket_handshake import ordinary_key

CONNECTION = "memberstaff.http"
"""The ASGI extension under which a connection hands itself to the application."""

LATE_SECONDS = 0.5
"""A timer that is later than this says that the process has been busy: thousands of clients come at once."""


def protocol_of(scope: Scope) -> HttpProtocol | None:
    """The connection of a request; None when another server than ours runs the application."""
    found: HttpProtocol | None = (scope.get("extensions") or {}).get(CONNECTION)
    return found


class HttpProtocol(HttpToolsProtocol):
    """One connection. Pass the class to uvicorn as `http`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        settings = settings_of(self.app_state)
        self.drain_seconds = settings.drain_seconds
        self.headers_seconds = settings.headers_seconds
        self.silence_seconds = settings.silence_seconds
        self.streams = False
        """Whether the response goes on until somebody ends it."""
        self.unsent = 0
        """Bytes in our buffer when we last looked whether the client reads."""
        self.deaf: asyncio.TimerHandle | None = None
        """Runs while the client does not read."""
        self.patience: asyncio.TimerHandle | None = None
        """Runs from a connection's or a request's first byte to the end of its headers."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # uvicorn's own
        """Expect a request."""
        super().connection_made(transport)
        self.expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self.stop_expecting()
        self.stop_waiting()
        super().connection_lost(exc)

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Tell that the response goes on until somebody ends it."""
        self.streams = True
        try:
            yield
        finally:
            self.streams = False

    @property
    def blocked(self) -> bool:
        """Whether the client has so much to read that nothing may be added."""
        return self.flow.write_paused

    def write_chunk(self, body: bytes) -> None:
        """Write a part of a chunked response, unless the connection is closing; the caller sees to `blocked`."""
        if not self.transport.is_closing():
            self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))

    def pause_writing(self) -> None:
        """The write buffer is above its high-water mark: the client must read within `silence_seconds`."""
        super().pause_writing()
        self.wait_for_reading()

    def resume_writing(self) -> None:
        """The client has read most of it."""
        self.stop_waiting()
        super().resume_writing()

    def wait_for_reading(self) -> None:
        """Look again, after `silence_seconds`, whether the client has read anything."""
        self.unsent = self.transport.get_write_buffer_size()
        self.deaf = self.loop.call_later(self.silence_seconds, self.drop_if_deaf)

    def drop_if_deaf(self) -> None:
        """Drop a client that has read nothing, with what waits to be sent."""
        if self.transport.get_write_buffer_size() < self.unsent:
            self.wait_for_reading()
        else:
            self.transport.abort()

    def stop_waiting(self) -> None:
        """The client reads, or has gone."""
        if self.deaf is not None:
            self.deaf.cancel()
            self.deaf = None

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection on, to a protocol with timers of its own."""
        self.stop_expecting()
        create: Any = self.ws_protocol_class
        key = ordinary_key(self.scope["method"], self.scope["http_version"], self.url, self.headers)
        if key is None or not issubclass(create, WebSocketProtocol):
            super().handle_websocket_upgrade()
            return
        self.connections.discard(self)
        protocol = create(config=self.config, server_state=self.server_state, app_state=self.app_state)
        protocol.upgrade(self.transport, self.scope, self.url, key)
        self.transport.set_protocol(protocol)

    def data_received(self, data: bytes) -> None:
        """Read on; what begins a request must end its headers in time."""
        if self.cycle is None or self.cycle.response_complete:
            self.expect_headers()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Begin the application, which finds this connection in its scope."""
        self.stop_expecting()
        extensions: Any = {CONNECTION: self}
        self.scope["extensions"] = extensions
        super().on_headers_complete()

    def expect_headers(self) -> None:
        """Drop the connection if they are not complete in time: a few slow clients must not hold them all."""
        if self.patience is None:
            self.patience = self.loop.call_later(self.headers_seconds, self.lose_patience)

    def lose_patience(self) -> None:
        """Drop the connection, unless it is this process that was slow: the headers may be here, unread."""
        assert self.patience is not None
        late = self.loop.time() - self.patience.when()
        self.patience = None
        if late > LATE_SECONDS:
            self.expect_headers()
        else:
            self.transport.abort()

    def stop_expecting(self) -> None:
        """The headers are here, or nobody will send them."""
        if self.patience is not None:
            self.patience.cancel()
            self.patience = None

    def shutdown(self) -> None:
        """Finish an ordinary request; close a stream at a moment of its own, so that not all return at once."""
        super().shutdown()
        cycle: Any = self.cycle
        if self.streams and cycle is not None and not cycle.response_complete:
            # No word of farewell: after a proper end graphql-sse would be content, after a broken one it comes back.
            self.loop.call_later(random.uniform(0, self.drain_seconds), self.transport.close)
