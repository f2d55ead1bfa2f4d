"""What the tests of accounts start from: a database whose clock they hold, and people who can log in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Row, func, select

from memberstaff.access import COMMAND_LINE, Caller, Role
from memberstaff.accounts import directory, sessions
from memberstaff.accounts.directory import Account
from memberstaff.accounts.passwords import Passwords
from memberstaff.accounts.service import Accounts, IssuedSession
from memberstaff.accounts.tokens import NoAccess, NoAccessReason
from memberstaff.db.database import Database
from memberstaff.db.tables import access_change, audit, session
from memberstaff.db.work import Work
from memberstaff.errors import ErrorCode, Refusal
from memberstaff.notify.notification import Notification
from memberstaff.settings import Settings
from tests.clock import TurnedClock
from tests.installation import chosen_settings

PASSWORD = "correct horse battery"
SECRET = "a secret of the tests, long enough for HS256"
LOGINS = {"login", "logout", "login_failed", "rate_limited", "password_change_failed"}
"""Actions of the audit log that change no account."""
GENEROUS = {"logins_per_minute": 10_000, "logins_per_minute_per_address": 10_000, "refreshes_per_minute": 10_000}
"""For tests that log in more often than people may."""


@dataclass
class Office:
    """One process of an installation, and what it has announced."""

    clock: TurnedClock
    database: Database
    notifications: list[Notification]
    settings: Settings
    accounts: Accounts
    passwords: Passwords = field(repr=False)

    async def employ(self, email: str, role: Role = Role.MARKER, password: str = PASSWORD) -> Account:
        """Somebody who can log in; being employed is not what a test listens for."""
        hashed = await self.passwords.hash(password)
        async with self.as_administrator() as work:
            account = await directory.add(work, email=email, role=role, password_hash=hashed)
        self.notifications.clear()
        return account

    async def login(
        self, email: str, password: str = PASSWORD, address: str = "192.0.2.1", device: str | None = None
    ) -> IssuedSession:
        """A login that is expected to succeed."""
        return await self.accounts.login(email, password, address, device)

    async def whoami(self, access_token: str) -> Caller:
        """What a request with this token starts with."""
        claims = await self.accounts.claims(access_token)
        async with self.database.read() as reading:
            return await sessions.identify(reading, claims)

    @asynccontextmanager
    async def as_administrator(self, caller: Caller = COMMAND_LINE) -> AsyncIterator[Work]:
        """Work that somebody with a shell on the server does."""
        async with self.database.write() as work:
            work.caller = caller
            yield work

    async def why_not(self, access_token: str) -> NoAccessReason:
        """Why a token that is expected to give no access gives none."""
        with pytest.raises(NoAccess) as refusal:
            await self.whoami(access_token)
        return refusal.value.reason

    async def cannot_refresh(self, refresh_token: str) -> Refusal:
        """What the holder of a refresh token is told that is expected to be refused."""
        with pytest.raises(Refusal) as refusal:
            await self.accounts.refresh(refresh_token)
        return refusal.value

    async def everybody(self) -> list[Account]:
        """All accounts."""
        async with self.as_administrator() as work:
            return await directory.everyone(work)

    async def audited(self) -> list[tuple[str, str]]:
        """What the audit says was done to accounts: subject and action, oldest first; without logins and logouts."""
        return [(row.subject_id, row.action) for row in await self.entries() if row.action not in LOGINS]

    async def entries(self) -> Sequence[Row[Any]]:
        """The whole audit log, oldest first."""
        async with self.database.read() as reading:
            return await reading.rows(select(audit).order_by(audit.c.id))

    async def access_changes(self) -> list[int | str]:
        """Whose access the log says has changed: accounts and sessions. The last change is announced as well."""
        async with self.database.read() as reading:
            rows = await reading.rows(select(access_change).order_by(access_change.c.number))
        announced = [each.access_number for each in self.notifications if each.access_number is not None]
        assert announced[-1:] == [row.number for row in rows[-1:]]
        return [row.session_id if row.account_id is None else row.account_id for row in rows]

    async def count(self, table: Any = session) -> int:
        """The rows of a table."""
        async with self.database.read() as reading:
            return int(await reading.scalar(select(func.count()).select_from(table)))


@asynccontextmanager
async def process(database: Database, clock: TurnedClock, **settings: Any) -> AsyncIterator[Office]:
    """A process on the same database, with these settings."""
    notifications: list[Notification] = []
    chosen = chosen_settings(**{"secret_key": SecretStr(SECRET), **settings})
    own = Database(
        database.engine.url.render_as_string(hide_password=False),
        zone=chosen.zone,
        after_commit=notifications.append,
        clock=clock,
    )
    passwords = Passwords(time_cost=1, memory_kib=8)  # as weak as Argon2 goes: tests check hundreds
    try:
        yield Office(clock, own, notifications, chosen, Accounts(chosen, own, passwords=passwords), passwords)
    finally:
        await own.close()


def said(refusal: Refusal) -> tuple[ErrorCode, str, tuple[str, ...]]:
    """All that a client is told."""
    return refusal.code, refusal.message, refusal.path
