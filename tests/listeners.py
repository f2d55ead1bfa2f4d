"""The tasks with which processes listen to Redis: broadcaster's, at which nobody else looks."""

from __future__ import annotations

import asyncio
from typing import Any

from broadcaster import Broadcast


def listeners() -> list[asyncio.Task[Any]]:
    """Those of this event loop that have not ended."""
    name = f"{Broadcast.__name__}._listener"
    return [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__qualname__", "") == name]
