"""Members of a group, by transport: what the group sends is framed once, and written without a task of its own."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from memberstaff.fanout.subscriber_group import Batch
from memberstaff.server.uvicorn_http import HttpProtocol
from memberstaff.server.uvicorn_websocket import WebSocketProtocol

Ended = Callable[[Exception | None], None]
"""Called once: because of this error, or because the events are complete."""

HEAD = b'{"type":"next","payload":'


class NextMessages:
    """`next` messages of graphql-transport-ws for one operation.

    The id stands last, so that everything before it is the same for all; the order of keys has no meaning in JSON.
    """

    __slots__ = ("tail",)

    def __init__(self, operation_id: str) -> None:
        self.tail = f',"id":{json.dumps(operation_id)}}}'.encode()

    def frames(self, batch: Batch) -> bytes:
        """WebSocket text frames, one for each event."""
        tail = self.tail
        frames = batch.frames.get(len(tail)) or self._framed(batch)
        return tail.join(frames)

    def _framed(self, batch: Batch) -> list[bytes]:
        """What to join with each member's tail: a header and a head for each event, and nothing after the last tail."""
        length = len(self.tail)
        frames = [_header(len(HEAD) + len(payload) + length) + HEAD + payload for payload in batch.payloads]
        frames.append(b"")
        batch.frames[length] = frames
        return frames

    def texts(self, batch: Batch) -> list[str]:
        """The same messages as text, for another server to frame."""
        return [(HEAD + payload + self.tail).decode() for payload in batch.payloads]


class WebSocketListener:
    """Writes a group's events to the transport of one socket."""

    __slots__ = ("_ended", "_messages", "_protocol")

    def __init__(self, protocol: WebSocketProtocol, messages: NextMessages, ended: Ended) -> None:
        self._protocol = protocol
        self._messages = messages
        self._ended = ended

    @property
    def blocked(self) -> bool:
        """Whether the client has not read what it was sent."""
        return self._protocol.blocked

    def send(self, batch: Batch) -> None:
        """Write all events at once."""
        self._protocol.write(self._messages.frames(batch))

    async def drain(self) -> None:
        """Wait until the client has read most of it, or is gone."""
        await self._protocol.writable.wait()

    def end(self, error: Exception | None) -> None:
        """End the operation."""
        self._ended(error)


class Framing(ABC):
    """One way to put results into the body of an HTTP response."""

    key: str
    """Names it: frames are shared among the readers of one framing."""
    headers: tuple[tuple[bytes, bytes], ...]
    begin: bytes
    """What stands before the first event."""
    complete: bytes
    """What ends the stream."""
    heartbeat: bytes
    heartbeat_seconds: float

    @abstractmethod
    def event(self, payload: bytes) -> bytes:
        """One result."""


def framed(batch: Batch, framing: Framing) -> bytes:
    """All events of a batch, framed once for all of its readers."""
    if (known := batch.frames.get(framing.key)) is None:
        known = batch.frames[framing.key] = [b"".join(map(framing.event, batch.payloads))]
    return known[0]


class StreamListener:
    """Writes a group's events to the transport of one HTTP response, from the moment that it was begun."""

    def __init__(self, protocol: HttpProtocol, framing: Framing, ended: Ended) -> None:
        self._protocol = protocol
        self._framing = framing
        self._ended = ended
        self._started = asyncio.Event()

    def begin(self) -> None:
        """The response's headers have been written."""
        self._started.set()

    @property
    def blocked(self) -> bool:
        """Whether the client has not read what it was sent."""
        return self._protocol.blocked or not self._started.is_set()

    def send(self, batch: Batch) -> None:
        """Write all events as one chunk."""
        self._protocol.write_chunk(framed(batch, self._framing))

    async def drain(self) -> None:
        """Wait until the client has read most of it, or is gone."""
        await self._started.wait()
        await self._protocol.flow.drain()

    def end(self, error: Exception | None) -> None:
        """End the stream."""
        self._ended(error)


class ASGIListener:
    """Sends a group's events through ASGI, where another server than ours runs the application.

    One batch is under way at a time; meanwhile the listener is blocked, and its group serves it at its own pace.
    """

    def __init__(self, send: Callable[[Batch], Awaitable[None]], ended: Ended) -> None:
        self._send = send
        self._ended = ended
        self._free = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """The response, or the socket, takes messages."""
        self._free.set()

    @property
    def blocked(self) -> bool:
        """Whether a batch is under way."""
        return not self._free.is_set()

    def send(self, batch: Batch) -> None:
        """Begin to send all events."""
        self._free.clear()
        self._sending = asyncio.create_task(self._deliver(batch))

    async def _deliver(self, batch: Batch) -> None:
        try:
            await self._send(batch)
        except Exception as error:
            self._ended(error)
        finally:
            self._free.set()

    async def drain(self) -> None:
        """Wait until the batch has gone."""
        await self._free.wait()

    def end(self, error: Exception | None) -> None:
        """End the operation."""
        self._ended(error)


def text_frame(text: bytes) -> bytes:
    """A whole message on its way to a client."""
    return _header(len(text)) + text


def _header(length: int) -> bytes:
    """Of a whole, unmasked text frame (RFC 6455, section 5.2)."""
    if length < 126:
        return bytes((0x81, length))
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")
