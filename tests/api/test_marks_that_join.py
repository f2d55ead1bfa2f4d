"""Marks that come while a transaction waits for their day, which somebody else holds, are committed by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import pytest

from memberstaff.attendance.commands import MarkOutcome
from schema.ids import global_id
from tests.clock import TurnedClock
from tests.front_ends import Client
from tests.installation import Installation
from tests.statements import statements
from tests.waiting import until

SUNDAY, MONDAY = "2026-01-11", "2026-01-12"

pytestmark = pytest.mark.parametrize(
    "engine", ["postgresql"]
)  # on SQLite nobody locks a day, but takes the turn to write


@pytest.fixture
def installation_settings() -> dict[str, Any]:
    """It is eleven at night, on Sunday; requests of a trusted proxy begin together."""
    return {"time_zone": "America/Anchorage", "access_token_seconds": 7200, "trusted_proxies": ("127.0.0.0/8",)}


class Desk:
    """Marks that do not wait for each other."""

    def __init__(self, installation: Installation, sent: list[str], patched: pytest.MonkeyPatch) -> None:
        self.installation = installation
        self.asked = 0
        self._sent = sent
        mark = installation.application.group_commit.mark

        def counted(*arguments: Any) -> Awaitable[MarkOutcome]:
            self.asked += 1
            return mark(*arguments)

        patched.setattr(installation.application.group_commit, "mark", counted)

    @asynccontextmanager
    async def held(self, on: str) -> AsyncIterator[None]:
        """The day, by somebody else."""
        application = self.installation.application
        async with application.database.write() as work:
            await application.calendar.lock_row(work, date.fromisoformat(on))
            self._sent.clear()
            yield

    async def waits(self, client: Client, name: str, on: str, **values: Any) -> asyncio.Task[dict[str, Any]]:
        """A mark whose transaction waits for the day."""
        task = asyncio.create_task(client.mark(self.installation.staff[name], on, **values))
        await until(lambda: any("FOR UPDATE" in statement for statement in self._sent))
        return task

    async def comes(self, client: Client, name: str, on: str, **values: Any) -> asyncio.Task[dict[str, Any]]:
        """A mark that has been asked for."""
        asked = self.asked
        staff_id = self.installation.staff.get(name, global_id("Staff", 999))
        task = asyncio.create_task(client.mark(staff_id, on, **values))
        await until(lambda: self.asked > asked or task.done())
        return task

    @property
    def transactions(self) -> int:
        """That have stored marks since the day was held."""
        return sum("INSERT INTO attendance_revision" in statement for statement in self._sent)


@pytest.fixture
async def desk(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    with statements(installation.application.database) as sent:
        yield Desk(installation, sent, monkeypatch)


async def test_they_are_one_transaction_and_each_is_judged_by_itself(installation: Installation, desk: Desk) -> None:
    async with desk.held(SUNDAY):
        first = await desk.waits(installation.marker, "Amina", SUNDAY, status="LATE")
        others = [
            await desk.comes(installation.admin, "Björn", SUNDAY, status="ABSENT"),
            await desk.comes(installation.marker, "nobody", SUNDAY, status="ABSENT"),
            await desk.comes(installation.admin, "Amina", SUNDAY, status="PRESENT", expectedVersion=1),
        ]
    payloads = await asyncio.gather(first, *others)
    assert desk.transactions == 1
    assert [payload["attendance"] and payload["attendance"]["updatedBy"] for payload in payloads] == [
        "Marker",
        "Admin",
        None,
        "Admin",
    ]
    assert [error["code"] for error in payloads[2]["errors"]] == ["NOT_FOUND"]
    assert payloads[3]["attendance"]["version"] == 2


async def test_who_has_been_logged_out_meanwhile_does_not_join(installation: Installation, desk: Desk) -> None:
    async with desk.held(SUNDAY):
        first = await desk.waits(installation.marker, "Amina", SUNDAY, status="LATE")
        await installation.marker.ask("mutation { logout { errors { message } } }")
        late = await desk.comes(installation.marker, "Björn", SUNDAY, status="LATE")
        other = await desk.comes(installation.admin, "Chloé", SUNDAY, status="LATE")
    assert (await first)["attendance"]["version"] == 1
    with pytest.raises(Exception, match="session"):
        await late
    assert (await other)["attendance"]["version"] == 1
    assert desk.transactions == 1


async def test_who_comes_after_midnight_is_judged_by_the_new_day(
    installation: Installation, desk: Desk, clock: TurnedClock
) -> None:
    async with desk.held(MONDAY):
        first = await desk.waits(installation.admin, "Amina", MONDAY, status="ON_LEAVE")
        clock.turn(hours=1)
        late = await desk.comes(installation.marker, "Björn", MONDAY, status="LATE")
    assert (await first)["attendance"]["status"] == "ON_LEAVE"
    assert (await late)["attendance"]["status"] == "LATE"
    assert desk.transactions == 2
