"""uvicorn's WebSocket protocol with an end for every socket: silent clients are cut off, stops are spread.

uvicorn closes a client that does not answer pings by waiting for its buffer to empty, which a client that has
stopped reading never lets happen; the socket, its tasks and its memory then stay for ever.
"""

from __future__ import annotations

import asyncio
import logging
import random
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import OPEN, Protocol
from websockets.utils import accept_key

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


def ordinary_key(method: str, version: str, url: bytes, headers: list[tuple[bytes, bytes]]) -> str | None:
    """The key of a handshake as browsers and libraries send it (RFC 6455, section 4.2.1).

    None for any other: it may be wrong in many ways, and websockets judges and answers each of them.
    """
    found = {name: value for name, value in headers if name in _HANDSHAKE}
    if sum(name in _HANDSHAKE for name, _ in headers) != len(_HANDSHAKE) or len(found) != len(_HANDSHAKE):
        return None
    if method != "GET" or version != "1.1" or not url.startswith(b"/") or not url.isascii():
        return None
    if found[b"upgrade"].lower() != b"websocket" or found[b"sec-websocket-version"] != b"13":
        return None
    key = found[b"sec-websocket-key"]
    try:
        return key.decode("ascii") if len(b64decode(key, validate=True)) == 16 else None
    except (NotBase64, ValueError):
        return None


_HANDSHAKE = frozenset({b"upgrade", b"sec-websocket-version", b"sec-websocket-key"})
"""Headers that each handshake has exactly once."""


class Inbox:
    """What has come for the application, which takes it one by one: asyncio.Queue as far as uvicorn uses it.

    That one has four deques of 600 bytes each, of which three are for things that nobody does here.
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
        self.queue = Inbox()  # type: ignore[assignment]
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
        """Of a handshake that was taken over and is not answered yet."""

    def take_over(self, transport: asyncio.Transport, scope: Mapping[str, Any], url: bytes, key: str) -> None:
        """Go on from an ordinary handshake that HTTP has read, instead of having it written out and read again.

        That was a fourth of what a socket costs until it stands. `scope` is that of the HTTP request.
        """
        self.connections.add(self)
        self.transport = transport
        self.server, self.client = scope["server"], scope["client"]
        self.key = key
        self.handshake_initiated = True
        # Where websockets' own parser stands when it has read a handshake.
        self.conn.parser = Protocol.parse(self.conn)
        next(self.conn.parser)
        path, _, query = url.partition(b"?")
        root: str = scope["root_path"]
        offered = [value.decode("latin-1") for name, value in scope["headers"] if name == b"sec-websocket-protocol"]
        self.scope = {
            "type": "websocket",
            "asgi": {"version": self.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if scope["scheme"] == "https" else "ws",
            "server": self.server,
            "client": self.client,
            "root_path": root,
            "path": root + unquote(path.decode("ascii")),
            "raw_path": root.encode("ascii") + path,
            "query_string": query,
            "headers": scope["headers"],
            "subprotocols": [token.strip() for value in offered for token in value.split(",")],
            "state": self.app_state.copy(),
            "extensions": {"websocket.http.response": {}, SOCKET: self},  # type: ignore[dict-item]
        }
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
        """Send for the application, and forget the handshake as soon as it is done: it is most of a socket's memory."""
        if message["type"] != "websocket.accept":
            await super().send(message)
        elif self.key is None:
            await super().send(message)
            self.request.headers.clear()
            self.response.headers.clear()
        elif not self.disconnected and not self.transport.is_closing():
            self.accept(self.key, message)

    def accept(self, key: str, message: Any) -> None:
        """Answer the handshake that was taken over."""
        headers = [
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            (b"Sec-WebSocket-Accept", accept_key(key).encode()),
            *self.default_headers,
            *message.get("headers", ()),
        ]
        if subprotocol := message.get("subprotocol"):
            headers.append((b"Sec-WebSocket-Protocol", subprotocol.encode()))
        lines = [b"HTTP/1.1 101 Switching Protocols", *(b"%s: %s" % pair for pair in headers), b"", b""]
        self.key = None
        self.conn.state = OPEN
        self.handshake_complete = True
        self.transport.write(b"\r\n".join(lines))
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
