"""An operation on a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Operation:
    """An operation on a socket, from `subscribe` to `complete` or `error`."""

    __slots__ = ("id", "leave", "task")

    def __init__(self, operation_id: str) -> None:
        self.id = operation_id
        self.task: asyncio.Task[None] | None = None
        """Runs the operation; None once a group sends its results."""
        self.leave: Callable[[], None] | None = None
        """Leaves that group."""

    def stop(self) -> None:
        """Stop the operation; it sends nothing after this call."""
        if self.leave is not None:
            self.leave()
        if self.task is not None:
            self.task.cancel()
