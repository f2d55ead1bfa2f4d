"""A token bucket: so many at once, so many a second."""

from __future__ import annotations


class TokenBucket:
    """Starts full. Times are in seconds of any clock that never goes back."""

    __slots__ = ("burst", "left", "rate", "seen")

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self.left = float(burst)
        self.seen: float | None = None

    def take(self, now: float) -> bool:
        """Take one; False when there is none left."""
        if self.seen is not None:
            self.left = min(self.burst, self.left + (now - self.seen) * self.rate)
        self.seen = now
        if self.left < 1:
            return False
        self.left -= 1
        return True
