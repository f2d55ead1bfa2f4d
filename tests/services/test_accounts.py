"""Accounts as administrators manage them: what each change does at once, and what is refused."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from memberstaff.access import Caller, Role
from memberstaff.accounts import directory, emails
from memberstaff.accounts.passwords import PasswordHash
from memberstaff.accounts.tokens import NoAccess, NoAccessReason
from memberstaff.db.tables import account, installation
from memberstaff.errors import ErrorCode, Forbidden, Refusal
from tests.services.office import PASSWORD, Office, said

HASH = PasswordHash("$argon2id$of$nobody")


async def refused(office: Office, command: object, *arguments: object, **named: object) -> Refusal:
    """What a command is refused with, once it is sure that it left nothing behind."""
    before = (await office.everybody(), await office.audited())
    with pytest.raises(Refusal) as refusal:
        async with office.as_administrator() as work:
            await command(work, *arguments, **named)  # type: ignore[operator]
    assert (await office.everybody(), await office.audited()) == before
    assert office.notifications == []
    return refusal.value


async def test_an_added_account_can_log_in_under_its_folded_address(office: Office) -> None:
    hashed = await office.passwords.hash(PASSWORD)
    async with office.as_administrator() as work:
        amina = await directory.add(work, email="  Amina.Diallo@Example.ORG ", role=Role.MARKER, password_hash=hashed)
    assert (amina.email, amina.display_name, amina.role) == (
        "amina.diallo@example.org",
        "Amina Diallo",
        Role.MARKER,
    )
    assert (await office.login("AMINA.diallo@example.org")).caller.display_name == "Amina Diallo"
    assert await office.audited() == [(str(amina.id), "created")]


async def test_an_account_is_found_by_its_address_and_listed_by_age(office: Office) -> None:
    amina, ben = await office.employ("amina@example.org"), await office.employ("ben@example.org")
    async with office.as_administrator() as work:
        assert await directory.find(work, "BEN@example.org") == ben
        assert await directory.everyone(work) == [amina, ben]
        with pytest.raises(Refusal) as refusal:
            await directory.find(work, "zoe@example.org")
    assert said(refusal.value) == (
        ErrorCode.NOT_FOUND,
        "There is no account with this email address.",
        ("email",),
    )


async def test_an_address_is_taken_once_whatever_its_case(office: Office) -> None:
    await office.employ("amina@example.org")
    refusal = await refused(office, directory.add, email="AMINA@example.org", role=Role.ADMIN, password_hash=HASH)
    assert said(refusal) == (
        ErrorCode.DUPLICATE,
        "An account with this email address already exists.",
        ("email",),
    )


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    "email",
    ["", " ", "amina", "amina@", "@example.org", "a@b@c", "a b@example.org", "a\x00@example.org", "\ud800@x.org"],
)
async def test_what_is_no_address_is_refused(office: Office, email: str) -> None:
    refusal = await refused(office, directory.add, email=email, role=Role.VIEWER, password_hash=HASH)
    assert said(refusal) == (
        ErrorCode.INVALID,
        "This is not an email address, such as amina@example.org.",
        ("email",),
    )


async def test_an_address_has_254_characters_at_most(office: Office) -> None:
    longest = "a" * 242 + "@example.org"
    assert (await office.employ(longest)).email == longest
    refusal = await refused(office, directory.add, email="a" + longest, role=Role.VIEWER, password_hash=HASH)
    assert refusal.message == "The email address is longer than 254 characters."


async def test_a_display_name_may_be_given_and_must_be_storable(office: Office) -> None:
    refusal = await refused(
        office, directory.add, email="a@b.org", role=Role.VIEWER, password_hash=HASH, display_name=" "
    )
    assert said(refusal) == (ErrorCode.INVALID, "The name is empty.", ("displayName",))


async def test_a_disabled_account_is_out_at_once_and_cannot_come_back(office: Office) -> None:
    amina = await office.employ("amina@example.org")
    opened = await office.login("amina@example.org")
    async with office.as_administrator() as work:
        disabled = await directory.disable(work, amina.id)
    assert disabled.disabled_at == office.clock.instant
    assert await office.access_changes() == [amina.id]
    with pytest.raises(NoAccess) as refusal:
        await office.whoami(opened.access_token)
    assert refusal.value.reason is NoAccessReason.ACCOUNT_DISABLED
    with pytest.raises(Refusal):
        await office.login("amina@example.org")
    with pytest.raises(Refusal):
        await office.accounts.refresh(opened.refresh_token)


async def test_an_enabled_account_may_log_in_again_but_its_old_sessions_stay_ended(office: Office) -> None:
    amina = await office.employ("amina@example.org")
    opened = await office.login("amina@example.org")
    async with office.as_administrator() as work:
        await directory.disable(work, amina.id)
        await directory.enable(work, amina.id)
    with pytest.raises(NoAccess) as refusal:
        await office.whoami(opened.access_token)
    assert refusal.value.reason is NoAccessReason.SESSION_ENDED
    assert (await office.login("amina@example.org")).account_id == amina.id
    assert [action for _, action in await office.audited()] == ["created", "disabled", "enabled"]


async def test_another_role_counts_from_the_next_request_with_the_same_token(office: Office) -> None:
    amina = await office.employ("amina@example.org", Role.MARKER)
    opened = await office.login("amina@example.org")
    async with office.as_administrator() as work:
        await directory.set_role(work, amina.id, Role.VIEWER)
    assert (await office.whoami(opened.access_token)).role is Role.VIEWER
    assert await office.access_changes() == [amina.id]


async def test_a_new_password_ends_every_session_and_the_old_password(office: Office) -> None:
    amina = await office.employ("amina@example.org")
    phone, laptop = [await office.login("amina@example.org") for _ in range(2)]
    hashed = await office.passwords.hash("a new password of hers")
    async with office.as_administrator() as work:
        await directory.set_password(work, amina.id, hashed)
    for opened in (phone, laptop):
        with pytest.raises(NoAccess):
            await office.whoami(opened.access_token)
    with pytest.raises(Refusal):
        await office.login("amina@example.org", PASSWORD)
    assert (await office.login("amina@example.org", "a new password of hers")).account_id == amina.id
    assert await office.access_changes() == [amina.id]


async def test_another_name_is_told_to_every_board(office: Office) -> None:
    amina = await office.employ("amina@example.org")
    async with office.as_administrator() as work:
        renamed = await directory.rename(work, amina.id, " Amina  Diallo ")
        epoch = await work.scalar(select(installation.c.epoch))
    assert renamed.display_name == "Amina Diallo"
    assert [(notification.epoch, notification.roster_version) for notification in office.notifications] == [(epoch, 1)]


async def test_storing_what_is_stored_already_changes_and_announces_nothing(office: Office) -> None:
    amina = await office.employ("amina@example.org", Role.MARKER)
    async with office.as_administrator() as work:
        assert await directory.enable(work, amina.id) == amina
        assert await directory.set_role(work, amina.id, Role.MARKER) == amina
        assert await directory.rename(work, amina.id, amina.display_name) == amina
    assert office.notifications == []
    assert await office.audited() == [(str(amina.id), "created")]


async def test_the_last_administrator_who_can_log_in_stays_one(office: Office) -> None:
    amina = await office.employ("amina@example.org", Role.ADMIN)
    ben = await office.employ("ben@example.org", Role.ADMIN)
    async with office.as_administrator() as work:
        await directory.disable(work, ben.id)
    office.notifications.clear()
    last = "This is the last active administrator. Make somebody else an administrator first."
    assert said(await refused(office, directory.disable, amina.id)) == (ErrorCode.INVALID, last, ("id",))
    assert said(await refused(office, directory.set_role, amina.id, Role.MARKER))[1] == last


async def test_two_administrators_cannot_remove_each_other_at_the_same_time(office: Office) -> None:
    amina = await office.employ("amina@example.org", Role.ADMIN)
    ben = await office.employ("ben@example.org", Role.ADMIN)

    async def demote(one: directory.Account) -> bool:
        try:
            async with office.as_administrator() as work:
                await directory.set_role(work, one.id, Role.VIEWER)
        except Refusal:
            return False
        return True

    assert sorted(await asyncio.gather(demote(amina), demote(ben))) == [False, True]
    assert {one.role for one in await office.everybody()} == {Role.ADMIN, Role.VIEWER}


async def test_an_account_that_does_not_exist_is_not_found(office: Office) -> None:
    for command in (directory.disable, directory.enable):
        assert (await refused(office, command, 99)).code is ErrorCode.NOT_FOUND


async def test_only_an_administrator_manages_accounts(office: Office) -> None:
    amina = await office.employ("amina@example.org", Role.MARKER)
    caller = Caller(amina.id, "session", "Amina", Role.MARKER)
    for attempt in (
        lambda work: directory.everyone(work),
        lambda work: directory.find(work, "amina@example.org"),
        lambda work: directory.add(work, email="b@example.org", role=Role.ADMIN, password_hash=HASH),
        lambda work: directory.set_role(work, amina.id, Role.ADMIN),
        lambda work: directory.set_password(work, amina.id, HASH),
        lambda work: directory.disable(work, amina.id),
        lambda work: directory.enable(work, amina.id),
        lambda work: directory.rename(work, amina.id, "Root"),
        lambda work: directory.change(work, amina.id, role=Role.ADMIN),
        lambda work: directory.page(work, search=None, first=1, after=None),
        lambda work: directory.by_id(work, amina.id),
    ):
        with pytest.raises(Forbidden, match="A MARKER may not manage accounts"):
            async with office.as_administrator(caller) as work:
                await attempt(work)
    assert await office.everybody() == [amina]


async def test_a_change_is_audited_under_the_administrator_who_made_it(office: Office) -> None:
    root = await office.employ("root@example.org", Role.ADMIN)
    async with office.as_administrator(Caller(root.id, "session", "Root", Role.ADMIN)) as work:
        await directory.rename(work, root.id, "Ruth")
    async with office.database.read() as reading:
        kept = await reading.row(select(account.c.display_name))
    assert kept is not None
    assert kept.display_name == "Ruth"
    assert (await office.audited())[-1] == (str(root.id), "renamed")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(email=st.text(st.characters(codec=None)) | st.emails())
async def test_any_string_is_an_address_that_can_be_stored_or_a_refusal(office: Office, email: str) -> None:
    try:
        async with office.as_administrator() as work:
            added = await directory.add(work, email=email, role=Role.VIEWER, password_hash=HASH)
            assert await directory.find(work, email) == added
    except Refusal as refusal:
        assert refusal.code in {ErrorCode.INVALID, ErrorCode.DUPLICATE}
    assert emails.folded(emails.folded(email)) == emails.folded(email)
