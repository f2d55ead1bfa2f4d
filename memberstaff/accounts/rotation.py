"""Rotating refresh tokens: each is good once, and a token that comes back late ends its session.

Within the grace period a used token gets a fresh successor: two tabs share a token and wake up together, or
an answer was lost on its way. Later it is either a thief or the victim of one, and nobody can tell which.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, or_, select, update

from memberstaff.accounts import sessions
from memberstaff.accounts.refresh_tokens import RefreshTokens, fingerprint
from memberstaff.accounts.sessions import Lifetime, Session
from memberstaff.accounts.tokens import NoAccess
from memberstaff.db.tables import refresh_token, session
from memberstaff.db.work import Work

log = structlog.get_logger(__name__)

KEPT_UNUSED = 50
"""Unused tokens of one session: one for each tab that woke up with the same token."""


async def hand_out(work: Work, tokens: RefreshTokens, session_id: str) -> str:
    """A new refresh token of the session."""
    token = tokens.issue(session_id)
    await work.write(refresh_token.insert().values(hash=fingerprint(token), session_id=session_id, issued_at=work.now))
    return token


async def rotate(
    work: Work, tokens: RefreshTokens, token: str, *, lifetime: Lifetime, grace_seconds: int
) -> tuple[Session, str] | None:
    """Use a refresh token: its session, now good for its role's lifetime, and the token's successor.

    None when the token lets nobody in. It is not raised, since what it did must be committed: when the token
    was used longer than the grace period ago, its session has been ended on every node.
    """
    session_id = tokens.session_of(token)
    if session_id is None:
        return None
    # Two refreshes of one session take turns here (on SQLite, any two writers do).
    row = await work.row(
        sessions.states().where(session.c.id == session_id).with_for_update(of=session, key_share=True)
    )
    if row is None:
        return None
    try:
        sessions.check(row, now=work.now)
    except NoAccess:
        return None
    held = sessions.opened(row)
    work.caller = held.caller
    if not await _use(work, token, session_id, grace_seconds):
        await sessions.end_session(work, session_id)
        await work.audit("account", held.account_id, "refresh_reused", {"session": session_id})
        log.warning("refresh_token_reused", account=held.account_id, session=session_id)
        return None
    successor = await hand_out(work, tokens, session_id)
    expires_at = work.now + lifetime(held.caller.role)
    await work.write(update(session).where(session.c.id == session_id).values(expires_at=expires_at))
    await _prune(work, session_id, used_before=work.now - timedelta(seconds=grace_seconds))
    return Session(held.caller, held.account_id, held.email, expires_at), successor


async def _use(work: Work, token: str, session_id: str, grace_seconds: int) -> bool:
    """Mark the token used; False when that was done longer than the grace period ago, or its row is gone."""
    mine = refresh_token.c.hash == fingerprint(token)
    row = await work.row(select(refresh_token).where(mine, refresh_token.c.session_id == session_id))
    if row is None:
        return False
    if row.used_at is None:
        await work.write(update(refresh_token).where(mine).values(used_at=work.now))
        return True
    return bool(work.now < row.used_at + timedelta(seconds=grace_seconds))


async def _prune(work: Work, session_id: str, *, used_before: datetime) -> None:
    """Remove the session's tokens whose row decides nothing any more: see `refresh_tokens`."""
    of_session = refresh_token.c.session_id == session_id
    surplus = (
        select(refresh_token.c.hash)
        .where(of_session, refresh_token.c.used_at.is_(None))
        .order_by(refresh_token.c.issued_at.desc(), refresh_token.c.hash)
        .offset(KEPT_UNUSED)
    )
    await work.write(
        delete(refresh_token).where(
            of_session, or_(refresh_token.c.used_at <= used_before, refresh_token.c.hash.in_(surplus))
        )
    )
