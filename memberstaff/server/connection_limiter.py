"""How many sockets and streams somebody has open, so that nobody takes all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from memberstaff.errors import RateLimited

RETRY_SECONDS = 5


class ConnectionLimiter:
    """Counts the open connections of each key, in this process, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._open: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        """How many are open in all."""
        return self._open.total()

    def acquire(self, key: Hashable) -> bool:
        """Count one more, which must be released again; False when there is no room."""
        if self._open.get(key, 0) >= self.limit:
            return False
        self._open[key] += 1
        return True

    def release(self, key: Hashable) -> None:
        """Count one less."""
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]

    @contextmanager
    def counted(self, key: Hashable, whose: str) -> Iterator[None]:
        """Count one more for as long as the block lasts; raises RateLimited when there is no room."""
        if not self.acquire(key):
            raise RateLimited(f"Too many connections of {whose}: close some first.", RETRY_SECONDS)
        try:
            yield
        finally:
            self.release(key)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Of all sockets and streams of a process, whatever protocol they speak."""

    addresses: ConnectionLimiter
    accounts: ConnectionLimiter
