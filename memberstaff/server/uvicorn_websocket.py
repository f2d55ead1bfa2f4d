"""uvicorn's WebSocket protocol with an end for every socket: silent clients are cut off, stops are spread.

uvicorn closes a client that does not answer pings by waiting for its buffer to empty, which a client that has
stopped reading never lets happen; the socket, its tasks and its memory then stay for ever.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import Protocol, Side, State

from memberstaff.server.websocket_handshake import switching_protocols, websocket_scope
from memberstaff.settings import Settings

SETTINGS = "settings"
"""The key of the lifespan's state that holds the settings: uvicorn hands a protocol nothing else."""

SOCKET = "memberstaff.socket"
"""The ASGI extension under which a socket hands itself to the application."""

COME_BACK = 1012
"""The close code for a server that restarts."""

LINGER_SECONDS = 3.0
"""How long a closing socket may take to send what is left before it is cut off."""


def settings_of(app_state: Mapping[str, Any]) -> Settings:
    """The served application's settings; the defaults for an application that has none."""
    found = app_state.get(SETTINGS)
    return found if isinstance(found, Settings) else Settings()


class MessageQueue:
    """What the client has sent and the application has not taken yet: asyncio.Queue as far as uvicorn uses it.

    That one has four deques of 600 bytes each, a seventh of what an idle subscriber costs.
    """

    __slots__ = ("_messages", "_waiting")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._waiting: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:
        """Add one."""
        self._messages.append(message)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self._messages

    async def get(self) -> Any:
        """Take the oldest, as soon as there is one."""
        while not self._messages:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._messages.pop(0)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One socket. Pass the class to uvicorn as `ws`; it bears ws_ping_interval + ws_ping_timeout of silence."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.queue = MessageQueue()  # type: ignore[assignment]
        # With uvicorn's logger there would be two more lines for each socket, and one shows the query string.
        self.logger = logging.getLogger("websockets")
        settings = settings_of(self.app_state)
        self.drain_seconds = settings.drain_seconds
        self.max_backlog = settings.max_backlog_bytes
        self.close_timeout = LINGER_SECONDS
        self.unsent = 0
        """Bytes in our buffer when we last asked whether the client is there."""
        self.farewell: asyncio.TimerHandle | None = None
        self.reaper: asyncio.TimerHandle | None = None
        self.blocked = False
        """Whether the client has so much to read that nothing may be added."""
        self.drain_code = COME_BACK
        """The close code at a stop."""
        self.key: str | None = None
        """Of a handshake that HTTP has parsed, until it is answered."""

    def upgrade(self, transport: asyncio.Transport, http_scope: Mapping[str, Any], url: bytes, key: str) -> None:
        """Begin with a handshake that HTTP has parsed, in place of `connection_made` and `data_received`."""
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
        """Stop looking after it."""
        for timer in (self.farewell, self.reaper):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    async def send(self, message: Any) -> None:
        """Send for the application; a handshake that HTTP has parsed is accepted here."""
        if message["type"] != "websocket.accept":
            await super().send(message)
        elif self.key is None:
            await super().send(message)
            self.request.headers.clear()  # they would be most of a socket's memory
            self.response.headers.clear()
        elif not self.disconnected and not self.transport.is_closing():
            self.accept(self.key, message)

    def accept(self, key: str, message: Any) -> None:
        """Answer the handshake; from here on there are only frames."""
        self.key = None
        self.conn = Protocol(  # type: ignore[assignment]
            Side.SERVER, state=State.OPEN, max_size=self.config.ws_max_size, logger=self.logger
        )
        self.handshake_complete = True
        headers = [*self.default_headers, *message.get("headers", ())]
        self.transport.write(switching_protocols(key, message.get("subprotocol"), headers))
        self.start_keepalive()

    def write(self, frames: bytes) -> None:
        """Write whole frames, unless the socket is closing; the caller sees to `blocked`."""
        if not self.close_sent and not self.transport.is_closing():
            self.transport.write(frames)

    def pause_writing(self) -> None:
        """So much waits to be sent that nothing may be added."""
        self.blocked = True
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has read most of it."""
        self.blocked = False
        super().resume_writing()

    def abort(self) -> None:
        """Drop the connection at once, with what waits to be sent."""
        self.transport.abort()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """The application has finished with this socket: cut it off if it does not manage to close."""
        super().on_task_complete(task)
        if not self.disconnected:
            self.reaper = self.loop.call_later(2 * LINGER_SECONDS, self.abort)

    def handle_connect(self, event: Request) -> None:
        """Begin the application, which finds this socket in its scope (it starts at the loop's next turn)."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: Any = self.scope["extensions"]
            extensions[SOCKET] = self

    def handle_ping(self) -> None:
        """Answer a ping, unless the answers pile up: pings that nobody reads the pongs of fill our memory."""
        super().handle_ping()
        if self.transport.get_write_buffer_size() > self.max_backlog:
            self.abort()

    def send_keepalive_ping(self) -> None:
        """Ask whether the client is there, and remember how much it has still to read."""
        if not self.transport.is_closing():
            self.unsent = self.transport.get_write_buffer_size()
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """Cut off a client that did not answer, unless the answer is only late: ours to read, or behind much."""
        unsent = self.transport.get_write_buffer_size()
        patience = self.ping_timeout
        if patience and not self.transport.is_closing() and (self.read_paused or 0 < unsent < self.unsent):
            self.unsent = unsent
            self.pong_timer = self.loop.call_later(patience, self.keepalive_timeout)
            return
        self.pong_timer = None
        self.pending_ping_payload = None
        self.abort()

    def shutdown(self) -> None:
        """Say that we restart, each socket at its own moment: a thousand clients must not return at once."""
        if not self.handshake_complete or self.close_sent or self.drain_seconds <= 0:
            self.farewell_now()
        elif self.farewell is None:
            moment = random.uniform(0, self.drain_seconds)
            self.farewell = self.loop.call_later(moment, self.farewell_now)

    def farewell_now(self) -> None:
        """Say it, unless the socket is closing already."""
        if self.transport.is_closing():
            return
        if self.handshake_complete and not self.close_sent:  # uvicorn would say 1012 whatever the protocol
            self.queue.put_nowait({"type": "websocket.disconnect", "code": self.drain_code})
            self.conn.send_close(self.drain_code)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        super().shutdown()
