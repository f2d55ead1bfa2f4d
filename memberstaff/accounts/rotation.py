"""Refresh token rotation: a token is valid once, and showing one that was replaced ends the session.

Within the grace period a used token is answered with the newest token of its session, always the same one: two tabs
share a token and wake up together, or the response was lost and the request is sent again. Later a used token gets a
new successor in place of the unused one: a wall display whose response was lost is back online hours later. Or the
token was stolen, and nobody can tell which; but now one of the two holds the replaced token, and ends the session by
using it. Once a successor has been used, two parties hold the token, and the session ends at once.

So a session has one unused token, and those used ones that may be used again: at most one from before the grace period,
and as many within it as the rate limit of refreshes lets in.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row, delete, select, update

from memberstaff import metrics
from memberstaff.accounts import sessions
from memberstaff.accounts.refresh_tokens import RefreshTokens, fingerprint
from memberstaff.accounts.sessions import Lifetimes, Session
from memberstaff.accounts.tokens import NoAccess
from memberstaff.db.arrays import any_of
from memberstaff.db.tables import refresh_token, session
from memberstaff.db.work import Work

log = structlog.get_logger(__name__)


async def issue_first(work: Work, tokens: RefreshTokens, session_id: str) -> str:
    """The first refresh token of a session."""
    token = tokens.issue(session_id)
    new = refresh_token.insert().values(hash=fingerprint(token), session_id=session_id, issued_at=work.now)
    await work.write(new)
    return token


async def rotate(
    work: Work, tokens: RefreshTokens, token: str, *, lifetime: Lifetimes, grace_seconds: int
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
    expires_at = lifetime(opened.caller.role).end(created_at=row.created_at, now=work.now)
    if expires_at <= work.now:  # its role has changed to one whose sessions are shorter
        await sessions.end_session(work, session_id)
        return None
    successor = await _use(work, tokens, token, session_id, timedelta(seconds=grace_seconds))
    if successor is None:
        await sessions.end_session(work, session_id)
        await work.audit("account", opened.account_id, "refresh_reused", {"session": session_id})
        metrics.REFRESH_TOKENS_REUSED.inc()
        log.warning("refresh_token_reused", account=opened.account_id, session=session_id)
        return None
    await work.write(update(session).where(session.c.id == session_id).values(expires_at=expires_at))
    return Session(opened.caller, opened.account_id, opened.email, expires_at), successor


async def _use(work: Work, tokens: RefreshTokens, token: str, session_id: str, grace: timedelta) -> str | None:
    """The token that follows one of ours; None if it was replaced, or two parties hold it."""
    of_session = select(refresh_token).where(refresh_token.c.session_id == session_id)
    rows = {row.hash: row for row in await work.rows(of_session)}
    row = rows.get(fingerprint(token))
    if row is None:
        return None
    while row.used_at is not None and work.now < row.used_at + grace:
        again = next((each for each in tokens.successors(token, row.used_at) if fingerprint(each) in rows), None)
        if again is None:  # it was made with a secret that is not valid here
            break
        token, row = again, rows[fingerprint(again)]
        if row.used_at is None:
            return token
    replaced = [each for each in rows.values() if each.predecessor == row.hash]
    if row.used_at is not None and (not replaced or any(each.used_at is not None for each in replaced)):
        return None
    # Never before it was issued or last used, even if another node's clock is ahead: `_obsolete` relies on that order.
    used_at = max(work.now, row.used_at or row.issued_at)
    successor = next(tokens.successors(token, used_at))
    gone = [each.hash for each in replaced] + _obsolete(rows, using=row.hash, used_before=work.now - grace)
    await work.write(delete(refresh_token).where(any_of(refresh_token.c.hash, gone)))
    await work.write(update(refresh_token).where(refresh_token.c.hash == row.hash).values(used_at=used_at))
    new = refresh_token.insert().values(hash=fingerprint(successor), session_id=session_id)
    await work.write(new.values(issued_at=used_at, predecessor=row.hash))
    return successor


def _obsolete(rows: Mapping[str, Row[Any]], *, using: str, used_before: datetime) -> list[str]:
    """The tokens, by hash, that would end the session as well without their rows: see `refresh_tokens`.

    Their grace period is over, and their successors have been used, or one is being used now. A successor is never used
    before its predecessor was, so its row does not go before it: a used token always has its successor's.
    """
    succeeded = {each.predecessor for each in rows.values() if each.used_at is not None or each.hash == using}
    return [
        each.hash
        for each in rows.values()
        if each.used_at is not None and each.used_at <= used_before and each.hash in succeeded
    ]
