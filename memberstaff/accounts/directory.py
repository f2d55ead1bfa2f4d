"""Account management for administrators and the command line: audited, and effective at once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Row, or_, select, update

from memberstaff.access import Right, Role, role_of
from memberstaff.accounts import emails, sessions
from memberstaff.accounts.passwords import PasswordHash
from memberstaff.db.arrays import any_of
from memberstaff.db.installation import raise_roster_version
from memberstaff.db.tables import account
from memberstaff.db.upsert import insert
from memberstaff.db.work import CONVERTED_AT_ONCE, Reading, Work
from memberstaff.errors import ErrorCode, Refusal
from memberstaff.inputs import LONGEST_NAME, fold, line


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in. An identity provider's users have an `issuer`, and no `email`."""

    id: int
    email: str | None
    display_name: str
    role: Role | None
    """None: a role of a later release."""
    issuer: str | None
    disabled_at: datetime | None
    created_at: datetime

    @property
    def sort_key(self) -> str:
        """The folded name, by which lists are ordered."""
        return fold(self.display_name)


async def everyone(reading: Reading) -> list[Account]:
    """All accounts, in order of creation."""
    reading.require(Right.MANAGE_ACCOUNTS)
    return await reading.objects(select(account).order_by(account.c.id), _account)


@dataclass(frozen=True, slots=True)
class AccountPosition:
    """The end of a page of accounts, which are ordered by folded name, then by id."""

    sort_key: str
    id: int


async def page(
    reading: Reading, *, search: str | None, first: int, after: AccountPosition | None
) -> tuple[list[Account], int]:
    """A page of the accounts whose name or email contains every word of `search`, by name, and their total number."""
    # Filtered here, since the databases fold differently; reading all is cheap, as an installation has hundreds.
    words = fold(search or "").split()
    begin = (after.sort_key, after.id) if after is not None else None
    accounts, total = await everyone(reading), 0
    nearest: list[tuple[tuple[str, int], Account]] = []
    for start in range(0, len(accounts), CONVERTED_AT_ONCE):
        some = accounts[start : start + CONVERTED_AT_ONCE]
        found = [each for each in some if all(word in _search_text(each) for word in words)]
        total += len(found)
        placed = [((each.sort_key, each.id), each) for each in found]
        beyond = [one for one in placed if begin is None or one[0] > begin]
        nearest = sorted(nearest + beyond, key=itemgetter(0))[:first]
        await asyncio.sleep(0)  # so that other tasks run
    return [each for _, each in nearest], total


async def by_id(reading: Reading, account_id: int) -> Account | None:
    """The account with this id, or None."""
    reading.require(Right.MANAGE_ACCOUNTS)
    row = await reading.row(select(account).where(account.c.id == account_id))
    return _account(row) if row is not None else None


async def by_ids(reading: Reading, account_ids: Collection[int]) -> list[Account]:
    """The accounts with these ids, in one statement; unknown ids are left out."""
    reading.require(Right.MANAGE_ACCOUNTS)
    return [_account(row) for row in await reading.rows(select(account).where(any_of(account.c.id, account_ids)))]


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
    """Create an account. Hash its password with `Passwords.hash` before opening the unit of work.

    Without a display name, one is made from the address. Raises Refusal (INVALID, DUPLICATE).
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
        raise Refusal(ErrorCode.DUPLICATE, "An account with this email address already exists.", "email")
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
    """Change what is given, and nothing else. Raises Refusal; then the caller must roll back."""
    # All locks at once: taking more of them later could deadlock with another administrator.
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
    """Replace the caller's password and end all of their sessions, this one too: somebody else may hold its tokens.

    `verified` is the stored hash that the current password was checked against, before this transaction began.
    Raises Refusal if it has been replaced since.
    """
    own = account.c.id == work.caller.account_id
    row = await work.row(select(account).where(own).with_for_update(key_share=True))
    if row is None or row.password_hash != verified:
        message = "Somebody else has just changed the password. Try again."
        raise Refusal(ErrorCode.BAD_CREDENTIALS, message, "currentPassword")
    await _change(work, row.id, "password_changed", {}, password_hash=password_hash)
    await sessions.end_sessions_of(work, row.id)


async def disable(work: Work, account_id: int) -> Account:
    """Disable logins with this account, and end its sessions. Raises Refusal for the last administrator."""
    row = await _lock(work, account_id, leaving=True)
    if row.disabled_at is not None:
        return _account(row)
    changed = await _change(work, account_id, "disabled", {}, disabled_at=work.now)
    await sessions.end_sessions_of(work, account_id)
    return changed


async def enable(work: Work, account_id: int) -> Account:
    """Allow logins with this account again; earlier sessions stay ended."""
    row = await _lock(work, account_id)
    if row.disabled_at is None:
        return _account(row)
    return await _change(work, account_id, "enabled", {}, disabled_at=None)


async def set_role(work: Work, account_id: int, role: Role) -> Account:
    """Change the account's role, at once and in open sockets too. Raises Refusal."""
    row = await _lock(work, account_id, leaving=role is not Role.ADMIN)
    if row.role == role:
        return _account(row)
    refuse_external(row, "role")
    changed = await _change(work, account_id, "role_set", {"role": role}, role=role)
    work.announce_access(accounts=[account_id])
    return changed


async def set_password(work: Work, account_id: int, password_hash: PasswordHash) -> Account:
    """Replace the password and end all sessions; hash it before opening the unit of work. Raises Refusal."""
    refuse_external(await _lock(work, account_id), "password")
    changed = await _change(work, account_id, "password_set", {}, password_hash=password_hash)
    await sessions.end_sessions_of(work, account_id)
    return changed


async def rename(work: Work, account_id: int, display_name: str) -> Account:
    """Change the name shown beside the account's marks. Raises Refusal."""
    name = _name(display_name)
    row = await _lock(work, account_id)
    if row.display_name == name:
        return _account(row)
    changed = await _change(work, account_id, "renamed", {"display_name": name}, display_name=name)
    await raise_roster_version(work)
    return changed


async def _lock(work: Work, account_id: int, *, leaving: bool = False) -> Row[Any]:
    """Lock and read the account. `leaving`: it is about to stop being an enabled administrator.

    The last one may not, so all administrators are locked as well, in order: otherwise two of them could remove
    each other at the same time. The lock does not block foreign keys to the row.
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
        message = "This is the last active administrator. Make somebody else an administrator first."
        raise Refusal(ErrorCode.INVALID, message, "id")
    return row


def _administrators(rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    return [row for row in rows if row.role == Role.ADMIN and row.disabled_at is None]


async def _change(work: Work, account_id: int, action: str, details: dict[str, Any], **values: Any) -> Account:
    row = await work.row(update(account).where(account.c.id == account_id).values(**values).returning(*account.c))
    assert row is not None
    await work.audit("account", account_id, action, details)
    return _account(row)


def refuse_external(row: Row[Any], what: str, *, path: str = "id") -> None:
    """Raise Refusal for an identity provider's account, whose `what` is not ours to change."""
    if row.issuer is not None:
        message = f"This account's {what} is managed by its identity provider. Change it there."
        raise Refusal(ErrorCode.INVALID, message, path)


def _search_text(of: Account) -> str:
    return fold(f"{of.display_name} {of.email or ''}")


def _name(display_name: str) -> str:
    return line(display_name, longest=LONGEST_NAME, what="The name", path="displayName")


def _account(row: Row[Any]) -> Account:
    return Account(
        id=row.id,
        email=row.email,
        display_name=row.display_name,
        role=role_of(row.role),
        issuer=row.issuer,
        disabled_at=row.disabled_at,
        created_at=row.created_at,
    )
