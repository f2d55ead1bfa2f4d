"""Admission control: what comes anew waits in one queue, and is refused while that is longer than ten seconds.

After a restart or a failover all boards come back at once. Without a bound those at the end wait for longer than they
or their proxies do: they come again, what was done for them was for nobody, and such a storm does not end by itself (a
metastable failure). See docs/decisions/0033-the-reconnect-storm.md.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from time import monotonic

from memberstaff import metrics
from memberstaff.errors import Unavailable

LONGEST_WAIT_SECONDS = 10.0
"""A newcomer who would have to wait for longer is refused."""
LONGEST_RETRY_SECONDS = 120.0
"""After which anybody may come again, however many were refused."""
MOST_BOOKINGS = 100
"""Of one owner: as many connections as an account has. Who comes more often comes too early."""
SAMPLES = 64
"""Ends of turns before the measured cost is believed; one so long ago counts 1/e of the last."""

EVERYBODY_ELSE = object()
"""Among the owners: those with nothing in the queue."""


class AdmissionControl:
    """Gives at most `limit` turns at a time, to owners in rotation, and refuses whoever would wait for too long.

    How long that is, is measured: the turns before a newcomer's, times the recent seconds between the ends of two turns
    while all were taken. In those seconds the process has done all else, too.
    """

    def __init__(
        self, limit: int, *, longest_seconds: float = LONGEST_WAIT_SECONDS, clock: Callable[[], float] = monotonic
    ) -> None:
        self._free = limit
        self._longest_seconds = longest_seconds
        self._clock = clock
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()
        """What waits, by owner; the one at the front is next."""
        self._count = 0
        self._full_since: float | None = None
        """When a turn last began or ended with no other free; None while one is."""
        self._ends = 0.0
        self._seconds = 0.0
        """Of ends of turns and the seconds between them, sums that fade: their quotient is the recent cost."""
        self._samples = 0
        self._booked: dict[Hashable, float] = {}
        """By owner with something in the queue, and for everybody else: until when those refused were told to wait."""
        self._bookings = Counter[Hashable]()
        """By owner, while any of these times is to come."""
        self._wait = metrics.ADMISSION_WAIT.labels("admission")

    def __len__(self) -> int:
        """How many wait."""
        return self._count

    @property
    def cost(self) -> float:
        """Seconds between the ends of two turns, of late; 0 until it is known."""
        return self._seconds / self._ends if self._samples >= SAMPLES else 0.0

    def wait_seconds(self, owner: Hashable) -> float:
        """How long whoever comes now for this owner would wait."""
        mine = len(self._waiting.get(owner, ()))
        others = len(self._waiting) - (mine > 0)
        return min(self._count, others * (mine + 1) + mine) * self.cost

    @asynccontextmanager
    async def turn(self, owner: Hashable) -> AsyncIterator[None]:
        """Wait for a turn, which lasts as long as the block: what is done for a newcomer, who is not waited for in it.

        Raises Unavailable, with the seconds after which to come again: at once if the turn would come too late, and
        otherwise when it has not come in time, as while the database hangs. A block that raises is not measured.
        """
        await self._acquire(owner)
        is_measured = False
        try:
            yield
            is_measured = True
        finally:
            self._release(is_measured=is_measured)

    async def _acquire(self, owner: Hashable) -> None:
        began = self._clock()
        if self._free:
            self._free -= 1
            if not self._free:
                self._full_since = began
            return
        if (wait := self.wait_seconds(owner)) > self._longest_seconds:
            raise self._refusal(owner, began, wait)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(turn)
        self._count += 1
        try:
            async with asyncio.timeout(self._longest_seconds) as patience:
                await turn
        except (asyncio.CancelledError, TimeoutError):
            if turn.cancelled():
                self._leave(owner, turn)
            else:
                self._release(is_measured=False)
            if patience.expired():
                raise self._refusal(owner, self._clock(), self.wait_seconds(owner)) from None
            raise
        if metrics.observed:
            self._wait.observe(self._clock() - began)

    def _refusal(self, owner: Hashable, now: float, wait: float) -> Unavailable:
        metrics.RATE_LIMITED.labels("admission").inc()
        return Unavailable("Too many clients are connecting at this moment.", self._book(owner, now, wait))

    def _book(self, owner: Hashable, now: float, wait: float) -> float:
        """Seconds after which to come again: when those who were refused before will have been let in.

        All at the same instant would be the next storm. What one owner books delays no other for long.
        """
        key = owner if owner in self._waiting else EVERYBODY_ELSE
        at = max(self._booked.get(key, 0.0), now + wait)
        if at - now <= LONGEST_RETRY_SECONDS and self._bookings[owner] < MOST_BOOKINGS:
            self._booked[key] = at + self.cost
            self._bookings[owner] += 1
            return at - now
        # Not booked, or who comes long after the storm would still be told so.
        return random.uniform(LONGEST_RETRY_SECONDS / 2, LONGEST_RETRY_SECONDS)  # noqa: S311 - spreads load

    def _leave(self, owner: Hashable, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(owner, deque())
        with suppress(ValueError):  # a turn that ended in the meantime has passed over it
            queue.remove(turn)
            self._count -= 1
            if not queue:
                del self._waiting[owner]

    def _release(self, *, is_measured: bool) -> None:
        now = self._clock()
        if is_measured and self._full_since is not None:
            kept = 1 - 1 / SAMPLES
            self._ends, self._seconds = kept * self._ends + 1, kept * self._seconds + (now - self._full_since)
            self._samples += 1
        while self._waiting:
            owner, queue = self._waiting.popitem(last=False)
            turn = queue.popleft()
            self._count -= 1
            if queue:
                self._waiting[owner] = queue  # at the end
            if not turn.done():
                turn.set_result(None)
                self._full_since = now
                return
        self._free += 1
        self._full_since = None
        if self._booked:
            self._booked = {owner: at for owner, at in self._booked.items() if at > now}
            if not self._booked:
                self._bookings.clear()
