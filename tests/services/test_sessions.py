"""Login, refresh and logout: who gets in, for how long, and what ends it."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from structlog.testing import capture_logs

from memberstaff.access import Role
from memberstaff.accounts import directory, sessions
from memberstaff.accounts.passwords import Passwords
from memberstaff.accounts.service import Accounts
from memberstaff.accounts.tokens import Claims, NoAccess, NoAccessReason
from memberstaff.db.tables import account, session
from memberstaff.errors import ErrorCode, Refusal, Unauthenticated
from memberstaff.settings import InvalidSettings, Settings
from tests.services.office import GENEROUS, PASSWORD, Office, said

AMINA = "amina@example.org"
HOME = "192.0.2.1"
any_text = st.text(st.characters(codec=None))


@pytest.fixture
def office_settings() -> dict[str, Any]:
    return GENEROUS


async def test_a_login_opens_a_session_for_fifteen_minutes(office: Office) -> None:
    amina = await office.employ(AMINA, Role.MARKER)
    opened = await office.login(AMINA)
    caller = await office.whoami(opened.access_token)
    assert (caller.account_id, caller.display_name, caller.role) == (amina.id, "Amina", Role.MARKER)
    assert caller == opened.caller
    assert opened.expires_at == office.clock.instant + timedelta(minutes=15)
    assert office.notifications == []


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_no_token_is_told_apart_from_a_bad_one(office: Office) -> None:
    for nothing in (None, ""):
        with pytest.raises(Unauthenticated) as refusal:
            await office.accounts.claims(nothing)
        assert refusal.value.message == "Log in first: this needs a valid access token."
    assert await office.why_not("nonsense") is NoAccessReason.TOKEN_INVALID


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_the_answer_is_the_same_whatever_was_wrong(office: Office) -> None:
    await office.employ(AMINA)
    ben = await office.employ("ben@example.org")
    async with office.as_administrator() as work:
        await directory.disable(work, ben.id)
    answers = []
    for email, password in (
        (AMINA, "wrong horse battery"),
        (AMINA, ""),
        (AMINA, PASSWORD + "x" * 300),
        ("zoe@example.org", PASSWORD),
        ("ben@example.org", PASSWORD),
        ("nonsense", PASSWORD),
        ("\ud800", "\ud800"),
        ("a\x00@b", "\x00"),
        ("x" * 100_000, "x" * 100_000),
    ):
        with pytest.raises(Refusal) as refusal:
            await office.login(email, password)
        answers.append(said(refusal.value))
    assert set(answers) == {(ErrorCode.BAD_CREDENTIALS, "The email or the password is wrong.", ())}
    assert await office.count(session) == 0


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_login_costs_one_verification_whoever_is_named(office: Office) -> None:
    """The time of an answer would give away which accounts exist."""
    verified: list[str | None] = []

    class Counting(Passwords):
        async def verify(self, stored: str | None, password: str, **options: Any) -> object:  # type: ignore[override]
            verified.append(stored)
            return await super().verify(stored, password, **options)

    accounts = Accounts(office.settings, office.database, passwords=Counting(time_cost=1, memory_kib=8))
    await office.employ(AMINA)
    ben = await office.employ("ben@example.org")
    async with office.as_administrator() as work:
        await directory.disable(work, ben.id)
    for email in (AMINA, "ben@example.org", "zoe@example.org", "nonsense"):
        with pytest.raises(Refusal):
            await accounts.login(email, "wrong horse battery", HOME)
    assert [stored is None for stored in verified] == [False, True, True, True]


async def test_a_weak_hash_is_replaced_at_the_next_login_even_at_two_at_once(office: Office) -> None:
    await office.employ(AMINA)
    stronger = Accounts(office.settings, office.database, passwords=Passwords(time_cost=2, memory_kib=16))
    both = await asyncio.gather(*(stronger.login(AMINA, PASSWORD, HOME) for _ in range(2)))
    assert len({opened.caller.session_id for opened in both}) == 2
    async with office.database.read() as reading:
        assert "m=16,t=2" in await reading.scalar(select(account.c.password_hash))
    assert await stronger.login(AMINA, PASSWORD, HOME)


async def test_a_password_replaced_while_it_was_verified_opens_nothing(office: Office) -> None:
    amina = await office.employ(AMINA)
    hashed = await office.passwords.hash("a new password of hers")

    class Slow(Passwords):
        async def verify(self, stored: str | None, password: str, **options: Any) -> object:  # type: ignore[override]
            verdict = await super().verify(stored, password, **options)
            async with office.as_administrator() as work:
                await directory.set_password(work, amina.id, hashed)
            return verdict

    accounts = Accounts(office.settings, office.database, passwords=Slow(time_cost=1, memory_kib=8))
    with pytest.raises(Refusal) as refusal:
        await accounts.login(AMINA, PASSWORD, HOME)
    assert refusal.value.code is ErrorCode.BAD_CREDENTIALS
    assert await office.count(session) == 0


async def test_a_logout_ends_this_session_and_no_other(office: Office) -> None:
    await office.employ(AMINA)
    phone, laptop = [await office.login(AMINA) for _ in range(2)]
    await office.accounts.logout(phone.access_token)
    assert await office.access_changes() == [phone.caller.session_id]
    assert await office.why_not(phone.access_token) is NoAccessReason.SESSION_ENDED
    await office.cannot_refresh(phone.refresh_token)
    assert await office.whoami(laptop.access_token) == laptop.caller
    with pytest.raises(NoAccess):
        await office.accounts.logout(phone.access_token)
    assert len(office.notifications) == 1


async def test_a_token_without_its_session_or_of_another_account_lets_nobody_in(office: Office) -> None:
    amina = await office.employ(AMINA)
    opened = await office.login(AMINA)
    later = office.clock.instant + timedelta(minutes=5)
    async with office.database.read() as reading:
        for claims in (
            Claims("no such session", amina.id, later),
            Claims(opened.caller.session_id, amina.id + 1, later),
        ):
            with pytest.raises(NoAccess) as refusal:
                await sessions.identify(reading, claims)
            assert refusal.value.reason is NoAccessReason.SESSION_ENDED


async def test_many_sockets_are_checked_in_one_go(office: Office) -> None:
    amina = await office.employ(AMINA)
    open_, ended, idle = [await office.login(AMINA) for _ in range(3)]
    held = [await office.accounts.claims(opened.access_token) for opened in (open_, ended, idle)]
    await office.accounts.logout(ended.access_token)
    async with office.as_administrator() as work:
        await work.write(
            update(session).where(session.c.id == held[2].session_id).values(expires_at=office.clock.instant)
        )
    expired = Claims(held[0].session_id, amina.id, office.clock.instant)
    async with office.database.read() as reading:
        answers = await sessions.identify_all(reading, [*held, expired])
    assert answers[held[0]] == open_.caller
    whys = [answer.reason for answer in answers.values() if isinstance(answer, NoAccess)]
    assert whys == [NoAccessReason.SESSION_ENDED, NoAccessReason.SESSION_EXPIRED, NoAccessReason.TOKEN_EXPIRED]


async def test_neither_tokens_nor_addresses_nor_passwords_are_shown_or_logged(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="memberstaff")
    with capture_logs() as lines:
        amina = await office.employ(AMINA)
        opened = await office.login(AMINA)
        latest = await office.accounts.refresh(opened.refresh_token)
        await office.accounts.refresh(latest.refresh_token)
        office.clock.turn(minutes=1)
        await office.cannot_refresh(opened.refresh_token)
        with pytest.raises(Refusal):
            await office.login(AMINA, "wrong horse battery")
    assert lines == [
        {
            "event": "refresh_token_reused",
            "log_level": "warning",
            "account": amina.id,
            "session": opened.caller.session_id,
        }
    ]
    shown = repr(opened) + caplog.text
    for secret in (opened.access_token, opened.refresh_token, AMINA, PASSWORD, "wrong horse"):
        assert secret not in shown


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_without_a_secret_nothing_starts(office: Office) -> None:
    with pytest.raises(InvalidSettings, match=r"^MEMBERSTAFF_SECRET_KEY: is missing"):
        Accounts(Settings(), office.database)


@pytest.mark.parametrize("engine", ["sqlite"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(email=any_text, password=any_text, token=any_text)
async def test_any_strings_are_refused_and_raise_nothing_else(
    office: Office, email: str, password: str, token: str
) -> None:
    with pytest.raises(Refusal):
        await office.login(email, password)
    await office.cannot_refresh(token)
    with pytest.raises(Unauthenticated):
        await office.accounts.claims(token)
