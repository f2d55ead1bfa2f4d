"""A semaphore whose holders come from owners in rotation: whoever asks for much delays nobody but themselves."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

TURN_SECONDS = 0.05
"""After which a turn is to end as soon as it can, if somebody waits: it may be that of much work."""


class Turns:
    """Gives at most `limit` turns at a time; the owners who wait for one are served in rotation."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()
        """Who waits, by owner; the owner at the front is next."""

    @asynccontextmanager
    async def turn(self, owners: Iterable[Hashable]) -> AsyncIterator[Callable[[], bool]]:
        """Wait for a turn, which lasts as long as the block, on behalf of one of these owners.

        Gives a function that tells whether the rest should be left for another turn: it has had its time, and others
        wait.
        """
        await self._acquire(owners)
        loop = asyncio.get_running_loop()
        until = loop.time() + TURN_SECONDS
        try:
            yield lambda: bool(self._waiting) and loop.time() >= until
        finally:
            self._release()

    async def _acquire(self, owners: Iterable[Hashable]) -> None:
        if self._free:
            self._free -= 1
            waiting = None
        else:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(self._payer(owners), deque()).append(waiting)
        try:
            # Even with a free turn: who never waits would otherwise go through in one go with all who asked together.
            await (waiting or asyncio.sleep(0))
        except asyncio.CancelledError:
            if waiting is None or not waiting.cancelled():
                self._release()
            raise

    def _payer(self, owners: Iterable[Hashable]) -> Hashable:
        """An owner who is not waiting for another turn, or else the first: sharing with somebody busy delays nobody."""
        first: Hashable = None
        for number, owner in enumerate(owners):
            if owner not in self._waiting:
                return owner
            if number == 0:
                first = owner
        return first

    def _release(self) -> None:
        while self._waiting:
            owner, queue = self._waiting.popitem(last=False)
            waiting = queue.popleft()
            if queue:
                self._waiting[owner] = queue  # at the end
            if not waiting.done():  # it was cancelled
                waiting.set_result(None)
                return
        self._free += 1


class FairTurns:
    """Turns of which no owner has more than `limit_per_owner` at a time, so that one who takes long leaves others some."""

    def __init__(self, limit: int, *, limit_per_owner: int) -> None:
        self._all = Turns(limit)
        self._limit_per_owner = limit_per_owner
        self._own: WeakValueDictionary[Hashable, Turns] = WeakValueDictionary()

    def __len__(self) -> int:
        """Owners who have turns, or wait for one."""
        return len(self._own)

    @asynccontextmanager
    async def turn(self, owner: Hashable) -> AsyncIterator[None]:
        """Wait for a turn, which lasts as long as the block."""
        own = self._own.get(owner)
        if own is None:
            own = self._own[owner] = Turns(self._limit_per_owner)
        async with own.turn((owner,)), self._all.turn((owner,)):
            yield
