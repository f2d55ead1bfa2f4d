"""Rate limits of login attempts, counted in the database: across processes, and without Redis.

The generic cell rate algorithm (GCRA) keeps one number per key: the instant at which its allowance is full
again. One statement reads it, decides and stores it, so that two processes cannot both take the last attempt.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import TextClause, select, text, update

from memberstaff import metrics
from memberstaff.addresses import networks_of
from memberstaff.db.tables import rate_limit
from memberstaff.db.work import Work
from memberstaff.errors import RateLimited
from memberstaff.settings import Settings

MINUTE = 60_000
"""Milliseconds."""
HOUR = 60 * MINUTE

TAKE: TextClause = text(
    """
    INSERT INTO rate_limit (key, full_at) VALUES (:key, :fresh)
    ON CONFLICT (key) DO UPDATE SET full_at = CASE
        WHEN rate_limit.full_at BETWEEN :now AND :possible THEN rate_limit.full_at + :interval ELSE :fresh END
    WHERE rate_limit.full_at <= :latest OR rate_limit.full_at > :possible
    RETURNING full_at
    """
)
"""An instant beyond `possible` was stored before a clock was set back, and would lock people out. It is a whole period
later than ours can be: another node's clock is ahead, or a request that began after this one was counted before it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Who attempts to log in to an account, which is given by its folded email."""

    email: str
    address: str
    familiar: str | None = None
    """What shows that the account has logged in there before, such as a known device; None for a stranger."""

    def allowances(self, settings: Settings) -> Iterator[Allowance]:
        """What an attempt takes from, always in this order, so that no two attempts wait for each other.

        A familiar source has its own, which nobody else can use up. Strangers share: those of an address, and those who
        try the same account from anywhere.
        """
        of_account, address = f"login:{self.email}", networks_of(self.address)
        who = self.familiar or address[0][0]
        yield Allowance(f"{of_account}:{who}", settings.logins_per_minute, MINUTE)
        if self.familiar is None:
            for network, share in address:
                yield Allowance(f"login:{network}", share * settings.logins_per_minute_per_address, MINUTE)
        if self.email:  # or else it is no address, of which there is nothing to guess
            yield self.wrong_attempts(settings)

    def wrong_attempts(self, settings: Settings) -> Allowance:
        """The slow one, which an attempt gets back when it succeeds."""
        who = f":{self.familiar}" if self.familiar is not None else ""
        return Allowance(f"wrong:{self.email}{who}", settings.wrong_logins_per_hour, HOUR)


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many attempts at once, and as many in each period."""

    name: str
    attempts: int
    period: int
    """Milliseconds."""

    @property
    def key(self) -> str:
        """Hashed, so that the table identifies nobody."""
        return sha256(self.name.encode("utf-8", "backslashreplace")).hexdigest()

    @property
    def interval(self) -> int:
        """Milliseconds after which there is another attempt."""
        return max(1, self.period // self.attempts)


async def take_login(work: Work, settings: Settings, source: Source) -> None:
    """Count an attempt. Raises RateLimited; then the caller must roll back.

    A refused attempt is not counted, so that hammering one account from a school's address does not use up the
    allowance of the whole school.
    """
    for allowance in source.allowances(settings):
        await _take(work, allowance, "logins")


async def give_back(work: Work, settings: Settings, source: Source) -> None:
    """The attempt succeeded: scripts that know the password may log in as often as they need to."""
    allowance = source.wrong_attempts(settings)
    this = rate_limit.c.key == allowance.key
    await work.write(update(rate_limit).where(this).values(full_at=rate_limit.c.full_at - allowance.interval))


async def take_refresh(work: Work, settings: Settings, *, session_id: str) -> None:
    """Count a refresh of this session. Raises RateLimited.

    Not limited by address: every page refreshes as it opens, and in the morning a whole school opens one. The caller
    has shown a token that we signed, so there is nothing to guess.
    """
    await _take(work, Allowance(f"refresh:{session_id}", settings.refreshes_per_minute, MINUTE), "refreshes")


async def _take(work: Work, allowance: Allowance, limit: str) -> None:
    now = _milliseconds(work.now)
    interval = allowance.interval
    latest = now + interval * (allowance.attempts - 1)
    parameters = {
        "key": allowance.key,
        "now": now,
        "interval": interval,
        "fresh": now + interval,
        "latest": latest,
        "possible": latest + interval + allowance.period,
    }
    if await work.scalar(TAKE, parameters) is not None:
        return
    full_at = await work.scalar(select(rate_limit.c.full_at).where(rate_limit.c.key == allowance.key))
    wait = math.ceil(max(1, full_at - latest) / 1000)
    metrics.RATE_LIMITED.labels(limit).inc()
    raise RateLimited(f"Too many attempts. Try again in {wait} {'second' if wait == 1 else 'seconds'}.", wait)


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
