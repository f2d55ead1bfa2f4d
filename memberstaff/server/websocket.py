"""An accepted WebSocket, with write time-outs and valid close frames."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from math import ceil
from typing import Any

from starlette.types import Receive, Send

from memberstaff import metrics
from memberstaff.server.uvicorn_websocket import WebSocketProtocol

TRY_AGAIN_LATER = 1013
"""Close code of what may be accepted later: graphql-ws reconnects with back-off, while after 4429 it would give up."""

LONGEST_REASON = 123
"""Bytes of a close reason: a control frame's 125 less the code (RFC 6455, section 5.5)."""


class Disconnected(Exception):
    """The client has disconnected, or stopped reading."""


class BinaryMessage(Exception):
    """The client sent a binary message; both protocols here are text."""


class WebSocketAdapter:
    """An ASGI WebSocket. A write that times out aborts it."""

    __slots__ = ("_receive", "_write", "closed", "deadline", "protocol")

    def __init__(self, receive: Receive, send: Send, protocol: WebSocketProtocol | None, *, deadline: float) -> None:
        self._receive = receive
        self._write = send
        self.protocol = protocol
        """The connection's protocol; None under another server than ours."""
        self.deadline = deadline
        """Write time-out of a message, in seconds."""
        self.closed = False

    async def receive(self) -> str:
        """The client's next message; raises Disconnected, and BinaryMessage."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self.closed = True
            raise Disconnected
        if (text := message.get("text")) is None:
            raise BinaryMessage
        return str(text)

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send one message; raises Disconnected."""
        await self.send_text(json.dumps(message, separators=(",", ":")))

    async def send_text(self, text: str) -> None:
        """Send one message, already encoded; raises Disconnected."""
        await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int, reason: str) -> None:
        """Close, with the reason truncated to fit; does nothing if the socket is closed."""
        if self.closed:
            return
        metrics.SOCKETS_CLOSED.labels(code).inc()
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": truncate_reason(reason)})
        except Disconnected:
            return
        finally:
            self.closed = True

    async def close_for_now(self, why: str, seconds: float) -> None:
        """Close, and tell after how many seconds to come again: at the end of the reason, which a client can read."""
        after = f" Retry-After: {ceil(seconds)}"
        await self.close(TRY_AGAIN_LATER, truncate_reason(why, LONGEST_REASON - len(after)) + after)

    @property
    def has_left(self) -> bool:
        """Whether the client has disconnected, even if that was not read yet."""
        return self.closed or (self.protocol is not None and self.protocol.transport.is_closing())

    async def _send(self, message: dict[str, Any]) -> None:
        if self.closed:
            raise Disconnected
        try:
            async with asyncio.timeout(self.deadline):
                await self._write(message)
        except TimeoutError:
            metrics.CONNECTIONS_CUT.labels("not_reading").inc()
            self.abort()
            raise Disconnected from None
        except (OSError, RuntimeError):
            # Servers raise RuntimeError for a message after another task has closed the socket.
            self.closed = True
            raise Disconnected from None

    def abort(self) -> None:
        """Close the connection without a close frame, for a client that does not read."""
        self.closed = True
        if self.protocol is not None:
            self.protocol.abort()


def truncate_reason(reason: str, longest: int = LONGEST_REASON) -> str:
    """The reason, truncated between characters to fit into a close frame."""
    return reason.encode("utf-8", "replace")[:longest].decode("utf-8", "ignore")
