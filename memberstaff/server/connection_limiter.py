"""Limits the open sockets and streams of an address or an account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from memberstaff import metrics
from memberstaff.errors import RateLimited

RETRY_SECONDS = 5


class ConnectionLimiter:
    """Counts the open connections of each key, in this process, up to a limit."""

    def __init__(self, limit: int, name: str) -> None:
        self.limit = limit
        self.name = name
        """Of the limit, in the metrics."""
        self._open: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        """Open connections of all keys."""
        return self._open.total()

    def acquire(self, key: Hashable) -> bool:
        """Count a connection, to be released later; False if the key is at its limit."""
        if self._open.get(key, 0) >= self.limit:
            metrics.RATE_LIMITED.labels(self.name).inc()
            return False
        self._open[key] += 1
        return True

    def release(self, key: Hashable) -> None:
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]

    @contextmanager
    def counted(self, key: Hashable, whose: str) -> Iterator[None]:
        """Count a connection for as long as the block lasts; raises RateLimited if the key is at its limit."""
        if not self.acquire(key):
            raise RateLimited(f"Too many connections from {whose}. Close some, then try again.", RETRY_SECONDS)
        try:
            yield
        finally:
            self.release(key)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limiters of a process, shared by sockets and streams of every protocol."""

    addresses: ConnectionLimiter
    accounts: ConnectionLimiter
