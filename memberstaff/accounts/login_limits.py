"""How often somebody may try to log in: counted in the database, so across processes and without Redis.

The generic cell rate algorithm keeps one number for each key: the instant at which its allowance is whole
again. One statement reads, decides and stores it, so that two processes cannot both take the last attempt.
"""

from __future__ import annotations

import math
from datetime import datetime
from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network, ip_address

from sqlalchemy import TextClause, delete, select, text

from memberstaff.db.tables import rate_limit
from memberstaff.db.work import Work
from memberstaff.errors import RateLimited
from memberstaff.settings import Settings

MINUTE = 60_000
"""Milliseconds over which the allowances are counted."""
PRUNED_AT_ONCE = 20
"""Rows that one attempt removes at most; each attempt adds two at most, so the table cannot grow for long."""

TAKE: TextClause = text(
    """
    INSERT INTO rate_limit (key, full_at) VALUES (:key, :fresh)
    ON CONFLICT (key) DO UPDATE SET full_at = CASE
        WHEN rate_limit.full_at BETWEEN :now AND :possible THEN rate_limit.full_at + :interval ELSE :fresh END
    WHERE rate_limit.full_at <= :latest OR rate_limit.full_at > :possible
    RETURNING full_at
    """
)
"""An instant beyond `possible` was stored by a clock since set back, and would lock people out."""


async def take_login(work: Work, settings: Settings, *, email: str, address: str) -> None:
    """Count an attempt to log in to this account (its folded email) from this address.

    Raises RateLimited when it is one too many. An attempt that is refused is not counted, so that whoever
    hammers one account from a school's address does not use up what the school has.
    """
    place = network(address)
    await _take(work, f"login:{place}:{email}", settings.logins_per_minute)
    await _take(work, f"login:{place}", settings.logins_per_minute_per_address)
    await _prune(work)


async def take_refresh(work: Work, settings: Settings, *, session_id: str) -> None:
    """Count a refresh of this session. Raises RateLimited when it is one too many.

    Not by address: each page that opens refreshes once, and in the morning a whole school opens them. Whoever asks
    has shown a token that we signed, so there is nothing to guess.
    """
    await _take(work, f"refresh:{session_id}", settings.refreshes_per_minute)
    await _prune(work)


def network(address: str) -> str:
    """What counts as one address: an IPv6 customer has 2⁶⁴ of them, so their /64 counts as one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Network((int(parsed), 64), strict=False))
    return str(parsed)


async def _take(work: Work, name: str, per_minute: int) -> None:
    key = sha256(name.encode("utf-8", "backslashreplace")).hexdigest()  # the table names nobody
    now = _milliseconds(work.now)
    interval = max(1, MINUTE // per_minute)
    latest = now + interval * (per_minute - 1)
    given = {
        "key": key,
        "now": now,
        "interval": interval,
        "fresh": now + interval,
        "latest": latest,
        "possible": latest + interval,
    }
    if await work.scalar(TAKE, given) is not None:
        return
    full_at = await work.scalar(select(rate_limit.c.full_at).where(rate_limit.c.key == key))
    wait = math.ceil(max(1, full_at - latest) / 1000)
    raise RateLimited(f"Too many attempts. Try again in {wait} {'second' if wait == 1 else 'seconds'}.", wait)


async def _prune(work: Work) -> None:
    """Remove rows that say no more than no row would; another process's are skipped, not waited for."""
    whole = (
        select(rate_limit.c.key)
        .where(rate_limit.c.full_at < _milliseconds(work.now))
        .order_by(rate_limit.c.full_at)
        .limit(PRUNED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    await work.write(delete(rate_limit).where(rate_limit.c.key.in_(whole)))


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
