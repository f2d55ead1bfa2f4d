"""Refresh tokens: each is good once, an answer that was lost is given again, and a theft is noticed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from memberstaff.access import Role
from memberstaff.accounts import directory
from memberstaff.accounts.service import IssuedSession
from memberstaff.accounts.tokens import NoAccessReason
from memberstaff.db.database import Database
from memberstaff.db.tables import refresh_token
from memberstaff.errors import ErrorCode
from tests.clock import TurnedClock
from tests.services.office import GENEROUS, Office, process, said

AMINA = "amina@example.org"
HOME = "192.0.2.1"


@pytest.fixture
def office_settings() -> dict[str, Any]:
    return GENEROUS


async def test_a_refresh_prolongs_the_session_and_uses_the_token_up(office: Office) -> None:
    await office.employ(AMINA)
    first = await office.login(AMINA)
    office.clock.turn(days=29)
    second = await office.accounts.refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert second.caller == first.caller
    assert second.expires_at == office.clock.instant + timedelta(minutes=15)
    assert await office.why_not(first.access_token) is NoAccessReason.TOKEN_EXPIRED
    office.clock.turn(days=29)  # 58 days after the login
    third = await office.accounts.refresh(second.refresh_token)
    assert await office.whoami(third.access_token) == first.caller


async def test_a_session_that_nobody_refreshes_for_thirty_days_is_over(office: Office) -> None:
    await office.employ(AMINA)
    opened = await office.login(AMINA)
    office.clock.turn(days=30)
    assert said(await office.cannot_refresh(opened.refresh_token)) == (
        ErrorCode.BAD_CREDENTIALS,
        "The session has ended. Log in again.",
        ("refreshToken",),
    )


async def test_an_access_token_does_not_outlive_its_session(database: Database, clock: TurnedClock) -> None:
    async with process(database, clock, refresh_token_seconds=60) as office:
        await office.employ(AMINA)
        opened = await office.login(AMINA)
        assert opened.expires_at == office.clock.instant + timedelta(seconds=60)


async def refresh(office: Office, *several: IssuedSession) -> list[str]:
    """The successors that these tokens get, one after the other."""
    return [(await office.accounts.refresh(each.refresh_token)).refresh_token for each in several]


async def test_two_tabs_that_wake_up_together_get_the_same_successor_and_both_stay_logged_in(office: Office) -> None:
    await office.employ(AMINA)
    shared = await office.login(AMINA)
    first = await office.accounts.refresh(shared.refresh_token)
    office.clock.turn(seconds=29.999)
    second = await office.accounts.refresh(shared.refresh_token)
    assert second.refresh_token == first.refresh_token != shared.refresh_token
    office.clock.turn(days=1)
    one, other = await refresh(office, first, second)
    assert one == other
    assert office.notifications == []


async def test_refreshes_at_the_same_moment_all_get_the_same_successor(office: Office) -> None:
    await office.employ(AMINA)
    shared = await office.login(AMINA)
    tabs = await asyncio.gather(*(office.accounts.refresh(shared.refresh_token) for _ in range(8)))
    assert len({tab.refresh_token for tab in tabs}) == 1
    assert await office.count(refresh_token) == 2


async def test_a_slow_tab_gets_the_newest_token_although_another_has_gone_on(office: Office) -> None:
    await office.employ(AMINA)
    shared = await office.login(AMINA)
    latest = shared
    for _ in range(3):
        office.clock.turn(seconds=5)
        latest = await office.accounts.refresh(latest.refresh_token)
    assert await refresh(office, shared) == [latest.refresh_token]
    office.clock.turn(hours=1)
    assert (await office.accounts.refresh(latest.refresh_token)).caller == shared.caller


async def test_without_grace_a_token_that_is_used_again_replaces_its_successor(
    database: Database, clock: TurnedClock
) -> None:
    async with process(database, clock, refresh_grace_seconds=0, **GENEROUS) as office:
        await office.employ(AMINA)
        shared = await office.login(AMINA)
        first = await office.accounts.refresh(shared.refresh_token)
        clock.turn(milliseconds=1)
        second = await office.accounts.refresh(shared.refresh_token)
        assert await office.count(refresh_token) == 2
        assert await office.whoami(second.access_token) == shared.caller
        await office.cannot_refresh(first.refresh_token)
        assert await office.why_not(second.access_token) is NoAccessReason.SESSION_ENDED


@pytest.mark.parametrize("away", [timedelta(seconds=30), timedelta(hours=7), timedelta(days=29)])
async def test_a_screen_whose_answer_was_lost_is_still_logged_in_when_it_is_back_on_line(
    office: Office, away: timedelta
) -> None:
    await office.employ(AMINA)
    screen = await office.login(AMINA)
    for _ in range(3):
        office.clock.turn(minutes=14)
        await office.accounts.refresh(screen.refresh_token)  # committed, and never heard of
        office.clock.instant += away
        screen = await office.accounts.refresh(screen.refresh_token)
        assert await office.whoami(screen.access_token) == screen.caller
    assert office.notifications == []


async def test_an_answer_may_be_lost_again_and_again(office: Office) -> None:
    await office.employ(AMINA)
    screen = await office.login(AMINA)
    for _ in range(5):
        await office.accounts.refresh(screen.refresh_token)
        office.clock.turn(hours=1)
        assert await office.count(refresh_token) == 2
    assert await office.accounts.refresh(screen.refresh_token)


async def test_tabs_that_are_back_on_line_together_after_a_lost_answer_all_stay_logged_in(office: Office) -> None:
    await office.employ(AMINA)
    shared = await office.login(AMINA)
    await office.accounts.refresh(shared.refresh_token)
    office.clock.turn(hours=7)
    tabs = await asyncio.gather(*(office.accounts.refresh(shared.refresh_token) for _ in range(8)))
    assert len({tab.refresh_token for tab in tabs}) == 1
    assert await office.count(refresh_token) == 2
    assert len(set(await refresh(office, *tabs))) == 1


async def test_an_answer_that_is_lost_is_given_again_and_so_is_that_of_a_late_retry(office: Office) -> None:
    await office.employ(AMINA)
    screen = await office.login(AMINA)
    given = []
    for _ in range(3):
        given += await refresh(office, screen)
        office.clock.turn(seconds=29)
        given += await refresh(office, screen)
        office.clock.turn(hours=3)
    assert given[::2] == given[1::2]
    assert len(set(given)) == 3
    assert await office.count(refresh_token) == 2
    assert (await office.accounts.refresh(given[-1])).caller == screen.caller


async def test_a_thief_who_uses_an_old_token_late_is_found_when_its_owner_refreshes(office: Office) -> None:
    amina = await office.employ(AMINA)
    stolen = await office.login(AMINA)
    owner = await office.accounts.refresh(stolen.refresh_token)
    office.clock.turn(minutes=10)
    thief = await office.accounts.refresh(stolen.refresh_token)
    office.clock.turn(minutes=4)
    await office.cannot_refresh(owner.refresh_token)
    assert await office.access_changes() == [stolen.caller.session_id]
    assert (await office.audited())[-1] == (str(amina.id), "refresh_reused")
    assert await office.why_not(thief.access_token) is NoAccessReason.SESSION_ENDED
    await office.cannot_refresh(thief.refresh_token)


async def test_a_thief_who_is_quick_has_the_same_token_and_is_found_when_both_have_used_it(office: Office) -> None:
    await office.employ(AMINA)
    stolen = await office.login(AMINA)
    owner = await office.accounts.refresh(stolen.refresh_token)
    office.clock.turn(seconds=10)
    thief = await office.accounts.refresh(stolen.refresh_token)
    assert thief.refresh_token == owner.refresh_token
    office.clock.turn(minutes=7)
    owner = await office.accounts.refresh(owner.refresh_token)
    office.clock.turn(minutes=7)
    thief = await office.accounts.refresh(thief.refresh_token)  # may be a lost answer: it replaces the owner's
    assert await office.whoami(thief.access_token) == stolen.caller
    office.clock.turn(minutes=7)
    await office.cannot_refresh(owner.refresh_token)
    assert await office.why_not(thief.access_token) is NoAccessReason.SESSION_ENDED


@pytest.mark.parametrize("apart", [timedelta(seconds=30), timedelta(minutes=7)])
async def test_an_owner_and_a_thief_who_take_turns_do_not_both_stay(office: Office, apart: timedelta) -> None:
    await office.employ(AMINA)
    owner = thief = await office.login(AMINA)
    owner = await office.accounts.refresh(owner.refresh_token)
    office.clock.instant += apart
    thief = await office.accounts.refresh(thief.refresh_token)
    office.clock.turn(minutes=7)
    await office.cannot_refresh(owner.refresh_token)
    await office.cannot_refresh(thief.refresh_token)
    assert await office.access_changes() == [owner.caller.session_id]


async def test_a_token_that_was_replaced_ends_the_session_within_the_grace_too(office: Office) -> None:
    await office.employ(AMINA)
    stolen = await office.login(AMINA)
    owner = await office.accounts.refresh(stolen.refresh_token)
    office.clock.turn(minutes=10)
    thief = await office.accounts.refresh(stolen.refresh_token)
    await office.cannot_refresh(owner.refresh_token)
    assert await office.why_not(thief.access_token) is NoAccessReason.SESSION_ENDED


async def test_a_token_whose_successor_was_used_ends_the_session_everywhere_and_says_so(office: Office) -> None:
    amina = await office.employ(AMINA)
    stolen = await office.login(AMINA)
    owner = await office.accounts.refresh(stolen.refresh_token)
    office.clock.turn(seconds=1)
    owner = await office.accounts.refresh(owner.refresh_token)
    office.clock.turn(seconds=29)  # 30 after its use: its row is still there
    refusal = await office.cannot_refresh(stolen.refresh_token)
    assert refusal.message == "The session has ended. Log in again."
    assert await office.access_changes() == [stolen.caller.session_id]
    assert (await office.audited())[-1] == (str(amina.id), "refresh_reused")
    assert await office.why_not(owner.access_token) is NoAccessReason.SESSION_ENDED
    await office.cannot_refresh(owner.refresh_token)


async def test_a_token_two_generations_back_ends_the_session_although_the_latest_answer_was_lost(
    office: Office,
) -> None:
    await office.employ(AMINA)
    first = await office.login(AMINA)
    office.clock.turn(minutes=14)
    second = await office.accounts.refresh(first.refresh_token)
    office.clock.turn(minutes=14)
    lost = await office.accounts.refresh(second.refresh_token)
    office.clock.turn(minutes=14)
    await office.cannot_refresh(first.refresh_token)
    assert await office.why_not(lost.access_token) is NoAccessReason.SESSION_ENDED


async def test_one_tab_that_used_its_successor_makes_the_shared_token_bad_for_the_other(office: Office) -> None:
    await office.employ(AMINA)
    shared = await office.login(AMINA)
    one, _ = [await office.accounts.refresh(shared.refresh_token) for _ in range(2)]
    office.clock.turn(minutes=14)
    await office.accounts.refresh(one.refresh_token)
    await office.cannot_refresh(shared.refresh_token)


async def test_a_node_whose_clock_is_behind_keeps_no_token_good_that_was_succeeded(
    database: Database, clock: TurnedClock
) -> None:
    behind = TurnedClock(clock.instant - timedelta(seconds=20))
    async with process(database, clock, **GENEROUS) as office, process(database, behind, **GENEROUS) as other:
        await office.employ(AMINA)
        shared = await office.login(AMINA)
        one, _ = [await office.accounts.refresh(shared.refresh_token) for _ in range(2)]
        for _ in range(3):
            one = await other.accounts.refresh(one.refresh_token)
            behind.turn(seconds=15)
        clock.turn(minutes=1)
        await office.cannot_refresh(shared.refresh_token)


async def test_a_token_used_long_ago_is_known_although_its_row_is_gone(office: Office) -> None:
    await office.employ(AMINA)
    first = await office.login(AMINA)
    latest = first
    for _ in range(5):
        office.clock.turn(minutes=15)
        latest = await office.accounts.refresh(latest.refresh_token)
    assert await office.count(refresh_token) == 2  # the one just used, and its successor
    await office.cannot_refresh(first.refresh_token)
    assert await office.why_not(latest.access_token) is NoAccessReason.SESSION_ENDED


async def test_a_made_up_token_ends_nobodys_session(office: Office) -> None:
    await office.employ(AMINA)
    opened = await office.login(AMINA)
    session_id = opened.caller.session_id
    for made_up in (session_id, f"{session_id}.", f"{session_id}.x.y", opened.refresh_token[:-1], ""):
        await office.cannot_refresh(made_up)
    assert await office.whoami(opened.access_token) == opened.caller
    assert office.notifications == []


async def test_a_refresh_counts_the_role_of_now(office: Office) -> None:
    amina = await office.employ(AMINA, Role.MARKER)
    opened = await office.login(AMINA)
    async with office.as_administrator() as work:
        await directory.set_role(work, amina.id, Role.VIEWER)
    assert (await office.accounts.refresh(opened.refresh_token)).caller.role is Role.VIEWER


async def test_a_session_keeps_the_tokens_that_may_come_again_and_no_others(office: Office) -> None:
    await office.employ(AMINA)
    latest = await office.login(AMINA)
    for _ in range(20):
        office.clock.turn(milliseconds=1)
        latest = await office.accounts.refresh(latest.refresh_token)
    assert await office.count(refresh_token) == 21
    office.clock.turn(seconds=30)
    latest = await office.accounts.refresh(latest.refresh_token)
    assert await office.count(refresh_token) == 2
    assert await office.whoami(latest.access_token) == latest.caller


@pytest.mark.parametrize("ahead", [timedelta(seconds=-20), timedelta(seconds=20)])
async def test_a_retry_on_a_node_whose_clock_differs_gets_the_same_successor(
    database: Database, clock: TurnedClock, ahead: timedelta
) -> None:
    others = TurnedClock(clock.instant + ahead)
    async with process(database, clock, **GENEROUS) as office, process(database, others, **GENEROUS) as other:
        await office.employ(AMINA)
        shared = await office.login(AMINA)
        [first] = await refresh(office, shared)
        others.turn(seconds=5)
        assert await refresh(other, shared) == [first]
        clock.turn(minutes=14)
        others.turn(minutes=14)
        assert (await other.accounts.refresh(first)).caller == shared.caller
