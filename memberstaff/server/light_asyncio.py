"""asyncio's Queue and Event, as far as uvicorn uses those of a socket, without the deques that each keeps while idle.

A deque has 600 bytes even if it is empty: they were a fourth of an idle socket's memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class MessageQueue:
    """asyncio.Queue, for one task that gets."""

    __slots__ = ("_messages", "_waiting", "on_message")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self.on_message: Callable[[], None] | None = None
        """Called when a message has been put."""
        self._waiting: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:
        self._messages.append(message)
        if self.on_message is not None:
            self.on_message()
        elif self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def empty(self) -> bool:
        return not self._messages

    async def get(self) -> Any:
        while not self._messages:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._messages.pop(0)


class Gate:
    """asyncio.Event, set at first."""

    __slots__ = ("_opening",)

    def __init__(self) -> None:
        self._opening: asyncio.Future[None] | None = None
        """Done when it is set; None while it is."""

    def set(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.set_result(None)

    def clear(self) -> None:
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_future()

    def is_set(self) -> bool:
        return self._opening is None

    async def wait(self) -> None:
        if self._opening is not None:
            await asyncio.wait({self._opening})  # who stops waiting does not cancel it for the others
