"""Who may stay in what is open, when several things happen to it at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from memberstaff.access import Role
from memberstaff.accounts.access_watcher import AccessWatcher
from memberstaff.db.work import Database, Reading
from tests.clock import TurnedClock
from tests.databases import UTC_ZONE
from tests.services.office import process


class HeldDatabase(Database):
    """A database whose next reading begins when the test lets it."""

    reached: asyncio.Event | None = None
    released: asyncio.Event

    def hold(self) -> asyncio.Event:
        """Hold the next reading; the event says that it has been asked for."""
        self.reached, self.released = asyncio.Event(), asyncio.Event()
        return self.reached

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reading]:
        """A snapshot."""
        if self.reached is not None:
            reached, self.reached = self.reached, None
            reached.set()
            await self.released.wait()
        async with super().read() as reading:
            yield reading


class Door:
    """Something open."""

    ended: tuple[int, str] | None = None

    def end(self, code: int, reason: str) -> None:
        """Remember how."""
        self.ended = code, reason


@pytest.fixture
async def held(database: Database, clock: TurnedClock) -> AsyncIterator[HeldDatabase]:
    """The access_watcher's own way into the database."""
    opened = HeldDatabase(database.engine.url.render_as_string(hide_password=False), zone=UTC_ZONE, clock=clock)
    yield opened
    await opened.close()


async def test_a_token_that_is_renewed_while_its_predecessor_is_looked_at_counts(
    database: Database, held: HeldDatabase, clock: TurnedClock
) -> None:
    access_watcher, door = AccessWatcher(held, poll_seconds=60), Door()
    async with process(database, clock) as office:
        await office.employ("amina@example.org", Role.MARKER)
        opened = await office.login("amina@example.org")
        await access_watcher.admit(door, await office.accounts.claims(opened.access_token))
        clock.turn(minutes=14)
        renewed = await office.accounts.refresh(opened.refresh_token)
        reached = held.hold()
        check = asyncio.create_task(access_watcher.check())
        await reached.wait()
        await access_watcher.admit(door, await office.accounts.claims(renewed.access_token))
        clock.instant = opened.expires_at + timedelta(seconds=1)
        held.released.set()
        await check
        assert door.ended is None
        clock.instant = renewed.expires_at
        await access_watcher.check()
        assert door.ended == (4403, "The access token has expired. Refresh the session, or log in again.")
