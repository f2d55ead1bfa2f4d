"""The listener of a Pusher subscription; all members of a group are sent the same bytes."""

from __future__ import annotations

from collections.abc import Callable

from memberstaff.fanout.event_source import Batch
from memberstaff.server.listeners import text_frame
from memberstaff.server.uvicorn_websocket import WebSocketProtocol


class ChannelListener:
    """Writes the events of a channel to a socket."""

    __slots__ = ("_on_end", "_protocol")

    def __init__(self, protocol: WebSocketProtocol, on_end: Callable[[Exception | None], None]) -> None:
        self._protocol = protocol
        self._on_end = on_end

    @property
    def blocked(self) -> bool:
        return self._protocol.blocked

    def send(self, batch: Batch) -> None:
        if not (frames := batch.frames.get(0)):
            frames = batch.frames[0] = [b"".join(text_frame(payload) for payload in batch.payloads)]
        self._protocol.write(frames[0])

    async def drain(self) -> None:
        await self._protocol.writable.wait()

    def end(self, error: Exception | None) -> None:
        self._on_end(error)
