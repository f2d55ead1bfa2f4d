"""Turns of networks: in each iteration of the loop one request of a network is begun, however many have come.

A flood of one client otherwise has everybody else wait for all of it that has arrived before them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

Begin = Callable[[], None]


class RequestTurns:
    """Says when a request may begin. For the loop that runs when it is first asked."""

    def __init__(self) -> None:
        self._begun: set[str] = set()
        """Networks that have had their turn in this iteration."""
        self._waiting: dict[str, OrderedDict[str, deque[Begin]]] = {}
        """What waits, by the widest network and the narrowest; the narrowest at the front is next."""

    def take(self, networks: Sequence[str], begin: Begin) -> bool:
        """Whether a request of these networks may begin now; otherwise `begin` is called in a later iteration.

        `networks` are those of one client, narrowest first. The widest has the turn, since whoever has an IPv6 /48 has
        65,536 of the /64s; in it, the narrowest take turns. Without any, as for a trusted proxy, it always may.
        """
        if not networks:
            return True
        narrowest, widest = networks[0], networks[-1]
        if widest in self._begun:
            self._waiting.setdefault(widest, OrderedDict()).setdefault(narrowest, deque()).append(begin)
            return False
        if not self._begun:
            asyncio.get_running_loop().call_soon(self._next)
        self._begun.add(widest)
        return True

    def _next(self) -> None:
        """Begin an iteration."""
        self._begun = set(self._waiting)
        if self._begun:
            asyncio.get_running_loop().call_soon(self._next)
        for widest in self._begun:
            queues = self._waiting[widest]
            narrowest, queue = queues.popitem(last=False)
            begin = queue.popleft()
            if queue:
                queues[narrowest] = queue  # at the end
            if not queues:
                del self._waiting[widest]
            begin()
