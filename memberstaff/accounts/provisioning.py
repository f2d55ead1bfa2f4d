"""Identities of an outside issuer get an account and a session at first sight.

So rights, logout and disabling work for them as for everybody else. Their role is the issuer's to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select, update

from memberstaff.access import Caller, Role
from memberstaff.accounts.tokens import NoAccess, Why
from memberstaff.db.tables import account, session
from memberstaff.db.upsert import insert
from memberstaff.db.work import Work


@dataclass(frozen=True, slots=True)
class Identity:
    """What an outside token says of its holder; `session` names the issuer's session or, else, the token."""

    issuer: str
    subject: str
    display_name: str
    role: Role
    session: str
    issued_at: datetime | None
    expires_at: datetime


async def admit(work: Work, identity: Identity) -> int:
    """The account of an identity, made at first sight, with an open session. Raises NoAccess when disabled.

    Two processes may see it first at the same time: whichever comes second finds the row.
    """
    made = await work.scalar(
        insert(work.dialect, account)
        .values(
            issuer=identity.issuer,
            subject=identity.subject,
            display_name=identity.display_name,
            role=identity.role,
            created_at=work.now,
        )
        .on_conflict_do_nothing(index_elements=["issuer", "subject"])
        .returning(account.c.id)
    )
    row = await work.row(
        select(account)
        .where(account.c.issuer == identity.issuer, account.c.subject == identity.subject)
        .with_for_update(key_share=True)
    )
    assert row is not None
    if row.disabled_at is not None:
        raise NoAccess(Why.ACCOUNT_DISABLED)
    work.caller = Caller(row.id, identity.session, row.display_name, identity.role)
    if made is not None:
        await work.audit("account", row.id, "created", {"role": identity.role, "issuer": identity.issuer})
    issued_at = identity.issued_at or work.now
    if row.role != identity.role and await _is_newest(work, row.id, issued_at):
        await work.write(update(account).where(account.c.id == row.id).values(role=identity.role))
        await work.audit("account", row.id, "role_set", {"role": identity.role})
        work.announce_access(accounts=[row.id])
    await _open(work, identity, row.id, issued_at)
    return int(row.id)


async def _is_newest(work: Work, account_id: int, issued_at: datetime) -> bool:
    """Whether no newer token was seen: an older one, still good, must not bring back the role it names."""
    of_account = session.c.account_id == account_id
    newest = await work.scalar(select(func.max(session.c.created_at)).where(of_account))
    return newest is None or newest <= issued_at


async def _open(work: Work, identity: Identity, account_id: int, issued_at: datetime) -> None:
    """The session's row: as old as the newest token seen, and good for as long as the last one to expire."""
    new = insert(work.dialect, session).values(
        id=identity.session, account_id=account_id, created_at=issued_at, expires_at=identity.expires_at
    )
    later = {
        name: case((new.excluded[name] > session.c[name], new.excluded[name]), else_=session.c[name])
        for name in ("created_at", "expires_at")
    }
    await work.write(new.on_conflict_do_update(index_elements=["id"], set_=later))
