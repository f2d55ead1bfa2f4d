"""A notification that somebody's access has changed is followed at once, and cannot be used to cause work."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from memberstaff.accounts.access_watcher import AccessWatcher
from memberstaff.notify import throttle
from memberstaff.notify.notification import Notification
from tests.services.boards import NEVER, running
from tests.services.doors import ENDED, admitted, log_out, opened
from tests.services.office import Office
from tests.statements import statements
from tests.waiting import until


async def test_a_notification_is_followed_at_once_and_a_repeated_one_costs_nothing(
    office: Office, watcher: AccessWatcher
) -> None:
    claims = await opened(office, 2)
    doors = await admitted(watcher, claims)
    async with running(watcher.run):
        await log_out(office, claims[0])
        watcher.on_notification(office.notifications[-1])
        await until(lambda: doors[0].ended == ENDED)
        with statements(office.database) as sent:
            for _ in range(100):
                for notification in office.notifications:
                    watcher.on_notification(notification)
                watcher.on_notification(Notification(epoch=1, access_number=7))
                watcher.on_notification(Notification(epoch=0))
                watcher.on_notification(Notification(epoch=1, roster_version=7))
                await asyncio.sleep(0)
            await log_out(office, claims[1])
            watcher.on_notification(office.notifications[-1])
            await until(lambda: doors[1].ended == ENDED)
    assert len([each for each in sent if each.startswith("SELECT") and "access_head" in each]) <= 3


async def test_numbers_that_the_log_does_not_have_are_believed_once_a_second_until_one_is_true(
    office: Office, watcher: AccessWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as those of messages that were recorded before a backup was restored."""
    monkeypatch.setattr(throttle, "CHECK_SECONDS", NEVER)
    claims = await opened(office, 3)
    doors = await admitted(watcher, claims)
    await log_out(office, claims[0])
    epoch = office.notifications[-1].epoch
    async with running(watcher.run):
        with statements(office.database) as sent:
            for number in range(100, 200):
                watcher.on_notification(Notification(epoch=epoch, access_number=number))
                async with office.database.read() as reading:  # there is time for a check
                    await reading.scalar(select(1))
            await until(lambda: doors[0].ended == ENDED)
        assert len([each for each in sent if each.startswith("SELECT") and "access_head" in each]) <= 3
        await watcher.check()  # the next poll, after which no false one is open
        for index in (1, 2):
            await log_out(office, claims[index])
            watcher.on_notification(office.notifications[-1])
            if index == 1:
                await watcher.check()
            await until(lambda: doors[index].ended == ENDED)  # noqa: B023
