"""One accepted WebSocket: text out within a deadline, closes that are within the protocol's bounds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from starlette.types import Receive, Send
from strawberry.http.async_base_view import AsyncWebSocketAdapter
from strawberry.http.exceptions import NonTextMessageReceived, WebSocketDisconnected

from memberstaff.server.uvicorn_websocket import WebSocketProtocol

LONGEST_REASON = 123
"""Bytes of a close reason: what a control frame holds beside the code."""


class WebSocketAdapter(AsyncWebSocketAdapter):
    """What Strawberry's handler writes to. A send that does not finish in time ends the socket."""

    def __init__(self, receive: Receive, send: Send, protocol: WebSocketProtocol | None, *, deadline: float) -> None:
        self._receive = receive
        self._write = send
        self.protocol = protocol
        """The connection itself; None when another server than ours runs the application."""
        self.deadline = deadline
        """Seconds for one message to leave our buffers."""
        self.closed = False

    async def texts(self) -> AsyncGenerator[str, None]:
        """The client's messages until it has gone; raises NonTextMessageReceived."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self.closed = True
                return
            if (text := message.get("text")) is None:
                raise NonTextMessageReceived
            yield text

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:  # noqa: ARG002
        """Not used: the handler decodes, so that what is no JSON is answered by the protocol."""
        async for text in self.texts():
            yield json.loads(text)

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send one message; raises WebSocketDisconnected when the client is gone or has stopped reading."""
        await self.send_text(json.dumps(message, separators=(",", ":")))

    async def send_text(self, text: str) -> None:
        """Send a message that is JSON already; raises WebSocketDisconnected."""
        await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int, reason: str) -> None:
        """Close with a reason that is cut to fit; the second time, or when the client is gone, nothing."""
        if self.closed:
            return
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": fit(reason)})
        except WebSocketDisconnected:
            return
        finally:
            self.closed = True

    async def _send(self, message: dict[str, Any]) -> None:
        if self.closed:
            raise WebSocketDisconnected
        try:
            async with asyncio.timeout(self.deadline):
                await self._write(message)
        except TimeoutError:
            self.abort()
            raise WebSocketDisconnected from None
        except (OSError, RuntimeError):
            # Servers raise RuntimeError for a message after the end: another task had closed first.
            self.closed = True
            raise WebSocketDisconnected from None

    def abort(self) -> None:
        """Give up on the socket without a word: its client does not listen."""
        self.closed = True
        if self.protocol is not None:
            self.protocol.abort()


def fit(reason: str) -> str:
    """The reason, cut between characters to what a close frame holds."""
    return reason.encode("utf-8", "replace")[:LONGEST_REASON].decode("utf-8", "ignore")
