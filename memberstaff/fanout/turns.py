"""A semaphore whose holders come from owners in turns: whoever asks for much delays nobody but themselves."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Collection, Hashable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from time import monotonic

from memberstaff import metrics
from memberstaff.errors import Unavailable

TURN_SECONDS = 0.05
"""After which a turn is to end as soon as it can, if somebody else waits: it may be that of much work."""
LONGEST_PAUSE_SECONDS = 0.25
"""After a turn of `HalfTime`. One that took longer did not compute: the process was stopped meanwhile."""

RETRY_SECONDS = 1
"""`retryAfter` of what waited for its turn in vain."""
CREDIT_SECONDS = 0.05
"""By which whoever asks for little is ahead of those who always wait; as the quantum of fq_codel's new flows."""
MOST_CHARGED_SECONDS = 1.0
"""For a turn: nobody is to make up for a connection that hung, or for an hour in which the process was stopped."""


class Payers(Collection[Hashable]):
    """Owners on whose behalf something waits for a turn; who joins them while it waits may bring it forward."""

    def __init__(self, owners: Collection[Hashable]) -> None:
        self._owners = owners
        self._joined: dict[Hashable, None] = {}
        self.on_join: Callable[[Hashable], None] | None = None
        """Set by whoever gives the turns."""

    def __contains__(self, owner: object) -> bool:
        return owner in self._owners or owner in self._joined

    def __iter__(self) -> Iterator[Hashable]:
        yield from self._owners
        yield from self._joined

    def __len__(self) -> int:
        return len(self._owners) + len(self._joined)

    def join(self, owner: Hashable) -> None:
        """Have this owner wait for the turn, too."""
        if owner not in self._owners:
            self._joined[owner] = None
        if self.on_join is not None:
            self.on_join(owner)


class _Waiting:
    """What waits for a turn, in the queue of its payer."""

    __slots__ = ("ahead", "payer", "turn")

    def __init__(self, payer: Hashable, *, ahead: bool = False) -> None:
        self.payer = payer
        self.ahead = ahead
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Turns:
    """Gives at most `limit` turns at a time; of the owners who wait, the one who has had the least time is next.

    This is start-time fair queueing: in mere rotation, an owner with many short turns, such as an account that is
    shared by all boards, would get one for each long turn of another.
    """

    def __init__(self, limit: int, queue: str) -> None:
        self._free = limit
        self._wait = metrics.ADMISSION_WAIT.labels(queue)
        self._waiting: OrderedDict[Hashable, deque[_Waiting]] = OrderedDict()
        """Who waits, by owner; the one at the front is next of those who have had the same time."""
        self._had: dict[Hashable, float] = {}
        """Seconds that owners have had; forgotten when nobody waits."""
        self._least = 0.0
        """The most that an owner had had when it was served after waiting; who comes anew has had almost as much."""

    @asynccontextmanager
    async def turn(self, owners: Collection[Hashable], *, ahead: bool = False) -> AsyncIterator[Callable[[], bool]]:
        """Wait for a turn, which lasts as long as the block, on behalf of one of these owners; `Payers` may be joined.

        What is `ahead` comes before all else that its owner waits for. Gives a function that tells whether the rest
        should be left for another turn: it has had its time, and other owners wait.
        """
        payer = await self._acquire(owners, ahead=ahead)
        loop = asyncio.get_running_loop()
        began = loop.time()
        until = began + TURN_SECONDS
        try:
            yield lambda: loop.time() >= until and any(other not in owners for other in self._waiting)
        finally:
            self._release(payer, loop.time() - began)

    async def _acquire(self, owners: Collection[Hashable], *, ahead: bool = False) -> Hashable:
        """Wait for a turn; returns the owner whose turn it is."""
        waiting = _Waiting(self._payer(owners), ahead=ahead)
        began = monotonic()
        if self._free:
            self._free -= 1
            self._had[waiting.payer] = self._has_had(waiting.payer)
            waiting.turn.set_result(None)
        else:
            self._enqueue(waiting)
            if isinstance(owners, Payers):
                owners.on_join = partial(self._join, waiting)
        try:
            # Even with a free turn: who never waits would otherwise go through in one go with all who asked together.
            await (asyncio.sleep(0) if waiting.turn.done() else waiting.turn)
        except asyncio.CancelledError:
            if waiting.turn.cancelled():
                self._leave(waiting)
            else:
                self._release(waiting.payer, 0.0)
            raise
        if metrics.observed:
            self._wait.observe(monotonic() - began)
        return waiting.payer

    def _has_had(self, owner: Hashable) -> float:
        """Seconds that an owner has had, who may come anew."""
        anew = self._least - CREDIT_SECONDS
        return max(self._had.get(owner, anew), anew)

    def _enqueue(self, waiting: _Waiting) -> None:
        self._had[waiting.payer] = self._has_had(waiting.payer)
        queue = self._waiting.setdefault(waiting.payer, deque())
        place = sum(each.ahead for each in queue) if waiting.ahead else len(queue)
        queue.insert(place, waiting)

    def _leave(self, waiting: _Waiting) -> None:
        queue = self._waiting.get(waiting.payer, deque())
        with suppress(ValueError):  # a turn that ended in the meantime has passed over it
            queue.remove(waiting)
            if not queue:
                del self._waiting[waiting.payer]

    def _join(self, waiting: _Waiting, owner: Hashable) -> None:
        """Let what waits be this owner's, who waits for nothing else, if its turn comes earlier then."""
        if waiting.turn.done() or owner in self._waiting:
            return
        is_behind = self._waiting[waiting.payer][0] is not waiting
        if (self._has_had(owner), False) < (self._had[waiting.payer], is_behind):
            self._leave(waiting)
            waiting.payer = owner
            self._enqueue(waiting)

    def _payer(self, owners: Collection[Hashable]) -> Hashable:
        """An owner who is not waiting for another turn, or else the first: sharing with somebody busy delays nobody."""
        first: Hashable = None
        for number, owner in enumerate(owners):
            if owner not in self._waiting:
                return owner
            if number == 0:
                first = owner
        return first

    def _release(self, payer: Hashable, seconds: float) -> None:
        self._had[payer] = self._had.get(payer, self._least) + min(seconds, MOST_CHARGED_SECONDS)
        while self._waiting:
            owner = min(self._waiting, key=self._had.__getitem__)
            queue = self._waiting.pop(owner)
            waiting = queue.popleft()
            if queue:
                self._waiting[owner] = queue  # at the end
            if not waiting.turn.done():  # it was cancelled
                self._least = max(self._least, self._had[owner])
                waiting.turn.set_result(None)
                return
        self._free += 1
        self._had.clear()


class FairTurns:
    """Turns for all that an owner asks for while something else of theirs is under way; the first begins at once.

    So whoever asks for little does not wait for those who ask for much, as fq_codel (RFC 8290) puts sparse flows first.
    """

    def __init__(self, limit: int) -> None:
        self._turns = Turns(limit, "query")
        self._busy: Counter[Hashable] = Counter()
        """What is under way, or waits, by owner."""

    def __len__(self) -> int:
        """How much is under way, or waits."""
        return self._busy.total()

    @asynccontextmanager
    async def turn(self, owner: Hashable, until: float | None = None, *, ahead: bool = False) -> AsyncIterator[None]:
        """Wait for a turn, which lasts as long as the block. Raises Unavailable at `until`, by the loop's clock.

        What is `ahead` comes before all else that the owner waits for.
        """
        first = owner not in self._busy
        self._busy[owner] += 1
        try:
            async with AsyncExitStack() as stack:
                if not first:
                    await self._enter(stack, owner, until, ahead=ahead)
                yield
        finally:
            self._busy[owner] -= 1
            if not self._busy[owner]:
                del self._busy[owner]

    async def _enter(self, stack: AsyncExitStack, owner: Hashable, until: float | None, *, ahead: bool) -> None:
        try:
            async with asyncio.timeout_at(until):
                await stack.enter_async_context(self._turns.turn((owner,), ahead=ahead))
        except TimeoutError:
            why = "Other queries of your account are not answered yet. Try again in a moment."
            raise Unavailable(why, RETRY_SECONDS) from None


class HalfTime(Turns):
    """Turns, one at a time, for what holds the loop: after each as much time passes, which others have."""

    def __init__(self) -> None:
        super().__init__(1, "document")

    @asynccontextmanager
    async def turn(self, owners: Collection[Hashable], *, ahead: bool = False) -> AsyncIterator[Callable[[], bool]]:
        """Wait for a turn; the block must not wait."""
        payer = await self._acquire(owners, ahead=ahead)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            yield lambda: False
        finally:
            took = loop.time() - began
            loop.call_later(min(took, LONGEST_PAUSE_SECONDS), self._release, payer, took)
