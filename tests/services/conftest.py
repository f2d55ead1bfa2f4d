"""Databases whose clock the tests turn, and a school in one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from memberstaff.access import COMMAND_LINE, Caller, Role
from memberstaff.db.tables import account
from memberstaff.db.work import Database
from memberstaff.notify.notification import Notification
from memberstaff.staff import commands as staff_commands
from memberstaff.staff.commands import Details
from tests.clock import TurnedClock
from tests.databases import UTC_ZONE
from tests.services.boards import Line, line_of
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
