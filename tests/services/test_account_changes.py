"""Several changes of an account in one go, and the pages in which administrators see accounts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from memberstaff.access import Caller, Role
from memberstaff.accounts import directory
from memberstaff.errors import ErrorCode, Forbidden, Refusal
from tests.services.office import PASSWORD, Office, said


async def refused(office: Office, account_id: int, **changes: Any) -> Refusal:
    """What a change is refused with, once it is sure that it left nothing behind."""
    before = (await office.everybody(), await office.audited())
    with pytest.raises(Refusal) as refusal:
        async with office.as_administrator() as work:
            await directory.change(work, account_id, **changes)
    assert (await office.everybody(), await office.audited()) == before
    assert office.notifications == []
    return refusal.value


async def test_one_change_sets_everything_that_is_given_and_nothing_else(office: Office) -> None:
    amina = await office.employ("amina@example.org", Role.MARKER)
    hashed = await office.passwords.hash("given by the administrator")
    async with office.as_administrator() as work:
        assert await directory.change(work, amina.id) == amina
        changed = await directory.change(
            work, amina.id, display_name="Amina D.", role=Role.VIEWER, is_disabled=True, password_hash=hashed
        )
        assert (changed.display_name, changed.role, changed.disabled_at) == (
            "Amina D.",
            Role.VIEWER,
            office.clock.instant,
        )
        assert (await directory.change(work, amina.id, is_disabled=False)).disabled_at is None
    assert (await office.login("amina@example.org", "given by the administrator")).caller.role is Role.VIEWER
    assert [action for _, action in await office.audited()] == [
        "created",
        "role_set",
        "renamed",
        "password_set",
        "disabled",
        "enabled",
    ]


@pytest.mark.parametrize("leaving", [{"role": Role.VIEWER}, {"is_disabled": True}])
async def test_a_change_that_removes_the_last_administrator_changes_nothing(
    office: Office, leaving: dict[str, Any]
) -> None:
    boss = await office.employ("boss@example.org", Role.ADMIN)
    refusal = await refused(office, boss.id, display_name="Another name", **leaving)
    assert said(refusal) == (
        ErrorCode.INVALID,
        "This is the last active administrator. Make somebody else an administrator first.",
        ("id",),
    )


async def test_a_change_of_nobody_is_refused(office: Office) -> None:
    refusal = await refused(office, 4_711, display_name="Nobody")
    assert said(refusal) == (ErrorCode.NOT_FOUND, "There is no such account.", ("id",))


async def test_two_administrators_who_change_each_other_at_once_do_not_wait_for_ever(office: Office) -> None:
    bosses = [await office.employ(f"boss{number}@example.org", Role.ADMIN) for number in range(2)]

    async def demote(account: directory.Account) -> None:
        async with office.as_administrator() as work:
            await directory.change(work, account.id, display_name="Former boss", role=Role.VIEWER)

    answers = await asyncio.gather(*(demote(boss) for boss in reversed(bosses)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType", "Refusal"]


async def test_a_page_lists_accounts_by_folded_name_and_finds_words_in_name_and_address(office: Office) -> None:
    for email, name in (("zoe@example.org", "Zoe"), ("e@example.org", "Élodie"), ("b@school.example", "ben")):
        made = await office.employ(email)
        async with office.as_administrator() as work:
            await directory.rename(work, made.id, name)
    async with office.as_administrator() as work:
        found, total = await directory.page(work, search=None, first=2, after=None)
        assert ([each.display_name for each in found], total) == (["ben", "Élodie"], 3)
        after = directory.AccountPosition(found[-1].sort_key, found[-1].id)
        found, total = await directory.page(work, search=None, first=2, after=after)
        assert ([each.display_name for each in found], total) == (["Zoe"], 3)
        for search, names in (("ELODIE", ["Élodie"]), ("example.org", ["Élodie", "Zoe"]), ("ben school", ["ben"])):
            found, total = await directory.page(work, search=search, first=9, after=None)
            assert ([each.display_name for each in found], total) == (names, len(names))


async def test_pages_of_accounts_put_together_are_all_of_them_once(office: Office) -> None:
    for number in range(7):
        await office.employ(f"{number}@example.org")
    async with office.as_administrator() as work:
        for made in await directory.everyone(work):
            await directory.rename(work, made.id, "The same name")
        whole, _ = await directory.page(work, search=None, first=100, after=None)
        paged: list[directory.Account] = []
        while len(paged) < 7:
            after = directory.AccountPosition(paged[-1].sort_key, paged[-1].id) if paged else None
            found, _ = await directory.page(work, search=None, first=2, after=after)
            paged += found
    assert paged == whole


async def test_only_administrators_may_have_a_password_hashed(office: Office) -> None:
    opened = [await employ_and_login(office, role) for role in (Role.VIEWER, Role.MARKER)]
    for caller in opened:
        with pytest.raises(Forbidden, match=r"may not manage accounts\.$"):
            await office.accounts.hashed(caller, PASSWORD)


async def employ_and_login(office: Office, role: Role) -> Caller:
    email = f"{role.lower()}@example.org"
    await office.employ(email, role)
    return (await office.login(email)).caller
