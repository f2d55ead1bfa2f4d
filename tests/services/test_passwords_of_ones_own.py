"""Changing one's own password: who may, how often, and which sessions it ends."""

from __future__ import annotations

import asyncio

import pytest

from memberstaff.access import Role
from memberstaff.accounts import directory
from memberstaff.accounts.service import IssuedSession
from memberstaff.accounts.tokens import NoAccess, NoAccessReason
from memberstaff.db.tables import account
from memberstaff.errors import ErrorCode, RateLimited, Refusal, Unauthenticated
from tests.services.office import PASSWORD, Office, said

AMINA = "amina@example.org"
HOME = "192.0.2.1"
NEW = "a new password of hers"


async def change(office: Office, opened: IssuedSession, current: str = PASSWORD, new: str = NEW) -> IssuedSession:
    return await office.accounts.change_password(opened.access_token, current, new, HOME)


async def refused(office: Office, opened: IssuedSession, current: str = PASSWORD, new: str = NEW) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        await change(office, opened, current, new)
    return refusal.value


@pytest.mark.parametrize("role", list(Role))
async def test_the_new_password_counts_and_all_sessions_end_but_a_new_one(office: Office, role: Role) -> None:
    amina = await office.employ(AMINA, role)
    laptop, phone = [await office.login(AMINA) for _ in range(2)]
    office.clock.turn(minutes=14)
    latest = await office.accounts.refresh(laptop.refresh_token)
    goes_on = await change(office, latest)
    assert goes_on.caller.session_id not in {laptop.caller.session_id, phone.caller.session_id}
    assert await office.whoami(goes_on.access_token) == goes_on.caller
    for stale in (laptop, latest, phone):
        assert await office.why_not(stale.access_token) is NoAccessReason.SESSION_ENDED
        await office.cannot_refresh(stale.refresh_token)  # a thief who tries them all ends nothing
    assert (await office.accounts.refresh(goes_on.refresh_token)).caller == goes_on.caller
    assert await office.access_changes() == [amina.id]
    assert (await office.audited())[-1] == (str(amina.id), "password_changed")
    office.clock.turn(minutes=1)
    with pytest.raises(Refusal):
        await office.login(AMINA, PASSWORD)
    assert (await office.login(AMINA, NEW)).account_id == amina.id


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_wrong_current_password_changes_nothing(office: Office) -> None:
    await office.employ(AMINA)
    opened = await office.login(AMINA)
    before = await office.audited()
    assert said(await refused(office, opened, current="not the password")) == (
        ErrorCode.BAD_CREDENTIALS,
        "The current password is wrong.",
        ("currentPassword",),
    )
    assert (await office.login(AMINA, PASSWORD)).account_id == opened.account_id
    assert (await office.audited(), office.notifications) == (before, [])


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_new_password_must_be_long_enough(office: Office) -> None:
    await office.employ(AMINA)
    opened = await office.login(AMINA)
    assert said(await refused(office, opened, new="short")) == (
        ErrorCode.INVALID,
        "The password is shorter than 12 characters.",
        ("newPassword",),
    )


async def test_guesses_are_counted_by_session_and_no_login_elsewhere_uses_them_up(office: Office) -> None:
    await office.employ(AMINA)
    opened, other = [await office.login(AMINA) for _ in range(2)]
    for _ in range(3):
        with pytest.raises(Refusal):
            await office.login(AMINA, "a guess")
    for _ in range(5):
        await refused(office, opened, current="a guess")
    with pytest.raises(RateLimited, match=r"^Too many attempts\. Try again in 12 seconds\.$"):
        await change(office, opened)
    assert said(await refused(office, other, current="a guess"))[0] is ErrorCode.BAD_CREDENTIALS
    office.clock.turn(seconds=12)
    await change(office, opened)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_session_has_sixty_wrong_guesses_an_hour(office: Office) -> None:
    await office.employ(AMINA)
    opened = await office.login(AMINA)
    for _ in range(12):
        for _ in range(5):
            await refused(office, opened, current="a guess")
        office.clock.turn(minutes=1)
    for _ in range(12):  # one a minute came back meanwhile
        await refused(office, opened, current="a guess")
        office.clock.turn(seconds=12)
    with pytest.raises(RateLimited):
        for _ in range(5):
            await refused(office, opened, current="a guess")


async def test_nobody_changes_a_password_without_a_login_that_is_good(office: Office) -> None:
    await office.employ(AMINA)
    opened = await office.login(AMINA)
    await office.accounts.logout(opened.access_token)
    for token in (None, "", "nonsense", opened.access_token):
        with pytest.raises(Unauthenticated):
            await office.accounts.change_password(token, PASSWORD, NEW, HOME)
    assert (await office.login(AMINA, PASSWORD)).account_id == opened.account_id


async def test_an_account_of_an_identity_provider_has_no_password_here(office: Office) -> None:
    await office.employ(AMINA)
    opened = await office.login(AMINA)
    async with office.as_administrator() as work:
        outside = {"email": None, "issuer": "https://id.example", "subject": "amina", "password_hash": None}
        await work.write(account.update().values(outside))
    assert said(await refused(office, opened)) == (
        ErrorCode.INVALID,
        "This account's password is managed by its identity provider. Change it there.",
        ("currentPassword",),
    )


async def test_of_two_changes_at_the_same_moment_one_wins(office: Office) -> None:
    await office.employ(AMINA)
    laptop, phone = [await office.login(AMINA) for _ in range(2)]
    answers = await asyncio.gather(change(office, laptop), change(office, phone), return_exceptions=True)
    [loser] = [answer for answer in answers if not isinstance(answer, IssuedSession)]
    assert isinstance(loser, Refusal | NoAccess)


async def test_a_password_that_an_administrator_has_just_replaced_cannot_be_changed_back(office: Office) -> None:
    amina = await office.employ(AMINA)
    opened = await office.login(AMINA)
    replaced = await office.passwords.hash("given by the administrator")
    async with office.as_administrator() as work:
        before = await office.accounts.hashed(work.caller, NEW)
        await directory.set_password(work, amina.id, replaced)
    async with office.as_administrator(opened.caller) as work:
        with pytest.raises(Refusal) as refusal:
            await directory.change_own_password(work, before, verified="what was stored before")
    assert said(refusal.value) == (
        ErrorCode.BAD_CREDENTIALS,
        "Somebody else has just changed the password. Try again.",
        ("currentPassword",),
    )
