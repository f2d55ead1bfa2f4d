"""A member of a group on a Pusher socket: every member is sent the very same bytes."""

from __future__ import annotations

from collections.abc import Callable

from memberstaff.fanout.subscriber_group import Batch
from memberstaff.server.listeners import text_frame
from memberstaff.server.uvicorn_websocket import WebSocketProtocol


class ChannelListener:
    """Writes the events of one channel to one socket."""

    __slots__ = ("_ended", "_protocol")

    def __init__(self, protocol: WebSocketProtocol, ended: Callable[[Exception | None], None]) -> None:
        self._protocol = protocol
        self._ended = ended

    @property
    def blocked(self) -> bool:
        """Whether the client has not read what it was sent."""
        return self._protocol.blocked

    def send(self, batch: Batch) -> None:
        """Write all events at once."""
        if not (frames := batch.frames.get(0)):
            frames = batch.frames[0] = [b"".join(text_frame(payload) for payload in batch.payloads)]
        self._protocol.write(frames[0])

    async def drain(self) -> None:
        """Wait until the client has read most of it, or is gone."""
        await self._protocol.writable.wait()

    def end(self, error: Exception | None) -> None:
        """End the subscription."""
        self._ended(error)
