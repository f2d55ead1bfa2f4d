"""Rate limits of login attempts, counted in the database: across processes, and without Redis.

The generic cell rate algorithm (GCRA) keeps one number per key: the instant at which its allowance is full
again. One statement reads it, decides and stores it, so that two processes cannot both take the last attempt.
"""

from __future__ import annotations

import math
from datetime import datetime
from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network, ip_address

from sqlalchemy import TextClause, select, text

from memberstaff.db.tables import rate_limit
from memberstaff.db.work import Work
from memberstaff.errors import RateLimited
from memberstaff.settings import Settings

MINUTE = 60_000
"""Milliseconds; the period of the allowances."""

TAKE: TextClause = text(
    """
    INSERT INTO rate_limit (key, full_at) VALUES (:key, :fresh)
    ON CONFLICT (key) DO UPDATE SET full_at = CASE
        WHEN rate_limit.full_at BETWEEN :now AND :possible THEN rate_limit.full_at + :interval ELSE :fresh END
    WHERE rate_limit.full_at <= :latest OR rate_limit.full_at > :possible
    RETURNING full_at
    """
)
"""An instant beyond `possible` was stored before a clock was set back, and would lock people out."""


async def take_login(work: Work, settings: Settings, *, email: str, address: str) -> None:
    """Count a login attempt on this account (its folded email) from this address. Raises RateLimited.

    A refused attempt is not counted, so that hammering one account from a school's address does not use up the
    allowance of the whole school.
    """
    source = network(address)
    await _take(work, f"login:{source}:{email}", settings.logins_per_minute)
    await _take(work, f"login:{source}", settings.logins_per_minute_per_address)


async def take_refresh(work: Work, settings: Settings, *, session_id: str) -> None:
    """Count a refresh of this session. Raises RateLimited.

    Not limited by address: every page refreshes as it opens, and in the morning a whole school opens one. The caller
    has shown a token that we signed, so there is nothing to guess.
    """
    await _take(work, f"refresh:{session_id}", settings.refreshes_per_minute)


def network(address: str) -> str:
    """What counts as one address: for IPv6 the /64, since a single customer has its 2⁶⁴ addresses."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Network((int(parsed), 64), strict=False))
    return str(parsed)


async def _take(work: Work, name: str, per_minute: int) -> None:
    key = sha256(name.encode("utf-8", "backslashreplace")).hexdigest()  # so that the table identifies nobody
    now = _milliseconds(work.now)
    interval = max(1, MINUTE // per_minute)
    latest = now + interval * (per_minute - 1)
    parameters = {
        "key": key,
        "now": now,
        "interval": interval,
        "fresh": now + interval,
        "latest": latest,
        "possible": latest + interval,
    }
    if await work.scalar(TAKE, parameters) is not None:
        return
    full_at = await work.scalar(select(rate_limit.c.full_at).where(rate_limit.c.key == key))
    wait = math.ceil(max(1, full_at - latest) / 1000)
    raise RateLimited(f"Too many attempts. Try again in {wait} {'second' if wait == 1 else 'seconds'}.", wait)


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
