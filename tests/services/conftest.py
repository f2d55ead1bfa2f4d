"""Databases whose clock the tests turn: with a school, with an office, and as a process that shows boards uses one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from memberstaff.access import COMMAND_LINE, Caller, Role
from memberstaff.accounts.access_watcher import AccessWatcher
from memberstaff.db.database import Database
from memberstaff.db.tables import account
from memberstaff.live.feed import Feed
from memberstaff.notify.notification import Notification
from memberstaff.staff import commands as staff_commands
from memberstaff.staff.commands import Details
from tests.clock import TurnedClock
from tests.databases import UTC_ZONE
from tests.services.boards import NEVER, Line, line_of, running
from tests.services.doors import AMINA
from tests.services.issuer import Issuer, serving
from tests.services.office import Office, process
from tests.services.school import TODAY, School


@pytest.fixture
async def database(database_url: str, clock: TurnedClock) -> AsyncIterator[Database]:
    """A migrated, empty database whose instants are the test's clock's."""
    opened = Database(database_url, zone=UTC_ZONE, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def school(database_url: str, clock: TurnedClock) -> AsyncIterator[School]:
    """Three people and a front desk."""
    notifications: list[Notification] = []
    database = Database(database_url, zone=UTC_ZONE, clock=clock, after_commit=notifications.append)
    async with database.write() as work:
        work.caller = COMMAND_LINE
        row = await work.row(
            account.insert()
            .values(email="desk@school.example", display_name="Front desk", role=Role.MARKER, created_at=work.now)
            .returning(account.c.id)
        )
        assert row is not None
        school = School(database, notifications, Caller(row.id, "session", "Front desk", Role.MARKER))
        for name in ("Amina", "Björn", "Chloé"):
            details = Details(name=name, starts_on=TODAY - timedelta(days=30))
            school.people[name] = (await staff_commands.create(work, details)).id
    notifications.clear()
    yield school
    await database.close()


@pytest.fixture
async def line(school: School, tmp_path: Path) -> AsyncIterator[Line]:
    """Another process's line to the school's database."""
    async with line_of(school, tmp_path) as opened:
        yield opened


@pytest.fixture
def feed_settings() -> dict[str, Any]:
    """What `feed` keeps and replays, for modules to choose."""
    return {"recent_changes": 100, "max_replay": 100}


@pytest.fixture
async def feed(database: Database, feed_settings: dict[str, Any]) -> AsyncIterator[Feed]:
    """The feed of a process that hears only what its test tells it, and does not poll."""
    feed = Feed(database, poll_seconds=NEVER, **feed_settings)
    async with running(feed.run):
        yield feed


@pytest.fixture
def issuer(clock: TurnedClock) -> Iterator[Issuer]:
    """An outside issuer of tokens, served on a port."""
    opened = Issuer(now=clock)
    with serving(opened):
        yield opened


@pytest.fixture
def office_settings() -> dict[str, Any]:
    """The settings of `office`, for modules to choose; the defaults."""
    return {}


@pytest.fixture
async def office(database: Database, clock: TurnedClock, office_settings: dict[str, Any]) -> AsyncIterator[Office]:
    """One process of an installation in which nobody is employed yet."""
    async with process(database, clock, **office_settings) as opened:
        yield opened


@pytest.fixture
async def watcher(office: Office) -> AccessWatcher:
    """One that does nothing of its own accord, in an office with somebody."""
    await office.employ(AMINA)
    return AccessWatcher(office.database, poll_seconds=NEVER, full_check_seconds=NEVER)
