"""One accepted WebSocket: text out within a deadline, closes that are within the protocol's bounds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from starlette.types import Receive, Send

from memberstaff.server.uvicorn_websocket import WebSocketProtocol

LONGEST_REASON = 123
"""Bytes of a close reason: what a control frame holds beside the code (RFC 6455, section 5.5)."""


class Disconnected(Exception):
    """The client is gone, or has stopped reading."""


class BinaryMessage(Exception):
    """The client sent a binary message; both protocols here are text."""


class WebSocketAdapter:
    """An ASGI WebSocket. A message that does not leave our buffers in time ends it."""

    __slots__ = ("_receive", "_write", "closed", "deadline", "protocol")

    def __init__(self, receive: Receive, send: Send, protocol: WebSocketProtocol | None, *, deadline: float) -> None:
        self._receive = receive
        self._write = send
        self.protocol = protocol
        """The connection itself; None when another server than ours runs the application."""
        self.deadline = deadline
        """Seconds for one message to leave our buffers."""
        self.closed = False

    async def texts(self) -> AsyncGenerator[str, None]:
        """The client's messages until it has gone; raises BinaryMessage."""
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
        """Send a message that is JSON already; raises Disconnected."""
        await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int, reason: str) -> None:
        """Close with a reason that is cut to fit; the second time, or when the client is gone, nothing."""
        if self.closed:
            return
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": fit(reason)})
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
            self.abort()
            raise Disconnected from None
        except (OSError, RuntimeError):
            # Servers raise RuntimeError for a message after the end: another task had closed first.
            self.closed = True
            raise Disconnected from None

    def abort(self) -> None:
        """Drop the connection without a word: its client does not read."""
        self.closed = True
        if self.protocol is not None:
            self.protocol.abort()


def fit(reason: str) -> str:
    """The reason, cut between characters to what a close frame holds."""
    return reason.encode("utf-8", "replace")[:LONGEST_REASON].decode("utf-8", "ignore")
