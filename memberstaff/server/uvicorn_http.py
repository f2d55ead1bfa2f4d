"""uvicorn's HTTP protocol with time-outs for headers, for writes, and for event streams at shutdown."""

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
"""The ASGI extension with the connection's protocol."""

LATE_SECONDS = 0.5
"""A timer that is this late shows that the process was busy, as when thousands of clients connect at once."""


def protocol_of(scope: Scope) -> HttpProtocol | None:
    """The protocol of a request's connection; None under another server than ours."""
    found: HttpProtocol | None = (scope.get("extensions") or {}).get(CONNECTION)
    return found


class HttpProtocol(HttpToolsProtocol):
    """A connection; pass the class to uvicorn as `http`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        settings = settings_of(self.app_state)
        self.drain_seconds = settings.drain_seconds
        self.headers_seconds = settings.headers_seconds
        self.silence_seconds = settings.silence_seconds
        self.is_streaming = False
        """Whether the response is an event stream, which shutdown must end."""
        self.unsent = 0
        """Size of the write buffer when the write timer was started."""
        self.write_timeout_timer: asyncio.TimerHandle | None = None
        """Runs while writing is paused, because the client does not read."""
        self.headers_timeout_timer: asyncio.TimerHandle | None = None
        """Runs until a request's headers are complete, from the connection or the first byte on."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # uvicorn's own
        super().connection_made(transport)
        self.start_headers_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_headers_timer()
        self.stop_write_timer()
        super().connection_lost(exc)

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Mark the response as an event stream."""
        self.is_streaming = True
        try:
            yield
        finally:
            self.is_streaming = False

    @property
    def blocked(self) -> bool:
        """Whether the write buffer is above its high-water mark."""
        return self.flow.write_paused

    def write_chunk(self, body: bytes) -> None:
        """Write a chunk of a chunked response, unless the connection is closing. The caller must check `blocked`."""
        if not self.transport.is_closing():
            self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))

    def pause_writing(self) -> None:
        """Called above the high-water mark; the client must read within `silence_seconds`."""
        super().pause_writing()
        self.start_write_timer()

    def resume_writing(self) -> None:
        self.stop_write_timer()
        super().resume_writing()

    def start_write_timer(self) -> None:
        """Call `write_timed_out` after `silence_seconds`."""
        self.unsent = self.transport.get_write_buffer_size()
        self.write_timeout_timer = self.loop.call_later(self.silence_seconds, self.write_timed_out)

    def write_timed_out(self) -> None:
        """Abort the connection of a client that has read nothing since the timer was started."""
        if self.transport.get_write_buffer_size() < self.unsent:
            self.start_write_timer()
        else:
            self.transport.abort()

    def stop_write_timer(self) -> None:
        """Cancel the write timer."""
        if self.write_timeout_timer is not None:
            self.write_timeout_timer.cancel()
            self.write_timeout_timer = None

    def handle_websocket_upgrade(self) -> None:
        """Switch to the WebSocket protocol, which has its own timers; an ordinary handshake is not parsed again."""
        self.stop_headers_timer()
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
        """Called with received bytes; the first of a request start the headers timer."""
        if self.cycle is None or self.cycle.response_complete:
            self.start_headers_timer()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Start the application, with this protocol in its scope."""
        self.stop_headers_timer()
        extensions: Any = {CONNECTION: self}
        self.scope["extensions"] = extensions
        super().on_headers_complete()

    def start_headers_timer(self) -> None:
        """Time out slow headers (Slowloris): they must be complete within `headers_seconds`."""
        if self.headers_timeout_timer is None:
            self.headers_timeout_timer = self.loop.call_later(self.headers_seconds, self.headers_timed_out)

    def headers_timed_out(self) -> None:
        """Abort the connection, unless this process was too busy to read headers that may have arrived."""
        assert self.headers_timeout_timer is not None
        late = self.loop.time() - self.headers_timeout_timer.when()
        self.headers_timeout_timer = None
        if late > LATE_SECONDS:
            self.start_headers_timer()
        else:
            self.transport.abort()

    def stop_headers_timer(self) -> None:
        """Cancel the headers timer."""
        if self.headers_timeout_timer is not None:
            self.headers_timeout_timer.cancel()
            self.headers_timeout_timer = None

    def shutdown(self) -> None:
        """Let requests finish; close streams spread over `drain_seconds`, so that clients do not reconnect at once."""
        super().shutdown()
        cycle: Any = self.cycle
        if self.is_streaming and cycle is not None and not cycle.response_complete:
            # Without the final chunk: graphql-sse reconnects after a broken response, but not after a complete one.
            self.loop.call_later(random.uniform(0, self.drain_seconds), self.transport.close)
