"""The log of access changes: its numbers follow the commits, it holds nobody up, and it does not grow for ever."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from memberstaff.accounts import access_log, directory, sessions
from memberstaff.db.database import Database
from memberstaff.db.retention import Retention
from memberstaff.db.tables import access_change, access_head
from tests.clock import TurnedClock
from tests.services.office import PASSWORD, Office, process

AMINA = "amina@example.org"


async def numbered(office: Office) -> list[tuple[int, int | None, str | None]]:
    """What the log holds, by number."""
    async with office.database.read() as reading:
        rows = await reading.rows(select(access_change).order_by(access_change.c.number))
    return [(row.number, row.account_id, row.session_id) for row in rows]


async def test_a_change_is_numbered_in_its_own_transaction_and_announced_with_its_number(office: Office) -> None:
    async with office.database.write() as work:
        work.announce_access(accounts=[3, 3], sessions=["s"])
        work.announce_access(accounts=[3])
    async with office.database.write() as work:
        work.announce_access(sessions=["t"])
    assert await numbered(office) == [(1, 3, None), (2, None, "s"), (3, None, "t")]
    async with office.database.read() as reading:
        (reached, _) = await access_log.after(reading, None)
    assert reached.number == 3
    assert [(each.epoch, each.access_number) for each in office.notifications] == [
        (reached.epoch, 2),
        (reached.epoch, 3),
    ]


async def test_a_change_that_is_not_committed_is_neither_logged_nor_announced(office: Office) -> None:
    with pytest.raises(KeyError):
        async with office.database.write() as work:
            work.announce_access(accounts=[3])
            raise KeyError
    assert (await numbered(office), office.notifications) == ([], [])


async def test_a_session_that_has_ended_is_not_logged_again(office: Office) -> None:
    await office.employ(AMINA)
    opened = await office.login(AMINA)
    for _ in range(3):
        await office.accounts.logout(None, opened.refresh_token)
    assert await office.access_changes() == [opened.caller.session_id]


@pytest.mark.parametrize("engine", ["postgresql"])  # SQLite has one writer at a time
async def test_who_commits_first_has_the_lower_number(office: Office) -> None:
    async with office.database.write() as slow:
        slow.announce_access(sessions=["asked for first"])
        async with office.database.write() as quick:
            quick.announce_access(sessions=["committed first"])
    assert await numbered(office) == [(1, None, "committed first"), (2, None, "asked for first")]


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_logout_waits_for_no_change_of_the_roster(office: Office) -> None:
    """The roster's lock is taken in the middle of a transaction that may still want the session's: a deadlock."""
    amina = await office.employ(AMINA)
    opened = await office.login(AMINA)
    async with office.as_administrator() as work:
        await directory.rename(work, amina.id, "Amina A.")
        await office.accounts.logout(opened.access_token)
        await sessions.end_sessions_of(work, amina.id)
    assert await numbered(office) == [(1, None, opened.caller.session_id), (2, amina.id, None)]


async def test_changes_of_everything_at_once_neither_deadlock_nor_leave_a_hole(
    database: Database, clock: TurnedClock
) -> None:
    async with process(database, clock, logins_per_minute=1_000, refreshes_per_minute=1_000) as office:
        amina = await office.employ(AMINA)
        opened = [await office.login(AMINA) for _ in range(8)]
        hashed = await office.passwords.hash(PASSWORD)

        async def change(name: str) -> None:
            async with office.as_administrator() as work:
                await directory.change(work, amina.id, display_name=name, password_hash=hashed)

        await asyncio.gather(
            *(office.accounts.logout(None, each.refresh_token) for each in opened),
            *(change(f"Amina {number}") for number in range(8)),
        )
        log = await numbered(office)
        assert [number for number, *_ in log] == list(range(1, len(log) + 1))
        assert [account_id for _, account_id, _ in log].count(amina.id) == 8
        async with office.database.read() as reading:
            assert await reading.scalar(select(access_head.c.number)) == len(log)


async def test_old_changes_are_deleted_and_a_reader_behind_them_is_told(office: Office) -> None:
    await office.employ(AMINA)
    async with office.database.read() as reading:
        start, _ = await access_log.after(reading, None)
    async with office.database.write() as work:
        work.announce_access(sessions=["old", "older"])
    retention = Retention(office.database, audit_days=0)
    office.clock.turn(days=1)
    await retention.prune()
    async with office.database.read() as reading:
        reached, subjects = await access_log.after(reading, start)
    assert (reached.number, subjects) == (start.number + 2, ["old", "older"])
    office.clock.turn(milliseconds=1)
    await retention.prune()
    assert await numbered(office) == []
    async with office.database.read() as reading:
        assert await access_log.after(reading, start) == (reached, None)
        assert await access_log.after(reading, reached) == (reached, ())
