"""An accepted WebSocket, with write time-outs and valid close frames."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from starlette.types import Receive, Send

from memberstaff import metrics
from memberstaff.server.uvicorn_websocket import WebSocketProtocol

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

    async def texts(self) -> AsyncGenerator[str, None]:
        """The client's messages until it disconnects; raises BinaryMessage."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self.closed = True
                return
            if (text := message.get("text")) is None:
                raise BinaryMessage
            yield text

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send one message; raises Disconnected."""
        await self.send_text(json.dumps(message, separators=(",", ":")))

    async def send_text(self, text: str) -> None:
        """Send one message, already encoded; raises Disconnected."""
        await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int, reason: str) -> None:
        """Close, with the reason truncated to truncate_reason; does nothing if the socket is closed."""
        if self.closed:
            return
        metrics.SOCKETS_CLOSED.labels(code).inc()
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": truncate_reason(reason)})
        except Disconnected:
            return
        finally:
            self.closed = True

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


def truncate_reason(reason: str) -> str:
    """The reason, truncated between characters to truncate_reason into a close frame."""
    return reason.encode("utf-8", "replace")[:LONGEST_REASON].decode("utf-8", "ignore")
