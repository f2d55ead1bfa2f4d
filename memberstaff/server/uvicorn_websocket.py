"""uvicorn's WebSocket protocol with time-outs for every socket, and a shutdown that is spread over time.

When a client does not answer pings, uvicorn waits for the write buffer to empty before it closes the socket. A client
that has stopped reading never lets it, so the socket, its tasks and its memory would be leaked.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from contextvars import Context, copy_context
from typing import Any, Protocol

from starlette.types import Message
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request
from websockets.protocol import Protocol as Connection
from websockets.protocol import Side, State

from memberstaff.server.light_asyncio import Gate, MessageQueue
from memberstaff.server.open_connections import Slot, cut
from memberstaff.server.websocket_handshake import switching_protocols, websocket_scope
from memberstaff.settings import Settings

SETTINGS = "settings"
"""Key of the settings in the lifespan state, the only thing that uvicorn passes to a protocol."""

SOCKET = "memberstaff.socket"
"""The ASGI extension with the socket's protocol."""

SERVICE_RESTART = 1012
"""Close code at shutdown (IANA's WebSocket Close Code registry)."""

LINGER_SECONDS = 3.0
"""Time for a closing socket to empty its write buffer before it is aborted."""


def settings_of(app_state: Mapping[str, Any]) -> Settings:
    """The application's settings; the defaults if it has none."""
    found = app_state.get(SETTINGS)
    return found if isinstance(found, Settings) else Settings()


OF_UVICORN = """
app app_state asgi_version client close_sent close_timeout close_timer config conn connections curr_msg_data_type
default_headers disconnected frames handshake_complete handshake_initiated initial_response last_ping_rtt logger loop
pending_ping_payload ping_interval ping_sent_at ping_timeout ping_timer pong_timer queue read_paused request response
root_path scheme scope server tasks transport writable
"""
"""What its methods set: without slots it would be in a dict, 1,600 bytes for each socket."""
OUR_OWN = """
abort_timer blocked consumer context delivering drain_code drain_seconds key max_backlog shutdown_timer slot unsent
"""


class Consumer(Protocol):
    """Serves a socket whose application has returned."""

    async def take(self, message: Message) -> None:
        """Handle an ASGI message, one at a time; never raises. `websocket.disconnect` is the last one."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A socket; pass the class to uvicorn as `ws`. Its time-out is ws_ping_interval + ws_ping_timeout."""

    __slots__ = (*OF_UVICORN.split(), *OUR_OWN.split())

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.queue = MessageQueue()  # type: ignore[assignment]
        self.writable = Gate()  # type: ignore[assignment]
        # uvicorn's logger would add two lines for each socket, one with the query string.
        self.logger = logging.getLogger("websockets")
        settings = settings_of(self.app_state)
        self.drain_seconds = settings.drain_seconds
        self.max_backlog = settings.max_backlog_bytes
        self.close_timeout = LINGER_SECONDS
        self.unsent = 0
        """Size of the write buffer at the last ping."""
        self.shutdown_timer: asyncio.TimerHandle | None = None
        self.abort_timer: asyncio.TimerHandle | None = None
        self.blocked = False
        """Whether the write buffer is above its high-water mark."""
        self.drain_code = SERVICE_RESTART
        """The close code at shutdown."""
        self.slot: Slot | None = None
        """Its place among the open connections."""
        self.consumer: Consumer | None = None
        self.context: Context | None = None
        """In which the consumer runs."""
        self.delivering = False
        """Whether the consumer has a message to handle."""
        self.key: str | None = None
        """The Sec-WebSocket-Key of a handshake parsed by HttpProtocol, until it is accepted."""

    def upgrade(self, transport: asyncio.Transport, http_scope: Mapping[str, Any], url: bytes, key: str) -> None:
        """Start after a handshake parsed by HttpProtocol, instead of `connection_made` and `data_received`."""
        self.connections.add(self)
        self.transport = transport
        self.server, self.client = http_scope["server"], http_scope["client"]
        self.key = key
        self.handshake_initiated = True
        scope: Any = websocket_scope(http_scope, url, self.app_state)
        scope["extensions"][SOCKET] = self
        self.scope = scope
        self.queue.put_nowait({"type": "websocket.connect"})
        task = self.loop.create_task(self.run_asgi())
        task.add_done_callback(self.on_task_complete)
        self.tasks.add(task)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self.shutdown_timer, self.abort_timer):
            if timer is not None:
                timer.cancel()
        if self.slot is not None:
            self.slot.free()
        super().connection_lost(exc)
        self.blocked = False  # `writable` is set too, and later writes are dropped

    async def send(self, message: Any) -> None:
        """Send an ASGI message; a handshake parsed by HttpProtocol is accepted here."""
        if message["type"] != "websocket.accept":
            await super().send(message)
            if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
                self.handshake_complete = True  # uvicorn forgets it, and logs an application that has not answered
        elif self.disconnected or self.transport.is_closing():
            raise ClientDisconnected
        elif self.key is None:
            await super().send(message)
            self.request.headers.clear()  # they are most of a socket's memory
            self.response.headers.clear()
        else:
            self.accept(self.key, message)

    def accept(self, key: str, message: Any) -> None:
        """Accept the handshake; from now on there are only frames."""
        self.key = None
        self.conn = Connection(  # type: ignore[assignment]
            Side.SERVER, state=State.OPEN, max_size=self.config.ws_max_size, logger=self.logger
        )
        self.handshake_complete = True
        headers = [*self.default_headers, *message.get("headers", ())]
        self.transport.write(switching_protocols(key, message.get("subprotocol"), headers))
        self.start_keepalive()

    def hand_over(self, consumer: Consumer) -> None:
        """Have a consumer handle all further messages; the application, which calls this, returns.

        So an idle socket has no task: with the coroutines of middleware and application it is a fourth of its memory.
        """
        self.consumer = consumer
        self.context = copy_context()
        self.scope = self.server = self.client = None  # type: ignore[assignment]
        self.queue.on_message = self.deliver  # type: ignore[attr-defined]
        self.deliver()

    def deliver(self) -> None:
        """Have the consumer handle what is in the queue."""
        if not self.delivering and not self.queue.empty():
            self.delivering = True
            task = self.loop.create_task(self.deliver_all(), context=self.context)
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    async def deliver_all(self) -> None:
        """Have the consumer handle one message after the other."""
        try:
            while self.consumer is not None and not self.queue.empty():
                consumer = self.consumer
                message: Any = await self.receive()
                if message["type"] == "websocket.disconnect":
                    self.consumer = self.queue.on_message = None  # type: ignore[attr-defined]
                await consumer.take(message)
        finally:
            self.delivering = False
        if self.consumer is None:
            self.abort_unless_closed()

    async def run_asgi(self) -> None:
        """Run the application, which may return before the socket is closed if it has handed it over."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except BaseException:
            self.logger.exception("Exception in ASGI application")
            self.send_500_response()
        else:
            self.send_500_response()  # unless the application has answered
        if self.consumer is None and not self.delivering and self.close_timer is None:
            self.transport.close()

    def forget_handshake(self) -> None:
        """Drop what is known of the handshake, but for what the log will say of it.

        As much as it is, it would be held for as long as the socket.
        """
        scope: Any = self.scope
        kept = {name: scope[name] for name in ("type", "raw_path")}
        scope.clear()
        scope.update(kept)
        self.server = self.client = None

    def write(self, frames: bytes) -> None:
        """Write complete frames, unless the socket is closing. The caller must check `blocked`."""
        if not self.close_sent and not self.transport.is_closing():
            self.transport.write(frames)

    def pause_writing(self) -> None:
        self.blocked = True
        super().pause_writing()

    def resume_writing(self) -> None:
        self.blocked = False
        super().resume_writing()

    def abort(self) -> None:
        """Close the connection at once, dropping the write buffer."""
        self.transport.abort()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Called when the application has returned."""
        super().on_task_complete(task)
        if self.consumer is None and not self.delivering:
            self.abort_unless_closed()

    def abort_unless_closed(self) -> None:
        """Abort the socket unless it closes in time."""
        if not self.disconnected:
            self.abort_timer = self.loop.call_later(2 * LINGER_SECONDS, self.abort)

    def handle_connect(self, event: Request) -> None:
        """Start the application, at the loop's next iteration, with this protocol in its scope."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: Any = self.scope["extensions"]
            extensions[SOCKET] = self

    def handle_text(self, event: Frame) -> None:
        """Take a message, and its bytes from the parser, which would keep them until the next one."""
        super().handle_text(event)
        event.data = b""

    def send_receive_event_to_app(self) -> None:
        """Pass a message on; what is not UTF-8 closes the socket, and is not worth the traceback that uvicorn logs."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                if self.conn.state is State.OPEN:  # or else the client's own close frame came with it
                    self.conn.send_close(CloseCode.INVALID_DATA)
                    self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer a ping; abort when too many pongs are unread, which would fill our memory."""
        super().handle_ping()
        if self.transport.get_write_buffer_size() > self.max_backlog:
            cut(self.transport, "not_reading")

    def send_keepalive_ping(self) -> None:
        """Send a ping, and note the size of the write buffer."""
        if not self.transport.is_closing():
            self.unsent = self.transport.get_write_buffer_size()
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """Abort, unless the pong may be late: reading is paused, or the client is still reading older messages."""
        unsent = self.transport.get_write_buffer_size()
        timeout = self.ping_timeout
        if timeout and not self.transport.is_closing() and (self.read_paused or 0 < unsent < self.unsent):
            self.unsent = unsent
            self.pong_timer = self.loop.call_later(timeout, self.keepalive_timeout)
            return
        self.pong_timer = None
        self.pending_ping_payload = None
        cut(self.transport, "not_reading")

    def shutdown(self) -> None:
        """Close after a random delay of up to `drain_seconds`, so that clients do not all reconnect at once."""
        if not self.handshake_complete or self.close_sent or self.drain_seconds <= 0:
            self.close_for_shutdown()
        elif self.shutdown_timer is None:
            delay = random.uniform(0, self.drain_seconds)
            self.shutdown_timer = self.loop.call_later(delay, self.close_for_shutdown)

    def close_for_shutdown(self) -> None:
        """Send the close frame, unless the socket is already closing."""
        if self.transport.is_closing():
            return
        if self.handshake_complete and not self.close_sent:  # uvicorn would send 1012 whatever the protocol
            self.queue.put_nowait({"type": "websocket.disconnect", "code": self.drain_code})
            self.conn.send_close(self.drain_code)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        super().shutdown()
