"""Sessions: a login opens one, a refresh extends it, and a logout ends it on every node."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Text, bindparam, case, delete, literal, select, update

from memberstaff.access import Caller, Role, role_of
from memberstaff.accounts.tokens import Claims, NoAccess, NoAccessReason
from memberstaff.db.arrays import any_of
from memberstaff.db.rows import as_json, from_json
from memberstaff.db.tables import account, refresh_token, session
from memberstaff.db.types import Instant
from memberstaff.db.work import Reading, Work


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session lasts: `idle` without a refresh, and `absolute` however often it is refreshed."""

    idle: timedelta
    absolute: timedelta

    def end(self, *, created_at: datetime, now: datetime) -> datetime:
        """When a session ends that is used now."""
        return min(now + self.idle, created_at + self.absolute)


Lifetimes = Callable[[Role], Lifetime]
"""By the role of the session's account."""


@dataclass(frozen=True, slots=True)
class Session:
    """An open session and its account. `expires_at` moves with each refresh."""

    caller: Caller
    account_id: int
    email: str | None
    expires_at: datetime


STATE = (
    session.c.id.label("session_id"),
    session.c.created_at,
    session.c.expires_at,
    session.c.ended_at,
    account.c.id.label("account_id"),
    account.c.email,
    account.c.display_name,
    account.c.role,
    account.c.disabled_at,
)


def states() -> Select[Any]:
    """Select sessions with their accounts: the columns that `check` and `opened` read."""
    return select(*STATE).join_from(session, account, session.c.account_id == account.c.id)


_STATE_OF_ONE = states().where(session.c.id == bindparam("session_id"))
_STATE_OF_MANY = states().where(any_of(session.c.id, bindparam("session_ids")))


async def identify(reading: Reading, claims: Claims) -> Caller:
    """The token's holder, as the account's row says now. Raises NoAccess if their access has ended."""
    row = await reading.row(_STATE_OF_ONE, {"session_id": claims.session_id})
    return _session(row, claims, reading.now).caller


async def identify_all(reading: Reading, all_claims: Iterable[Claims]) -> dict[Claims, Caller | NoAccess]:
    """The same for many tokens, in one statement; NoAccess is returned, not raised."""
    found = await sessions_of(reading, all_claims)
    return {claims: answer.caller if isinstance(answer, Session) else answer for claims, answer in found.items()}


async def sessions_of(reading: Reading, all_claims: Iterable[Claims]) -> dict[Claims, Session | NoAccess]:
    """The open session of each token, or why it gives no access, in one statement."""
    several = list(all_claims)
    ids = {claims.session_id for claims in several}
    if len(ids) == 1:  # PostgreSQL plans the look-up of one once, and of several each time
        rows = await reading.rows(_STATE_OF_ONE, {"session_id": ids.pop()})
    else:
        rows = await reading.rows(_STATE_OF_MANY, {"session_ids": list(ids)})
    found = {row.session_id: row for row in rows}
    answers: dict[Claims, Session | NoAccess] = {}
    for claims in several:
        try:
            answers[claims] = _session(found.get(claims.session_id), claims, reading.now)
        except NoAccess as error:
            answers[claims] = error
    return answers


async def doubtful(reading: Reading, admitted: Collection[tuple[str, Role | None]]) -> set[str]:
    """Those of these sessions that may no longer be open, or no longer have the role: `sessions_of` decides.

    Only they are answered, so that to check hundreds of sessions costs little more than the statement.
    """
    rows = as_json([{"session_id": session_id, "role": role} for session_id, role in admitted])
    found = await reading.rows(_doubtful(reading.dialect), {"rows": rows, "now": reading.now})
    return {row.session_id for row in found}


@cache
def _doubtful(dialect: str) -> Select[Any]:
    admitted = from_json(dialect, {"session_id": Text(), "role": Text()})
    with_session = admitted.outerjoin(session, session.c.id == admitted.c.session_id)
    return (
        select(admitted.c.session_id)
        .select_from(with_session.outerjoin(account, account.c.id == session.c.account_id))
        .where(
            session.c.id.is_(None)
            | session.c.ended_at.is_not(None)
            | (session.c.expires_at <= bindparam("now", type_=Instant))
            | account.c.disabled_at.is_not(None)
            | (account.c.role != admitted.c.role)
        )
    )


def _session(row: Row[Any] | None, claims: Claims, now: datetime) -> Session:
    if claims.expires_at <= now:
        raise NoAccess(NoAccessReason.TOKEN_EXPIRED)
    if row is None or row.account_id != claims.account_id:
        raise NoAccess(NoAccessReason.SESSION_ENDED)
    check(row, now=now, issued_at=claims.issued_at)
    return opened(row)


def check(row: Row[Any], *, now: datetime, issued_at: datetime | None = None) -> None:
    """Raise NoAccess unless the session is open and its account enabled.

    `issued_at` is that of an identity provider's token: one that was issued after its session was ended is a new
    login, since the provider reuses the same session for as long as the browser is logged in there.
    """
    if row.disabled_at is not None:
        raise NoAccess(NoAccessReason.ACCOUNT_DISABLED)
    if row.ended_at is not None and (issued_at is None or issued_at <= row.ended_at):
        raise NoAccess(NoAccessReason.SESSION_ENDED)
    if row.expires_at <= now:
        raise NoAccess(NoAccessReason.SESSION_EXPIRED)


def opened(row: Row[Any]) -> Session:
    """The session in a row of `states()`. Raises NoAccess for a role of a later release."""
    caller = Caller(row.account_id, row.session_id, row.display_name, _known_role(row))
    return Session(caller, row.account_id, row.email, row.expires_at)


def _known_role(row: Row[Any]) -> Role:
    role = role_of(row.role)
    if role is None:
        raise NoAccess(NoAccessReason.ROLE_UNKNOWN)
    return role


async def open_session(work: Work, account_id: int, *, verified: str, lifetime: Lifetimes) -> Session | None:
    """Open a session for the account, which ends with its role's lifetime.

    None if the account was disabled or its password hash is no longer `verified`: the password was checked before
    this transaction began. The lock makes a change of either wait, or be seen. Raises NoAccess for a role of a later
    release.
    """
    row = await work.row(
        select(account)
        .where(account.c.id == account_id, account.c.disabled_at.is_(None))
        .where(account.c.password_hash == verified)
        .with_for_update(key_share=True)
    )
    if row is None:
        return None
    session_id = secrets.token_urlsafe(24)
    role = _known_role(row)
    expires_at = lifetime(role).end(created_at=work.now, now=work.now)
    new = session.insert().values(id=session_id, account_id=account_id, created_at=work.now)
    await work.write(new.values(expires_at=expires_at))
    caller = Caller(account_id, session_id, row.display_name, role)
    return Session(caller, account_id, row.email, expires_at)


async def logout(work: Work) -> None:
    """End the caller's session: its tokens become invalid, and its open sockets close."""
    await end_session(work, work.caller.session_id)


async def end_session(work: Work, session_id: str) -> bool:
    """End one session on every node; False if it has ended already."""
    reopened = session.c.created_at > session.c.ended_at  # by a newer token of an identity provider
    live = (session.c.id == session_id) & (session.c.ended_at.is_(None) | reopened)
    ended = await work.write(update(session).where(live).values(ended_at=_end_time(work)))
    await work.write(delete(refresh_token).where(refresh_token.c.session_id == session_id))
    if ended:
        work.announce_access(sessions=[session_id])
    return bool(ended)


async def end_sessions_of(work: Work, account_id: int) -> None:
    """End all sessions of an account. Lock the account's row first, or a login may slip in."""
    # Ended ones too: a newer token may have reopened an identity provider's session.
    live = (session.c.account_id == account_id) & (session.c.expires_at > work.now)
    await work.write(update(session).where(live).values(ended_at=_end_time(work)))
    work.announce_access(accounts=[account_id])


def _end_time(work: Work) -> ColumnElement[datetime]:
    """Now, or when the session's newest token was issued: an identity provider's clock may be ahead of ours."""
    now = literal(work.now, Instant)
    return case((session.c.created_at > now, session.c.created_at), else_=now)
