"""What browsers and screens on walls need of sessions: a life by role, a logout without an access token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from memberstaff.access import Role
from memberstaff.accounts import directory
from memberstaff.accounts.service import IssuedSession
from memberstaff.accounts.tokens import NoAccessReason
from memberstaff.db.database import Database
from memberstaff.errors import ErrorCode, Refusal, Unauthenticated
from tests.clock import TurnedClock
from tests.databases import Engine
from tests.services.office import GENEROUS, Office, process, said

AMINA = "amina@example.org"
HOME = "192.0.2.1"
DAY = 86_400


@pytest.fixture
def engine() -> Engine:
    """Lifetimes are computed here; how they are stored is for test_refresh.py to show on both."""
    return "sqlite"


@pytest.fixture
def office_settings() -> dict[str, Any]:
    return GENEROUS


async def refresh(office: Office, opened: IssuedSession) -> IssuedSession:
    return await office.accounts.refresh(opened.refresh_token)


async def test_a_screen_on_the_wall_stays_logged_in_for_ninety_days_after_each_refresh(office: Office) -> None:
    await office.employ(AMINA, Role.VIEWER)
    screen = await office.login(AMINA)
    assert screen.refresh_seconds == 90 * DAY
    for _ in range(3):
        office.clock.turn(days=89)
        screen = await refresh(office, screen)
    office.clock.turn(days=90)
    with pytest.raises(Refusal):
        await refresh(office, screen)


@pytest.mark.parametrize("role", [Role.MARKER, Role.ADMIN])
async def test_everybody_else_stays_logged_in_for_thirty_days(office: Office, role: Role) -> None:
    await office.employ(AMINA, role)
    opened = await office.login(AMINA)
    assert opened.refresh_seconds == 30 * DAY
    office.clock.turn(days=29)
    opened = await refresh(office, opened)
    office.clock.turn(days=30)
    with pytest.raises(Refusal):
        await refresh(office, opened)


async def test_a_viewer_who_became_an_administrator_has_thirty_days_from_the_next_refresh(office: Office) -> None:
    amina = await office.employ(AMINA, Role.VIEWER)
    screen = await office.login(AMINA)
    async with office.as_administrator() as work:
        await directory.set_role(work, amina.id, Role.ADMIN)
    desk = await refresh(office, screen)
    assert (desk.caller.role, desk.refresh_seconds) == (Role.ADMIN, 30 * DAY)
    office.clock.turn(days=30)
    with pytest.raises(Refusal):
        await refresh(office, desk)


async def test_the_life_of_a_screens_session_is_a_setting(database: Database, clock: TurnedClock) -> None:
    async with process(database, clock, display_token_seconds=60) as office:
        await office.employ(AMINA, Role.VIEWER)
        screen = await office.login(AMINA)
        assert screen.refresh_seconds == 60
        assert screen.expires_at == clock.instant + timedelta(seconds=60)


async def test_a_session_ends_ninety_days_after_its_login_however_often_it_is_refreshed(office: Office) -> None:
    await office.employ(AMINA)
    desk = await office.login(AMINA)
    for _ in range(4):
        office.clock.turn(days=22)
        desk = await refresh(office, desk)
    assert desk.refresh_seconds == 2 * DAY
    office.clock.turn(days=2)
    assert said(await cannot(office, desk))[0] is ErrorCode.BAD_CREDENTIALS
    assert await office.why_not(desk.access_token) is NoAccessReason.TOKEN_EXPIRED


async def test_a_screen_is_logged_in_for_a_year(office: Office) -> None:
    await office.employ(AMINA, Role.VIEWER)
    screen = await office.login(AMINA)
    for _ in range(5):
        office.clock.turn(days=73)
        screen = await refresh(office, screen)
    assert screen.refresh_seconds == DAY
    office.clock.turn(days=1)
    await cannot(office, screen)


async def test_an_access_token_does_not_outlive_the_end_of_its_session(office: Office) -> None:
    await office.employ(AMINA)
    desk = await office.login(AMINA)
    for _ in range(3):
        office.clock.turn(days=29)
        desk = await refresh(office, desk)
    office.clock.turn(days=2, hours=23, minutes=55)
    desk = await refresh(office, desk)
    assert desk.expires_at == office.clock.instant + timedelta(minutes=5)


async def test_a_screen_that_becomes_a_desk_after_a_desks_time_logs_in_again(office: Office) -> None:
    amina = await office.employ(AMINA, Role.VIEWER)
    screen = await office.login(AMINA)
    office.clock.turn(days=89)
    screen = await refresh(office, screen)
    office.clock.turn(days=1)
    async with office.as_administrator() as work:
        await directory.set_role(work, amina.id, Role.ADMIN)
    before = await office.audited()
    await cannot(office, screen)
    assert await office.why_not(screen.access_token) is NoAccessReason.TOKEN_EXPIRED
    assert await office.audited() == before  # nobody has stolen anything
    with pytest.raises(Refusal):
        await refresh(office, screen)


async def test_a_refresh_token_alone_logs_out_when_the_access_token_has_expired(office: Office) -> None:
    await office.employ(AMINA)
    opened = await office.login(AMINA)
    office.clock.turn(hours=1)
    await office.accounts.logout(opened.access_token, opened.refresh_token)
    assert await office.access_changes() == [opened.caller.session_id]
    with pytest.raises(Refusal):
        await refresh(office, opened)


async def test_a_refresh_token_that_was_used_up_logs_its_session_out_all_the_same(office: Office) -> None:
    await office.employ(AMINA)
    first = await office.login(AMINA)
    second = await refresh(office, first)
    await office.accounts.logout(None, first.refresh_token)
    assert await office.why_not(second.access_token) is NoAccessReason.SESSION_ENDED


async def test_an_access_token_and_a_refresh_token_of_two_sessions_end_both(office: Office) -> None:
    await office.employ(AMINA)
    one, other, third = [await office.login(AMINA) for _ in range(3)]
    await office.accounts.logout(one.access_token, other.refresh_token)
    assert await office.why_not(one.access_token) is NoAccessReason.SESSION_ENDED
    assert await office.why_not(other.access_token) is NoAccessReason.SESSION_ENDED
    assert await office.whoami(third.access_token) == third.caller


async def test_a_made_up_refresh_token_logs_nobody_out(office: Office) -> None:
    await office.employ(AMINA)
    opened = await office.login(AMINA)
    for made_up in (opened.caller.session_id, f"{opened.caller.session_id}.x.y", ""):
        with pytest.raises(Unauthenticated):
            await office.accounts.logout(None, made_up)
    assert await office.whoami(opened.access_token) == opened.caller
    assert office.notifications == []


async def test_logging_out_a_session_that_is_over_is_no_error(office: Office) -> None:
    await office.employ(AMINA)
    opened = await office.login(AMINA)
    for _ in range(2):
        await office.accounts.logout(None, opened.refresh_token)
    assert said(await cannot(office, opened))[0] is ErrorCode.BAD_CREDENTIALS


async def cannot(office: Office, opened: IssuedSession) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        await refresh(office, opened)
    return refusal.value
