"""What somebody has open, such as a socket, and the logins that it was opened with."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import update

from memberstaff.accounts.access_watcher import AccessWatcher
from memberstaff.accounts.sessions import Lifetime, end_session, open_session
from memberstaff.accounts.tokens import Claims
from memberstaff.db.tables import account, session
from tests.services.office import Office

AMINA = "amina@example.org"
ENDED = (4401, "The session has been ended. Log in again.")


class Door:
    """Something open."""

    ended: tuple[int, str] | None = None

    def end(self, code: int, reason: str) -> None:
        """Remember how."""
        self.ended = code, reason


async def opened(
    office: Office, count: int, *, session_seconds: float = 86_400, token_seconds: float = 3_600
) -> list[Claims]:
    """So many sessions of Amina's, without a login."""
    async with office.database.write() as work:
        row = await work.row(account.select().where(account.c.email == AMINA))
        assert row is not None
        lasting = timedelta(seconds=session_seconds)
        lifetime = Lifetime(idle=lasting, absolute=lasting)
        found = [
            await open_session(work, row.id, verified=row.password_hash, lifetime=lambda _: lifetime)
            for _ in range(count)
        ]
    expires_at = office.clock.instant + timedelta(seconds=token_seconds)
    return [Claims(each.caller.session_id, row.id, expires_at) for each in found if each is not None]


async def admitted(watcher: AccessWatcher, claims: list[Claims]) -> list[Door]:
    """A door for each, looked after from now on."""
    doors = [Door() for _ in claims]
    await asyncio.gather(*(watcher.admit(door, each) for door, each in zip(doors, claims, strict=True)))
    await watcher.check()
    return doors


async def log_out(office: Office, claims: Claims) -> None:
    """On another server."""
    async with office.database.write() as work:
        await end_session(work, claims.session_id)


async def end_by_hand(office: Office, claims: Claims) -> None:
    """With a shell on the database, past the log."""
    async with office.database.write() as work:
        await work.write(update(session).where(session.c.id == claims.session_id).values(ended_at=work.now))
