"""A member of a group on a socket: what the group sends is framed once, and written without a task of its own."""

from __future__ import annotations

import json
from collections.abc import Callable

from memberstaff.fanout.subscriber_group import Batch
from memberstaff.server.uvicorn_websocket import WebSocketProtocol

HEAD = b'{"type":"next","payload":'


class SocketListener:
    """Writes a group's events to one socket as `next` messages of one operation.

    The id stands last, so that everything before it is the same for all; the order of keys has no meaning in JSON.
    """

    __slots__ = ("_ended", "_protocol", "_tail")

    def __init__(self, protocol: WebSocketProtocol, operation_id: str, ended: Callable[[Exception], None]) -> None:
        self._protocol = protocol
        self._tail = f',"id":{json.dumps(operation_id)}}}'.encode()
        self._ended = ended

    @property
    def blocked(self) -> bool:
        """Whether the client has not read what it was sent."""
        return self._protocol.blocked

    def send(self, batch: Batch) -> None:
        """Write all events at once."""
        protocol = self._protocol
        tail = self._tail
        frames = batch.frames.get(len(tail)) or _framed(batch, len(tail))
        protocol.write(tail.join(frames))

    async def unblocked(self) -> None:
        """Wait until the client has read most of it, or is gone."""
        await self._protocol.writable.wait()

    def end(self, error: Exception) -> None:
        """End the operation."""
        self._ended(error)


def _framed(batch: Batch, tail: int) -> list[bytes]:
    """What to join with each member's tail: a header and a head for each event, and nothing after the last tail."""
    frames = [_header(len(HEAD) + len(payload) + tail) + HEAD + payload for payload in batch.payloads]
    frames.append(b"")
    batch.frames[tail] = frames
    return frames


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
