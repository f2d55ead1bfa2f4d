"""Just-in-time provisioning: an identity provider's user gets an account and a session with the first token.

So rights, logout and disabling work for them as for everybody else. The provider decides their role, and its newest
token counts: a role that was taken away stays away, however long an older token that names it is valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, select, update

from memberstaff.access import Caller, Role, role_of
from memberstaff.accounts import sessions
from memberstaff.accounts.tokens import NoAccess, NoAccessReason
from memberstaff.db.tables import account, session
from memberstaff.db.upsert import insert
from memberstaff.db.work import Work


@dataclass(frozen=True, slots=True)
class Identity:
    """What a provider's token says of its holder; `session` is the provider's session id or else the token's."""

    issuer: str
    subject: str
    display_name: str
    role: Role | None
    """None if the token names no role of ours."""
    session: str
    issued_at: datetime
    expires_at: datetime


async def provision(work: Work, identity: Identity) -> int | None:
    """The account of an identity, created if need be, with an open session. Raises NoAccess if it is disabled.

    None if the newest token of its user names no role. That is no exception, since the work must be committed: their
    sessions have been ended on every node.
    """
    created_id = await _create(work, identity) if identity.role is not None else None
    row = await work.row(
        select(account)
        .where(account.c.issuer == identity.issuer, account.c.subject == identity.subject)
        .with_for_update(key_share=True)
    )
    if row is None:
        return None
    if row.disabled_at is not None:
        raise NoAccess(NoAccessReason.ACCOUNT_DISABLED)
    # What follows needs no right.
    role = identity.role or role_of(row.role) or Role.VIEWER
    work.caller = Caller(row.id, identity.session, row.display_name, role)
    if created_id is not None:
        await work.audit("account", row.id, "created", {"role": identity.role, "issuer": identity.issuer})
    if await _role(work, row, identity) is None:
        return None
    if await _begins(work, identity):
        await work.audit("account", row.id, "login", {"session": identity.session, "issuer": identity.issuer})
    await _upsert_session(work, identity, row.id)
    return int(row.id)


async def _create(work: Work, identity: Identity) -> int | None:
    """The id of the new account; None if there is one. Two processes may see somebody first at the same time."""
    new = insert(work.dialect, account).values(
        issuer=identity.issuer,
        subject=identity.subject,
        display_name=identity.display_name,
        role=identity.role,
        role_issued_at=identity.issued_at,
        created_at=work.now,
    )
    created: int | None = await work.scalar(
        new.on_conflict_do_nothing(index_elements=["issuer", "subject"]).returning(account.c.id)
    )
    return created


async def _role(work: Work, row: Row[Any], identity: Identity) -> Role | None:
    """The account's role by the newest token that was seen, which may be this one. The row is locked."""
    known = None if row.role_withdrawn else role_of(row.role)
    if row.role_issued_at is not None:
        if identity.issued_at < row.role_issued_at:
            return known
        # Issuers count whole seconds: of two tokens of one second the lesser counts, or they would take turns.
        if identity.issued_at == row.role_issued_at and _rank(identity.role) >= _rank(known):
            return known
    found = identity.role
    if found is None and known is None and not row.role_withdrawn:
        return None  # a role of a later release, which knows what this token says
    # Without a role nobody is among the administrators, of which one has to remain.
    values = {"role_issued_at": identity.issued_at, "role_withdrawn": found is None, "role": found or Role.VIEWER}
    await work.write(update(account).where(account.c.id == row.id).values(values))
    if found is None and known is not None:
        await work.audit("account", row.id, "role_withdrawn", {})
        await sessions.end_sessions_of(work, row.id)
    elif found is not None and found != known:
        await work.audit("account", row.id, "role_set", {"role": found})
        work.announce_access(accounts=[row.id])
    return found


def _rank(role: Role | None) -> int:
    return -1 if role is None else list(Role).index(role)


async def _begins(work: Work, identity: Identity) -> bool:
    """Whether this token opens its session, or opens it again after it was ended."""
    row = await work.row(select(session.c.created_at, session.c.ended_at).where(session.c.id == identity.session))
    if row is None:
        return True
    return row.ended_at is not None and row.created_at <= row.ended_at < identity.issued_at


async def _upsert_session(work: Work, identity: Identity, account_id: int) -> None:
    """Store the session: created with its newest token, and valid until its last one expires."""
    new = insert(work.dialect, session).values(
        id=identity.session, account_id=account_id, created_at=identity.issued_at, expires_at=identity.expires_at
    )
    later = {
        name: case((new.excluded[name] > session.c[name], new.excluded[name]), else_=session.c[name])
        for name in ("created_at", "expires_at")
    }
    await work.write(new.on_conflict_do_update(index_elements=["id"], set_=later))
