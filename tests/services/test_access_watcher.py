"""Who may stay in what is open: what is asked, and what happens when several things happen at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, update

from memberstaff.access import Role
from memberstaff.accounts import access_log, access_watcher, directory, sessions
from memberstaff.accounts.access_watcher import ROLE_CHANGED, AccessWatcher
from memberstaff.accounts.sessions import end_session
from memberstaff.accounts.tokens import Claims, NoAccess, NoAccessReason
from memberstaff.db.installation import new_epoch
from memberstaff.db.tables import access_change, access_head, account, session
from memberstaff.db.work import Reading, Work
from memberstaff.errors import Unavailable
from tests.calls import at_most
from tests.services.boards import NEVER, OFTEN, held, running
from tests.services.doors import AMINA, ENDED, Door, admitted, end_by_hand, log_out, opened
from tests.services.office import Office
from tests.statements import statements
from tests.waiting import until

STATES = "FROM session JOIN account"
"""Occurs only in the statement that reads sessions one by one."""
EXPIRED = (4403, "The access token has expired. Refresh the session, or log in again.")
SESSION_EXPIRED = (4401, "The session has expired. Log in again.")
DISABLED = (4401, "The account has been disabled. Ask an administrator.")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each statement is about that reads sessions one by one."""
    asked: list[int] = []
    sessions_of = sessions.sessions_of

    async def noting(reading: Reading, claims: Collection[Claims]) -> Any:
        asked.append(len(claims))
        return await sessions_of(reading, claims)

    monkeypatch.setattr(sessions, "sessions_of", noting)
    return asked


async def test_a_token_that_is_renewed_while_its_predecessor_is_looked_at_counts(
    office: Office, watcher: AccessWatcher
) -> None:
    door = Door()
    first = await office.login(AMINA)
    await watcher.admit(door, await office.accounts.claims(first.access_token))
    office.clock.turn(minutes=14)
    renewed = await office.accounts.refresh(first.refresh_token)
    with held(office.database, "access_head") as reading:
        check = asyncio.create_task(watcher.check())
        await reading.read.wait()
        await watcher.admit(door, await office.accounts.claims(renewed.access_token))
        office.clock.instant = first.expires_at + timedelta(seconds=1)
    await check
    await watcher.check()
    assert door.ended is None
    office.clock.instant = renewed.expires_at
    await watcher.check()
    assert door.ended == EXPIRED


@pytest.mark.parametrize("began", [True, False], ids=["while it follows the log", "before its first check"])
async def test_who_is_logged_out_while_being_let_in_is_not_let_in(
    office: Office, watcher: AccessWatcher, began: bool
) -> None:
    claims, other = await opened(office, 2)
    doors = await admitted(watcher, [other]) if began else []
    with held(office.database, STATES) as answer:
        entering = asyncio.create_task(watcher.admit(Door(), claims))
        await answer.read.wait()
        await log_out(office, claims)
        await watcher.check()
    with pytest.raises(NoAccess) as refusal:
        await entering
    assert refusal.value.reason is NoAccessReason.SESSION_ENDED
    assert len(watcher) == len(doors)


async def test_a_quiet_check_costs_the_same_whatever_is_open(office: Office, watcher: AccessWatcher) -> None:
    doors = await admitted(watcher, await opened(office, 300))
    with statements(office.database) as sent, at_most(calls=3_000):
        await watcher.check()
    assert len([each for each in sent if each.startswith("SELECT")]) == 1
    assert [door.ended for door in doors] == [None] * 300


async def test_a_check_asks_about_those_alone_whose_access_has_changed(
    office: Office, watcher: AccessWatcher, asked: list[int]
) -> None:
    claims = await opened(office, 300)
    doors = await admitted(watcher, claims)
    await log_out(office, claims[7])
    asked.clear()
    with statements(office.database) as sent:
        await watcher.check()
        await watcher.check()
    assert len([each for each in sent if each.startswith("SELECT")]) == 4  # the log, its changes, the session; the log
    assert asked == [1]
    assert [index for index, door in enumerate(doors) if door.ended is not None] == [7]
    assert doors[7].ended == ENDED


async def test_a_changed_role_and_a_disabled_account_reach_all_of_the_account(
    office: Office, watcher: AccessWatcher
) -> None:
    ben = await office.employ("ben@example.org")
    other = Door()
    await watcher.admit(other, await office.accounts.claims((await office.login("ben@example.org")).access_token))
    doors = await admitted(watcher, await opened(office, 3))
    async with office.as_administrator() as work:
        amina = await directory.find(work, AMINA)
        await directory.set_role(work, amina.id, Role.VIEWER)
    await watcher.check()
    assert [door.ended for door in doors] == [(4403, ROLE_CHANGED)] * 3
    assert other.ended is None
    async with office.as_administrator() as work:
        await directory.disable(work, ben.id)
    await watcher.check()
    assert other.ended == DISABLED


async def test_a_session_that_was_extended_is_asked_about_when_it_would_have_ended_and_stays(
    office: Office, watcher: AccessWatcher, asked: list[int]
) -> None:
    extended, left, longer = await opened(office, 3, session_seconds=600)
    doors = await admitted(watcher, [extended, left])
    async with office.database.write() as work:
        later = {"expires_at": work.now + timedelta(seconds=900)}
        await work.write(update(session).where(session.c.id != left.session_id).values(later))
    doors += await admitted(watcher, [longer])
    asked.clear()
    office.clock.turn(seconds=600)
    await watcher.check()
    assert [door.ended for door in doors] == [None, SESSION_EXPIRED, None]
    office.clock.turn(seconds=299)
    await watcher.check()
    assert asked == [2]
    office.clock.turn(seconds=1)
    await watcher.check()
    assert [door.ended for door in doors] == [SESSION_EXPIRED] * 3


async def test_an_expired_token_needs_no_database_and_an_expired_session_waits_for_it(
    office: Office, watcher: AccessWatcher
) -> None:
    (expiring,) = await admitted(watcher, await opened(office, 1, token_seconds=60))
    (ending,) = await admitted(watcher, await opened(office, 1, session_seconds=60))
    (leaving,) = await admitted(watcher, left := await opened(office, 1))
    await log_out(office, left[0])
    office.clock.turn(seconds=60)
    with away(office), pytest.raises(Unavailable):
        await watcher.check()
    assert (expiring.ended, ending.ended, leaving.ended) == (EXPIRED, None, None)
    with away(office), pytest.raises(Unavailable):
        await watcher.admit(Door(), left[0])
    office.clock.turn(seconds=1)
    await watcher.check()
    assert (ending.ended, leaving.ended) == (SESSION_EXPIRED, ENDED)


@contextmanager
def away(office: Office) -> Iterator[None]:
    """The database answers nothing."""

    def fail(*_: object) -> None:
        raise ConnectionRefusedError

    engine = office.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", fail)


async def restore(work: Work) -> None:
    """A backup from before some changes, without `memberstaff new-epoch`."""
    await work.write(update(access_head).values(number=access_head.c.number - 1))
    await work.write(delete(access_change))


async def prune_too_much(work: Work) -> None:
    """A day has passed for the log, and not for this process."""
    await work.write(update(access_head).values(number=access_head.c.number + 2))


@pytest.mark.parametrize("happen", [new_epoch, restore, prune_too_much])
async def test_when_the_log_cannot_tell_what_has_changed_all_are_checked(
    office: Office, watcher: AccessWatcher, happen: Callable[[Work], Awaitable[object]]
) -> None:
    claims = await opened(office, 3)
    await log_out(office, claims[2])
    doors = await admitted(watcher, claims[:2])
    await end_by_hand(office, claims[0])
    await watcher.check()
    assert [door.ended for door in doors] == [None, None]
    async with office.database.write() as work:
        await happen(work)
    await watcher.check()
    assert [door.ended for door in doors] == [ENDED, None]
    await log_out(office, claims[1])
    await watcher.check()
    assert [door.ended for door in doors] == [ENDED, ENDED]


async def test_all_are_checked_again_and_again_a_page_at_a_time(
    office: Office, watcher: AccessWatcher, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_watcher, "PAGE", 10)
    watcher = AccessWatcher(office.database, poll_seconds=NEVER, full_check_seconds=OFTEN)
    claims = await opened(office, 23)
    for email in ("ben@example.org", "chloe@example.org"):
        await office.employ(email)
        claims.append(await office.accounts.claims((await office.login(email)).access_token))
    doors = await admitted(watcher, claims)
    asked.clear()
    async with office.database.write() as work:
        await work.write(delete(session).where(session.c.id == claims[3].session_id))
        await work.write(update(session).where(session.c.id == claims[14].session_id).values(expires_at=work.now))
        await work.write(update(account).where(account.c.id == claims[23].account_id).values(role=Role.ADMIN))
        await work.write(update(account).where(account.c.id == claims[24].account_id).values(disabled_at=work.now))
    async with running(watcher.run):
        await until(lambda: len(watcher) == 21)
    ended = {index: door.ended for index, door in enumerate(doors) if door.ended is not None}
    assert ended == {3: ENDED, 14: SESSION_EXPIRED, 23: (4403, ROLE_CHANGED), 24: DISABLED}
    assert asked == [1, 1, 2]


async def test_more_changes_than_a_page_of_the_log_are_all_read(
    office: Office, watcher: AccessWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "PAGE", 10)
    monkeypatch.setattr(access_watcher, "MOST_AT_ONCE", 4)
    claims = await opened(office, 40)
    doors = await admitted(watcher, claims)
    async with office.database.write() as work:
        for each in claims[:35]:
            await end_session(work, each.session_id)
    await watcher.check()
    assert [door.ended for door in doors] == [ENDED] * 35 + [None] * 5
