"""Turns of networks: in each iteration of the loop one request of a network is begun, however many have come.

A flood of one client otherwise has everybody else wait for all of it that has arrived before them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class RequestTurns:
    """Says when a request may begin. For the loop that runs when it is first asked."""

    def __init__(self) -> None:
        self._begun: set[str] = set()
        """Networks that have had their turn in this iteration."""
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    def take(self, network: str | None, begin: Callable[[], None]) -> bool:
        """Whether a request of this network may begin now; otherwise `begin` is called in a later iteration.

        Without a network, as for a trusted proxy, it always may.
        """
        if network is None:
            return True
        if network in self._begun:
            self._waiting.setdefault(network, deque()).append(begin)
            return False
        if not self._begun:
            asyncio.get_running_loop().call_soon(self._next)
        self._begun.add(network)
        return True

    def _next(self) -> None:
        """Begin an iteration."""
        self._begun = set(self._waiting)
        if self._begun:
            asyncio.get_running_loop().call_soon(self._next)
        for network in self._begun:
            queue = self._waiting[network]
            begin = queue.popleft()
            if not queue:
                del self._waiting[network]
            begin()
