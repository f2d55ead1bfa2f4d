"""Listeners for each transport; a batch is framed once for a group, and written without a task per listener."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from memberstaff.fanout.event_source import Batch
from memberstaff.server.uvicorn_http import HttpProtocol
from memberstaff.server.uvicorn_websocket import WebSocketProtocol

OnEnd = Callable[[Exception | None], None]
"""Called when the events end: with an error, or None when they are complete."""

HEAD = b'{"type":"next","payload":'


class NextMessages:
    """The `next` messages of graphql-transport-ws for one operation.

    The id is the last key, so that everything before it is shared by all operations.
    """

    __slots__ = ("tail",)

    def __init__(self, operation_id: str) -> None:
        self.tail = f',"id":{json.dumps(operation_id)}}}'.encode()

    def frames(self, batch: Batch) -> bytes:
        """The WebSocket text frames of a batch."""
        tail = self.tail
        frames = batch.frames.get(len(tail)) or self._framed(batch)
        return tail.join(frames)

    def _framed(self, batch: Batch) -> list[bytes]:
        """The frames without their tails, which `tail.join` inserts; they depend only on the tail's length."""
        length = len(self.tail)
        frames = [_header(len(HEAD) + len(payload) + length) + HEAD + payload for payload in batch.payloads]
        frames.append(b"")
        batch.frames[length] = frames
        return frames

    def texts(self, batch: Batch) -> list[str]:
        """The messages as text, for another server to frame."""
        return [(HEAD + payload + self.tail).decode() for payload in batch.payloads]


class WebSocketListener:
    """Writes events to the transport of a socket."""

    __slots__ = ("_messages", "_on_end", "_protocol")

    def __init__(self, protocol: WebSocketProtocol, messages: NextMessages, on_end: OnEnd) -> None:
        self._protocol = protocol
        self._messages = messages
        self._on_end = on_end

    @property
    def blocked(self) -> bool:
        return self._protocol.blocked

    def send(self, batch: Batch) -> None:
        if batch.payloads:
            self._protocol.write(self._messages.frames(batch))

    async def drain(self) -> None:
        await self._protocol.writable.wait()

    def end(self, error: Exception | None) -> None:
        self._on_end(error)


class Framing(ABC):
    """Frames results in the body of a streamed HTTP response."""

    key: str
    """Its key in `Batch.frames`."""
    headers: tuple[tuple[bytes, bytes], ...]
    heartbeat: bytes
    heartbeat_seconds: float

    @abstractmethod
    def begin(self, cursor: str | None) -> bytes:
        """What is sent before the first event; the cursor is where the stream begins."""

    @abstractmethod
    def event(self, payload: bytes) -> bytes:
        """Frame one result; the JSON must contain no line break."""

    def events(self, batch: Batch) -> bytes:
        """Frame a batch."""
        return b"".join(map(self.event, batch.payloads))

    @abstractmethod
    def complete(self, *, is_over: bool) -> bytes:
        """What ends the stream. It is over unless the client may go on with it by another request."""

    def whole(self, payload: bytes) -> bytes:
        """The whole stream of a single result."""
        return self.begin(None) + self.event(payload) + self.complete(is_over=True)


def framed(batch: Batch, framing: Framing) -> bytes:
    """All events of a batch, framed once per framing; empty if the batch has only cursors, and they have no place."""
    if (known := batch.frames.get(framing.key)) is None:
        known = batch.frames[framing.key] = [framing.events(batch)]
    return known[0]


class StreamListener:
    """Writes events to the transport of an HTTP response, once its headers are written."""

    def __init__(self, protocol: HttpProtocol, framing: Framing, on_end: OnEnd) -> None:
        self._protocol = protocol
        self._framing = framing
        self._on_end = on_end
        self._started = asyncio.Event()

    def begin(self) -> None:
        """Unblock: the headers have been written."""
        self._started.set()

    @property
    def blocked(self) -> bool:
        return self._protocol.blocked or not self._started.is_set()

    def send(self, batch: Batch) -> None:
        if body := framed(batch, self._framing):  # an empty chunk would end the response
            self._protocol.write_chunk(body)

    async def drain(self) -> None:
        await self._started.wait()
        await self._protocol.flow.drain()

    def end(self, error: Exception | None) -> None:
        self._on_end(error)


class ASGIListener:
    """Sends events through ASGI, under another server than ours.

    It is blocked while a batch is being sent, so a slow client makes it catch up at its own pace.
    """

    def __init__(self, send: Callable[[Batch], Awaitable[None]], on_end: OnEnd) -> None:
        self._send = send
        self._on_end = on_end
        self._idle = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Unblock: the response or socket accepts messages."""
        self._idle.set()

    @property
    def blocked(self) -> bool:
        return not self._idle.is_set()

    def send(self, batch: Batch) -> None:
        self._idle.clear()
        self._sending = asyncio.create_task(self._deliver(batch))

    async def _deliver(self, batch: Batch) -> None:
        try:
            await self._send(batch)
        except Exception as error:
            self._on_end(error)
        finally:
            self._idle.set()

    async def drain(self) -> None:
        await self._idle.wait()

    def end(self, error: Exception | None) -> None:
        self._on_end(error)


def text_frame(text: bytes) -> bytes:
    """An unmasked, unfragmented WebSocket text frame (RFC 6455, section 5.2)."""
    return _header(len(text)) + text


def _header(length: int) -> bytes:
    """The header of such a frame with a payload of this length."""
    if length < 126:
        return bytes((0x81, length))
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")
