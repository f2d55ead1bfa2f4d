"""Refresh token rotation: a token is valid once, and reusing it after its successor was used ends the session.

Within the grace period a used token gets another successor: two tabs share a token and wake up together. Later it
is accepted for as long as none of its successors has been used: the response was lost, and a wall display is back
online hours later. Or it was stolen, and nobody can tell which; so the unused successors are deleted, and a victim
who holds one of them ends the session by using it. Once a successor has been used, two parties hold the token, and
the session ends at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, exists, or_, select, update

from memberstaff.accounts import sessions
from memberstaff.accounts.refresh_tokens import RefreshTokens, fingerprint
from memberstaff.accounts.sessions import Lifetime, Session
from memberstaff.accounts.tokens import NoAccess
from memberstaff.db.tables import refresh_token, session
from memberstaff.db.work import Work

log = structlog.get_logger(__name__)

MOST_UNUSED = 50
"""Unused tokens of a session: one for each tab that woke up with the same token."""


async def issue_first(work: Work, tokens: RefreshTokens, session_id: str) -> str:
    """The first refresh token of a session."""
    return await _issue(work, tokens, session_id, issued_at=work.now)


async def rotate(
    work: Work, tokens: RefreshTokens, token: str, *, lifetime: Lifetime, grace_seconds: int
) -> tuple[Session, str] | None:
    """Use a refresh token; returns its session, extended by its role's lifetime, and the token's successor.

    None if the token is not valid. That is no exception, since the work must be committed: if two parties held the
    token, its session has been ended on every node.
    """
    session_id = tokens.session_of(token)
    if session_id is None:
        return None
    # Concurrent refreshes of a session take turns from here (on SQLite, all writers do).
    row = await work.row(
        sessions.states().where(session.c.id == session_id).with_for_update(of=session, key_share=True)
    )
    if row is None:
        return None
    try:
        sessions.check(row, now=work.now)
    except NoAccess:
        return None
    opened = sessions.opened(row)
    work.caller = opened.caller
    grace = timedelta(seconds=grace_seconds)
    now = await _use(work, token, session_id, grace)
    if now is None:
        await sessions.end_session(work, session_id)
        await work.audit("account", opened.account_id, "refresh_reused", {"session": session_id})
        log.warning("refresh_token_reused", account=opened.account_id, session=session_id)
        return None
    successor = await _issue(work, tokens, session_id, issued_at=now, predecessor=fingerprint(token))
    expires_at = work.now + lifetime(opened.caller.role)
    await work.write(update(session).where(session.c.id == session_id).values(expires_at=expires_at))
    await _prune(work, session_id, used_before=work.now - grace)
    return Session(opened.caller, opened.account_id, opened.email, expires_at), successor


async def _use(work: Work, token: str, session_id: str, grace: timedelta) -> datetime | None:
    """Mark the token as used; returns the time of issue of its successor, or None if it must not get one."""
    this_token = refresh_token.c.hash == fingerprint(token)
    row = await work.row(select(refresh_token).where(this_token, refresh_token.c.session_id == session_id))
    if row is None:
        return None
    # Never before it was issued or last used, even if another node's clock is ahead: `_prune` relies on that order.
    now: datetime = max(work.now, row.used_at or row.issued_at)
    if row.used_at is not None:
        if work.now < row.used_at + grace:
            return now
        successors = (refresh_token.c.session_id == session_id) & (refresh_token.c.predecessor == row.hash)
        used = [each.used_at is not None for each in await work.rows(select(refresh_token.c.used_at).where(successors))]
        if not used or any(used):
            return None
        await work.write(delete(refresh_token).where(successors))
    # Late use begins another grace period: two tabs may come back online together.
    await work.write(update(refresh_token).where(this_token).values(used_at=now))
    return now


async def _issue(
    work: Work, tokens: RefreshTokens, session_id: str, *, issued_at: datetime, predecessor: str | None = None
) -> str:
    token = tokens.issue(session_id)
    new = refresh_token.insert().values(hash=fingerprint(token), session_id=session_id)
    await work.write(new.values(issued_at=issued_at, predecessor=predecessor))
    return token


async def _prune(work: Work, session_id: str, *, used_before: datetime) -> None:
    """Delete the session's tokens whose row no longer decides anything: see `refresh_tokens`.

    A used token stays while it may still be accepted: in its grace period, and then while it has successors and none
    of them has been used. A successor is never used before its predecessor was, so it is not deleted before it: a
    token with a used successor must not look like one that has none.
    """
    of_session = refresh_token.c.session_id == session_id
    successor = refresh_token.alias("successor")
    of_token = (successor.c.session_id == session_id) & (successor.c.predecessor == refresh_token.c.hash)
    succeeded = exists().where(of_token, successor.c.used_at.is_not(None))
    # Its successors were surplus; so there are never more of these than of unused tokens.
    childless = ~exists().where(of_token)
    surplus = (
        select(refresh_token.c.hash)
        .where(of_session, refresh_token.c.used_at.is_(None))
        .order_by(refresh_token.c.issued_at.desc(), refresh_token.c.hash)
        .offset(MOST_UNUSED)
    )
    await work.write(
        delete(refresh_token).where(
            of_session,
            or_(
                (refresh_token.c.used_at <= used_before) & (succeeded | childless),
                refresh_token.c.hash.in_(surplus),
            ),
        )
    )
