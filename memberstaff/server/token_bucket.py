"""A token bucket, for the messages of a socket."""

from __future__ import annotations

from memberstaff import metrics


class TokenBucket:
    """Allows `rate` a second, and `burst` at once; starts full. Times are seconds of a monotonic clock."""

    __slots__ = ("burst", "rate", "refilled_at", "tokens")

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self.tokens = float(burst)
        self.refilled_at: float | None = None

    def take(self, now: float) -> bool:
        """Take a token; False if there is none."""
        if self.refilled_at is not None:
            self.tokens = min(self.burst, self.tokens + (now - self.refilled_at) * self.rate)
        self.refilled_at = now
        if self.tokens < 1:
            metrics.RATE_LIMITED.labels("messages").inc()
            return False
        self.tokens -= 1
        return True
