"""Just-in-time provisioning: an identity provider's user gets an account and a session with the first token.

So rights, logout and disabling work for them as for everybody else. The provider decides their role.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select, update

from memberstaff.access import Caller, Role
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
    role: Role
    session: str
    issued_at: datetime | None
    expires_at: datetime


async def provision(work: Work, identity: Identity) -> int:
    """The account of an identity, created if need be, with an open session. Raises NoAccess if it is disabled.

    Two processes may create it at the same time: the second one finds the row.
    """
    created_id = await work.scalar(
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
        raise NoAccess(NoAccessReason.ACCOUNT_DISABLED)
    work.caller = Caller(row.id, identity.session, row.display_name, identity.role)
    if created_id is not None:
        await work.audit("account", row.id, "created", {"role": identity.role, "issuer": identity.issuer})
    issued_at = identity.issued_at or work.now
    if row.role != identity.role and await _is_newest(work, row.id, issued_at):
        await work.write(update(account).where(account.c.id == row.id).values(role=identity.role))
        await work.audit("account", row.id, "role_set", {"role": identity.role})
        work.announce_access(accounts=[row.id])
    await _upsert_session(work, identity, row.id, issued_at)
    return int(row.id)


async def _is_newest(work: Work, account_id: int, issued_at: datetime) -> bool:
    """Whether no newer token was seen: an older one that is still valid must not restore the role it names."""
    of_account = session.c.account_id == account_id
    newest = await work.scalar(select(func.max(session.c.created_at)).where(of_account))
    return newest is None or newest <= issued_at


async def _upsert_session(work: Work, identity: Identity, account_id: int, issued_at: datetime) -> None:
    """Store the session: created with its newest token, and valid until its last one expires."""
    new = insert(work.dialect, session).values(
        id=identity.session, account_id=account_id, created_at=issued_at, expires_at=identity.expires_at
    )
    later = {
        name: case((new.excluded[name] > session.c[name], new.excluded[name]), else_=session.c[name])
        for name in ("created_at", "expires_at")
    }
    await work.write(new.on_conflict_do_update(index_elements=["id"], set_=later))
