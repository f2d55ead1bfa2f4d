"""The changes of all days as one stream: nothing is missed, and whoever cannot have all is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from memberstaff.access import COMMAND_LINE
from memberstaff.db.installation import new_epoch
from memberstaff.errors import RestartRequired
from memberstaff.live import all_days
from memberstaff.notify.notification import Notification
from tests.installation import Installation, install

NOW = datetime.now(UTC)
TODAY = NOW.date().isoformat()
YESTERDAY = (NOW - timedelta(days=1)).date().isoformat()


@pytest.fixture
async def installation(database_url: str) -> AsyncIterator[Installation]:
    async with install(database_url, poll_seconds=0.05) as installed:
        yield installed


def deafen(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_notification(notification: Notification) -> None:
        """Nothing is heard."""

    monkeypatch.setattr(installation.application.all_days, "on_notification", on_notification)


async def mark(installation: Installation, name: str, status: str, day: str = TODAY) -> None:
    assert (await installation.admin.mark(installation.staff[name], day, status=status))["errors"] == []


async def test_what_no_ring_has_announced_is_read_from_the_log(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = installation.application.all_days
    await mark(installation, "Amina", "LATE")
    deafen(installation, monkeypatch)
    async with stream.watch() as position:
        await mark(installation, "Björn", "LATE")
        await mark(installation, "Amina", "PRESENT", YESTERDAY)
        heard: list[tuple[str | None, str, int]] = []
        while len(heard) < 2:
            changes = await stream.after(position)
            position += len(changes)
            heard += [(change.staff_name, change.date.isoformat(), change.position) for change in changes]
    assert sorted(heard, key=lambda each: each[0] or "") == [("Amina", YESTERDAY, 1), ("Björn", TODAY, 2)]


async def test_a_ring_that_brings_no_changes_has_them_read(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_days, "PAGE", 3)
    stream = installation.application.all_days
    async with stream.watch() as position:
        rest = (
            "mutation Rest($day: Date!) { bulkUpdateAttendance(input: {date: $day, change: {fill: {status: PRESENT}}})"
        )
        await installation.admin.ask(rest + " { errors { code } } }", day=TODAY)
        heard: list[int] = []
        while len(heard) < 4:
            changes = await stream.after(position)
            position += len(changes)
            heard += [change.position for change in changes]
    assert heard == [1, 2, 3, 4]


async def test_a_reader_too_far_behind_begins_anew(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_days, "MOST_IN_MEMORY", 1)
    stream = installation.application.all_days
    async with stream.watch() as position:
        for name in ("Amina", "Björn", "Chloé"):
            await mark(installation, name, "LATE")
            latest = await stream.after(stream.position - 1)
            assert latest[-1].staff_name == name
        with pytest.raises(RestartRequired, match="no longer available"):
            await stream.after(position)


async def test_a_restored_backup_ends_it(installation: Installation) -> None:
    stream = installation.application.all_days
    async with stream.watch() as position:
        async with installation.application.database.write() as work:
            work.caller = COMMAND_LINE
            await new_epoch(work)
        with pytest.raises(RestartRequired):
            await stream.after(position)
        epoch = stream.epoch
    async with stream.watch() as position:
        await mark(installation, "Amina", "LATE")
        assert [change.staff_name for change in await stream.after(position)] == ["Amina"]
        assert stream.epoch == epoch
