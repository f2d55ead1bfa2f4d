"""The accounts as administrators and the command line manage them: audited, and in effect at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select, update

from memberstaff.access import Right, Role
from memberstaff.accounts import emails, sessions
from memberstaff.accounts.passwords import PasswordHash
from memberstaff.db.installation import raise_roster_version
from memberstaff.db.tables import account
from memberstaff.db.upsert import insert
from memberstaff.db.work import Reading, Work
from memberstaff.errors import ErrorCode, Refusal
from memberstaff.inputs import LONGEST_NAME, fold, line


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in. `email` is None for identities of an outside issuer, which have `issuer`."""

    id: int
    email: str | None
    display_name: str
    role: Role
    issuer: str | None
    disabled_at: datetime | None
    created_at: datetime

    @property
    def sort_key(self) -> str:
        """The folded name."""
        return fold(self.display_name)


async def everyone(reading: Reading) -> list[Account]:
    """All accounts, in the order in which they were made."""
    reading.require(Right.MANAGE_ACCOUNTS)
    return [_account(row) for row in await reading.rows(select(account).order_by(account.c.id))]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of accounts ended: lists are ordered by folded name, then by id."""

    sort_key: str
    id: int


async def page(reading: Reading, *, search: str | None, first: int, after: Place | None) -> tuple[list[Account], int]:
    """Accounts by name whose name or address holds every word of `search`, and how many there are on all pages."""
    # Compared here, since the databases do not fold alike; they are read all, as an installation has hundreds.
    words = fold(search or "").split()
    found = [each for each in await everyone(reading) if all(word in _searched(each) for word in words)]
    found.sort(key=lambda each: (each.sort_key, each.id))
    beyond = [each for each in found if after is None or (each.sort_key, each.id) > (after.sort_key, after.id)]
    return beyond[:first], len(found)


async def by_id(reading: Reading, account_id: int) -> Account | None:
    """One account; None when there is none."""
    reading.require(Right.MANAGE_ACCOUNTS)
    row = await reading.row(select(account).where(account.c.id == account_id))
    return _account(row) if row is not None else None


async def find(reading: Reading, email: str) -> Account:
    """The account with this address. Raises Refusal (NOT_FOUND)."""
    reading.require(Right.MANAGE_ACCOUNTS)
    row = await reading.row(select(account).where(account.c.email == emails.folded(email)))
    if row is None:
        raise Refusal(ErrorCode.NOT_FOUND, "There is no account with this email address.", "email")
    return _account(row)


async def add(
    work: Work, *, email: str, role: Role, password_hash: PasswordHash, display_name: str | None = None
) -> Account:
    """A new account. Hash its password with `Passwords.hash` before the unit of work is opened.

    Without a display name it gets one made of the address. Raises Refusal: INVALID, DUPLICATE.
    """
    work.require(Right.MANAGE_ACCOUNTS)
    address = emails.acceptable(email)
    name = _name(emails.display_name(address) if display_name is None else display_name)
    row = await work.row(
        insert(work.dialect, account)
        .values(email=address, display_name=name, role=role, password_hash=password_hash, created_at=work.now)
        .on_conflict_do_nothing(index_elements=["email"])
        .returning(*account.c)
    )
    if row is None:
        raise Refusal(ErrorCode.DUPLICATE, "There is an account with this email address already.", "email")
    await work.audit("account", row.id, "created", {"role": role, "display_name": name})
    return _account(row)


async def change(
    work: Work,
    account_id: int,
    *,
    display_name: str | None = None,
    role: Role | None = None,
    is_disabled: bool | None = None,
    password_hash: PasswordHash | None = None,
) -> Account:
    """Change what is given, and nothing else. Raises Refusal, and then nothing may be committed."""
    # All locks at once: whoever took more of them later could wait for somebody who waits for the first.
    await _lock(work, account_id, leaving=bool(is_disabled) or (role is not None and role is not Role.ADMIN))
    if is_disabled is False:
        await enable(work, account_id)
    if role is not None:
        await set_role(work, account_id, role)
    if display_name is not None:
        await rename(work, account_id, display_name)
    if password_hash is not None:
        await set_password(work, account_id, password_hash)
    if is_disabled:
        await disable(work, account_id)
    changed = await by_id(work, account_id)
    assert changed is not None
    return changed


async def change_own_password(work: Work, password_hash: PasswordHash, *, verified: str | None) -> None:
    """Replace the caller's password and end their other sessions.

    `verified` is the stored hash that the current password was checked against, before this transaction began.
    Raises Refusal when it is no longer the stored one.
    """
    mine = account.c.id == work.caller.account_id
    row = await work.row(select(account).where(mine).with_for_update(key_share=True))
    if row is None or row.password_hash != verified:
        message = "The password was changed just now, by somebody else. Try again."
        raise Refusal(ErrorCode.BAD_CREDENTIALS, message, "currentPassword")
    await _change(work, row.id, "password_changed", {}, password_hash=password_hash)
    await sessions.end_sessions_of(work, row.id, but=work.caller.session_id)


async def disable(work: Work, account_id: int) -> Account:
    """Let nobody in with this account, and end what is open. Raises Refusal for the last administrator."""
    row = await _lock(work, account_id, leaving=True)
    if row.disabled_at is not None:
        return _account(row)
    changed = await _change(work, account_id, "disabled", {}, disabled_at=work.now)
    await sessions.end_sessions_of(work, account_id)
    return changed


async def enable(work: Work, account_id: int) -> Account:
    """Let the account's holder log in again; the sessions of before stay ended."""
    row = await _lock(work, account_id)
    if row.disabled_at is None:
        return _account(row)
    return await _change(work, account_id, "enabled", {}, disabled_at=None)


async def set_role(work: Work, account_id: int, role: Role) -> Account:
    """Change what the account may do, at once and in open sockets too. Raises Refusal."""
    row = await _lock(work, account_id, leaving=role is not Role.ADMIN)
    if row.role == role:
        return _account(row)
    refuse_outside(row, "role")
    changed = await _change(work, account_id, "role_set", {"role": role}, role=role)
    work.announce_access(accounts=[account_id])
    return changed


async def set_password(work: Work, account_id: int, password_hash: PasswordHash) -> Account:
    """Replace the password and end all sessions; hash it before the unit of work opens. Raises Refusal."""
    refuse_outside(await _lock(work, account_id), "password")
    changed = await _change(work, account_id, "password_set", {}, password_hash=password_hash)
    await sessions.end_sessions_of(work, account_id)
    return changed


async def rename(work: Work, account_id: int, display_name: str) -> Account:
    """Change the name that stands beside what the account has marked. Raises Refusal."""
    name = _name(display_name)
    row = await _lock(work, account_id)
    if row.display_name == name:
        return _account(row)
    changed = await _change(work, account_id, "renamed", {"display_name": name}, display_name=name)
    await raise_roster_version(work)
    return changed


async def _lock(work: Work, account_id: int, *, leaving: bool = False) -> Row[Any]:
    """Lock and read the account. `leaving`: it will be no enabled administrator any more.

    The last one may not leave, so all of them are locked as well, in order: else two administrators could
    each remove the other at the same time. The lock leaves foreign keys to the row alone.
    """
    work.require(Right.MANAGE_ACCOUNTS)
    administrates = (account.c.role == Role.ADMIN) & account.c.disabled_at.is_(None)
    wanted = account.c.id == account_id
    locked = await work.rows(
        select(account)
        .where(or_(wanted, administrates) if leaving else wanted)
        .order_by(account.c.id)
        .with_for_update(key_share=True)
    )
    row = next((row for row in locked if row.id == account_id), None)
    if row is None:
        raise Refusal(ErrorCode.NOT_FOUND, "There is no such account.", "id")
    if leaving and [admin.id for admin in _administrators(locked)] == [account_id]:
        message = "This is the last administrator who can log in. Make somebody else one first."
        raise Refusal(ErrorCode.INVALID, message, "id")
    return row


def _administrators(rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    return [row for row in rows if row.role == Role.ADMIN and row.disabled_at is None]


async def _change(work: Work, account_id: int, action: str, details: dict[str, Any], **values: Any) -> Account:
    row = await work.row(update(account).where(account.c.id == account_id).values(**values).returning(*account.c))
    assert row is not None
    await work.audit("account", account_id, action, details)
    return _account(row)


def refuse_outside(row: Row[Any], what: str, *, path: str = "id") -> None:
    """Raise Refusal for an account of an outside issuer, whose `what` is not ours to change."""
    if row.issuer is not None:
        message = f"This account belongs to an identity provider, which decides its {what}: change it there."
        raise Refusal(ErrorCode.INVALID, message, path)


def _searched(of: Account) -> str:
    return fold(f"{of.display_name} {of.email or ''}")


def _name(display_name: str) -> str:
    return line(display_name, longest=LONGEST_NAME, what="The name", path="displayName")


def _account(row: Row[Any]) -> Account:
    return Account(
        id=row.id,
        email=row.email,
        display_name=row.display_name,
        role=Role(row.role),
        issuer=row.issuer,
        disabled_at=row.disabled_at,
        created_at=row.created_at,
    )
