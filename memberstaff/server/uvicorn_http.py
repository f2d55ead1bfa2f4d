"""uvicorn's HTTP protocol with turns, with time-outs for headers and writes, and for event streams at shutdown."""

from __future__ import annotations

import asyncio
import random
from asyncio.transports import Transport
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from memberstaff.server import head_bounds
from memberstaff.server.client_address import UNKNOWN
from memberstaff.server.head_bounds import HEAD_BYTES, BoundedHeads
from memberstaff.server.lingering_close import ClosingLate
from memberstaff.server.open_connections import Slot, cut, open_connections_of
from memberstaff.server.uvicorn_websocket import WebSocketProtocol, settings_of
from memberstaff.server.websocket_handshake import ordinary_key

CONNECTION = "memberstaff.http"
"""The ASGI extension with the connection's protocol."""

PARSED_AT_ONCE = 2 * 1024
"""Bytes; by so many a request may exceed the bounds before it is refused, and so much of a pipeline is begun."""
HELD_BYTES = 64 * 1024 * 1024
"""Of all connections together: each may have sent a chunk, of up to 256 KB, that waits for its turn."""

LATE_SECONDS = 0.5
"""A timer that is this late shows that the process was busy, as when thousands of clients connect at once."""


def protocol_of(scope: Scope) -> HttpProtocol | None:
    """The protocol of a request's connection; None under another server than ours."""
    found: HttpProtocol | None = (scope.get("extensions") or {}).get(CONNECTION)
    return found


class HttpProtocol(BoundedHeads):
    """A connection; pass the class to uvicorn as `http`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        settings = settings_of(self.app_state)
        self.drain_seconds = settings.drain_seconds
        self.headers_seconds = settings.headers_seconds
        self.silence_seconds = settings.silence_seconds
        self.slot: Slot | None = None
        """Its place among the open connections; over TLS taken before the handshake."""
        self.is_streaming = False
        """Whether the response is an event stream, which shutdown must end."""
        self.cycles: list[RequestResponseCycle] = []
        """Requests whose responses are not complete: several when a client pipelines."""
        self.held = b""
        """Received behind a pipelined request, and not parsed: a chunk can hold thousands of requests."""
        self.unsent = 0
        """Size of the write buffer when the write timer was started."""
        self.write_timeout_timer: asyncio.TimerHandle | None = None
        """Runs while writing is paused, because the client does not read."""
        self.headers_timeout_timer: asyncio.TimerHandle | None = None
        """Runs until a request's headers are complete, from the connection or the first byte on."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # uvicorn's own
        super().connection_made(transport)
        if self.slot is None:
            self.slot = open_connections_of(self.app_state).take(self.client[0] if self.client else UNKNOWN)
        if self.slot is None:
            transport.abort()
        else:
            self.start_headers_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_headers_timer()
        self.stop_write_timer()
        self.hold(b"")
        if self.slot is not None:
            self.slot.free()
        super().connection_lost(exc)
        # uvicorn tells the newest request alone, and a stream before it would go on for ever.
        self.pipeline.clear()
        for cycle in self.cycles:
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self.cycles.clear()

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
            cut(self.transport, "not_reading")

    def stop_write_timer(self) -> None:
        """Cancel the write timer."""
        if self.write_timeout_timer is not None:
            self.write_timeout_timer.cancel()
            self.write_timeout_timer = None

    def handle_websocket_upgrade(self) -> None:
        """Switch to the WebSocket protocol, which has its own timers; an ordinary handshake is not parsed again."""
        self.stop_headers_timer()
        if any(not cycle.response_complete for cycle in self.cycles):
            # Their responses would be written between the socket's frames, and its end would not be told to them.
            self.send_400_response("")
            return
        if any(name in head_bounds.BODY_HEADERS and value.strip() != b"0" for name, value in self.headers):
            self.refusal = (
                head_bounds.HANDSHAKE_WITH_BODY
            )  # websockets would wait for the body, which goes to this parser
            self.send_400_response("")
            return
        create: Any = self.ws_protocol_class
        key = ordinary_key(self.scope["method"], self.scope["http_version"], self.url, self.headers)
        if key is None or not issubclass(create, WebSocketProtocol):
            super().handle_websocket_upgrade()
        else:
            self.connections.discard(self)
            protocol = create(config=self.config, server_state=self.server_state, app_state=self.app_state)
            protocol.upgrade(self.transport, self.scope, self.url, key)
            self.transport.set_protocol(protocol)
            # They refer to this protocol, which would be garbage until the next collection, for each socket.
            self.parser = self.scope = None  # type: ignore[assignment]
        successor = self.transport.get_protocol()
        if isinstance(successor, WebSocketProtocol):
            successor.slot = self.slot
        elif successor is not self and self.slot is not None:
            self.slot.free()  # uvicorn's own protocol does not count

    def data_received(self, data: bytes) -> None:
        """Called with received bytes; those of a head start the headers timer, and wait for their turn."""
        if self.is_refused:
            self.drop(len(data))
            return
        if self.held or self.pipeline:
            self.hold(self.held + data)
            self.flow.pause_reading()  # an event stream has it resumed, to learn when its client leaves
            return
        if self.is_idle and self.slot is not None and not self.slot.takes_turn(self.begin):
            self.hold(data)
            if len(data) > HEAD_BYTES:  # otherwise only when more comes: most requests are a single piece
                self.flow.pause_reading()
            self._unset_keepalive_if_required()
            return
        self.parse(data)

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way; the head of the next one may have begun."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def hold(self, data: bytes) -> None:
        """Keep what has been received and not parsed.

        Gives the connection up if all together keep too much, and it more than its share.
        """
        connections = open_connections_of(self.app_state)
        connections.held_bytes += len(data) - len(self.held)
        self.held = data
        if connections.held_bytes > HELD_BYTES and len(data) > HELD_BYTES // max(1, len(connections)):
            cut(self.transport, "held")

    def begin(self) -> None:
        """Parse what is held: the turn of a request has come."""
        if self.held and not self.transport.is_closing():
            data = self.held
            self.hold(b"")
            self.flow.resume_reading()
            self.parse(data)

    def parse(self, data: bytes) -> None:
        """Parse piece by piece, until a request waits."""
        if self.is_idle:
            self.start_headers_timer()
        for start in range(0, len(data), PARSED_AT_ONCE):
            piece = data[start : start + PARSED_AT_ONCE]
            self.unparsed += len(piece)
            super().data_received(piece)
            if self.is_refused or self.transport.is_closing() or self.transport.get_protocol() is not self:
                return
            if self.unparsed > HEAD_BYTES:
                self.refusal = self.refusal if self.is_head_refused else head_bounds.TOO_LARGE
                self.send_400_response("")
                return
            if self.pipeline:  # reading is paused until its turn comes
                self.hold(data[start + PARSED_AT_ONCE :])
                return

    def on_response_complete(self) -> None:
        """Go on with the next request, which waits for its turn too, and with what is held behind it."""
        if not self.pipeline or self.slot is None or self.slot.takes_turn(self.go_on):
            self.go_on()

    def go_on(self) -> None:
        """Begin the next request of a pipeline, or wait for one."""
        super().on_response_complete()
        if self.held and not self.transport.is_closing():
            self.flow.pause_reading()
            if not self.pipeline:
                self.loop.call_soon(self.parse_held)

    def parse_held(self) -> None:
        """Parse what is held, until a request waits again."""
        if not self.pipeline and not self.transport.is_closing():
            data = self.held
            self.hold(b"")
            self.flow.resume_reading()
            self.data_received(data)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - says less than the refusal
        """Refuse what is not HTTP, or too large, and close the connection."""
        if self.is_refused:
            return
        self.stop_headers_timer()
        self.is_refused = True
        cycle: Any = self.cycle
        if not self.is_idle and not cycle.more_body and not self.is_streaming:
            # What was asked before is answered, and nothing else can be said.
            cycle.keep_alive, cycle.transport = False, ClosingLate(self)
            return
        if not self.is_idle:
            if cycle.response_started or self.pipeline:
                self.transport.abort()
                return
            cycle.disconnected = True  # its own body is the trouble
            cycle.message_event.set()
        status, text = self.refusal
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
        self.transport.write(f"{head}Connection: close\r\n\r\n{text}".encode("ascii"))
        self.linger()

    def on_head(self) -> None:
        """Start the application, with this protocol in its scope."""
        self.stop_headers_timer()
        extensions: Any = {CONNECTION: self}
        self.scope["extensions"] = extensions
        before = self.cycle
        super().on_head()
        if self.cycle is not None and self.cycle is not before:
            self.cycles = [cycle for cycle in self.cycles if not cycle.response_complete]
            self.cycles.append(self.cycle)

    def start_headers_timer(self) -> None:
        """Time out slow headers (Slowloris): they must be complete within `headers_seconds`."""
        if self.headers_timeout_timer is None:
            self.headers_timeout_timer = self.loop.call_later(self.headers_seconds, self.headers_timed_out)

    def headers_timed_out(self) -> None:
        """Abort the connection, unless its request waits, or this process may have been too busy to read it.

        Whoever's head is refused has had that long to send the body, too.
        """
        assert self.headers_timeout_timer is not None
        late = self.loop.time() - self.headers_timeout_timer.when()
        self.headers_timeout_timer = None
        if late > LATE_SECONDS or self.held:
            self.start_headers_timer()
        elif self.is_head_refused:
            self.send_400_response("")
        else:
            cut(self.transport, "slow_headers")

    def stop_headers_timer(self) -> None:
        """Cancel the headers timer."""
        if self.headers_timeout_timer is not None:
            self.headers_timeout_timer.cancel()
            self.headers_timeout_timer = None

    def shutdown(self) -> None:
        """Let requests finish, also those that wait for their turn.

        Streams are closed spread over `drain_seconds`, so that clients do not reconnect at once.
        """
        if self.is_idle:
            self.begin()
        super().shutdown()
        cycle: Any = self.cycle
        if self.is_streaming and cycle is not None and not cycle.response_complete:
            # Without the final chunk: graphql-sse reconnects after a broken response, but not after a complete one.
            self.loop.call_later(random.uniform(0, self.drain_seconds), self.transport.close)
