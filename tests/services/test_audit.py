"""The audit log: logins and what was refused, who may read it, and pages of it."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from memberstaff import origin
from memberstaff.access import COMMAND_LINE, Caller, Role
from memberstaff.accounts import directory
from memberstaff.db import audit
from memberstaff.db.audit import AuditFilter, Entry, Place, Subject
from memberstaff.db.database import Database
from memberstaff.errors import Forbidden, RateLimited, Refusal
from memberstaff.origin import Origin
from tests.clock import TurnedClock
from tests.services.issuer import ISSUER, Issuer, settings
from tests.services.office import PASSWORD, Office, process
from tests.statements import statements

AMINA, BEN = "amina@example.org", "ben@example.org"
HOME = "192.0.2.1"
TYPED = "a-password-typed-into-the-field-of-the-address"


async def wrong(office: Office, email: str = AMINA, address: str = HOME, device: str | None = None) -> None:
    with pytest.raises((Refusal, RateLimited)):
        await office.login(email, "wrong horse battery", address, device)


async def told(office: Office) -> list[tuple[Any, ...]]:
    """Action, account, address and number of what the log says of attempts, oldest first."""
    rows = [row for row in await office.entries() if row.hour is not None]
    return [(row.action, row.subject_id, row.address, row.times) for row in rows]


async def test_a_login_and_a_logout_are_told_with_account_session_address_and_device(office: Office) -> None:
    amina = await office.employ(AMINA)
    with origin.coming_from(Origin(HOME, "Firefox")):
        first = await office.login(AMINA)
        again = await office.login(AMINA, device=first.device)
        await office.accounts.logout(again.access_token, device=again.device)
    _, *entries = await office.entries()
    common = (amina.id, "account", str(amina.id), HOME, "Firefox", None, 1)
    assert [
        (row.action, row.by_account, row.subject, row.subject_id, row.address, row.user_agent, row.operator, row.times)
        for row in entries
    ] == [(action, *common) for action in ("login", "login", "logout")]
    assert first.device is not None
    device = first.device.partition(".")[0]
    assert [row.device for row in entries] == [None, device, device]
    sessions = [opened.caller.session_id for opened in (first, again, again)]
    assert [row.details for row in entries] == [{"session": session} for session in sessions]


async def test_a_logout_is_told_once(office: Office) -> None:
    await office.employ(AMINA)
    opened = await office.login(AMINA)
    for _ in range(2):
        await office.accounts.logout(None, opened.refresh_token)
    assert [row.action for row in await office.entries()] == ["created", "login", "logout"]


async def test_refreshes_that_are_limited_are_counted_as_well(office: Office) -> None:
    amina = await office.employ(AMINA)
    token = (await office.login(AMINA)).refresh_token
    with origin.coming_from(Origin(HOME)):
        for _ in range(62):
            with suppress(RateLimited):
                await office.accounts.refresh(token)
    limited = (await office.entries())[-1]
    assert (limited.action, limited.subject_id, limited.address) == ("rate_limited", str(amina.id), HOME)
    assert limited.times == 2


async def test_a_stolen_refresh_token_names_the_browser_that_shows_it(office: Office) -> None:
    await office.employ(AMINA)
    victim, thief = await office.login(AMINA), await office.login(AMINA)
    token = victim.refresh_token
    for _ in range(2):
        token = (await office.accounts.refresh(token, victim.device)).refresh_token
        office.clock.turn(minutes=1)
    with pytest.raises(Refusal):
        await office.accounts.refresh(victim.refresh_token, thief.device)
    row = (await office.entries())[-1]
    assert thief.device is not None
    assert (row.action, row.device) == ("refresh_reused", thief.device.partition(".")[0])


async def test_an_identity_providers_session_is_told_when_its_first_token_comes(
    database: Database, clock: TurnedClock, issuer: Issuer
) -> None:
    async with process(database, clock, **settings(issuer)) as office:
        with origin.coming_from(Origin(HOME, "Firefox")):
            for note, browser in (("1", "browser-1"), ("2", "browser-1"), ("3", "browser-2")):
                await office.whoami(issuer.token(sid=browser, note=note))
        rows = await office.entries()
    assert [(row.action, row.by_account, row.address, row.user_agent) for row in rows] == [
        (action, rows[0].by_account, HOME, "Firefox") for action in ("created", "login", "login")
    ]
    assert [row.details["issuer"] for row in rows[1:]] == [ISSUER] * 2


async def test_whoever_logs_in_again_at_an_identity_provider_is_told_again(
    database: Database, clock: TurnedClock, issuer: Issuer
) -> None:
    """The provider gives the same session to the same browser."""
    async with process(database, clock, **settings(issuer)) as office:
        for _ in range(2):
            for token in (issuer.token(), issuer.token(note="another")):
                await office.whoami(token)
            await office.accounts.logout(token)
            clock.turn(minutes=1)
        rows = await office.entries()
    assert [row.action for row in rows] == ["created", *["login", "logout"] * 2]


async def test_wrong_attempts_are_a_row_for_each_account_network_and_hour(office: Office) -> None:
    amina, ben = await office.employ(AMINA), await office.employ(BEN)
    for _ in range(5):
        await wrong(office)
    for address in (HOME, "198.51.100.9"):
        await wrong(office, BEN, address)
    office.clock.turn(hours=1)
    await wrong(office)
    assert await told(office) == [
        ("login_failed", str(amina.id), HOME, 5),
        ("login_failed", str(ben.id), HOME, 1),
        ("login_failed", str(ben.id), "198.51.100.9", 1),
        ("login_failed", str(amina.id), HOME, 1),
    ]
    assert {row.by_account for row in await office.entries()} == {None}


async def test_attempts_that_are_limited_are_counted_as_well_however_many(office: Office) -> None:
    amina = await office.employ(AMINA)
    for _ in range(30):
        await wrong(office)
    assert await told(office) == [("login_failed", str(amina.id), HOME, 5), ("rate_limited", str(amina.id), HOME, 25)]


async def test_made_up_addresses_share_a_row_and_nothing_of_them_is_kept(office: Office) -> None:
    for number in range(120):
        await wrong(office, f"{TYPED}{number}@example.org")
    await wrong(office, f"{TYPED}!")
    assert await told(office) == [("login_failed", "", HOME, 100), ("rate_limited", "", HOME, 21)]
    assert TYPED not in json.dumps([list(map(str, row)) for row in await office.entries()])


async def test_an_ipv6_network_cannot_make_a_row_for_each_network_within_it(office: Office) -> None:
    for number in range(10):
        await wrong(office, f"{number}@example.org", f"2001:db8:1:{number}::1")
    assert await told(office) == [("login_failed", "", "2001:db8:1::/48", 10)]


async def test_attempts_at_the_same_moment_are_all_counted(
    office: Office, database: Database, clock: TurnedClock
) -> None:
    amina = await office.employ(AMINA)
    async with process(database, clock) as other:
        await asyncio.gather(*(wrong(one) for one in (office, other) for _ in range(5)))
    assert sorted(await told(office)) == [
        ("login_failed", str(amina.id), HOME, 5),
        ("rate_limited", str(amina.id), HOME, 5),
    ]


async def test_a_wrong_current_password_is_told_and_a_changed_one_with_its_new_session(office: Office) -> None:
    amina = await office.employ(AMINA)
    opened = await office.login(AMINA)
    with pytest.raises(Refusal):
        await office.accounts.change_password(opened.access_token, "a guess", "a new password of hers", HOME)
    changed = await office.accounts.change_password(opened.access_token, PASSWORD, "a new password of hers", HOME)
    assert await told(office) == [("password_change_failed", str(amina.id), HOME, 1)]
    assert [(row.action, row.by_account, row.subject_id, row.details) for row in (await office.entries())[-2:]] == [
        ("password_changed", amina.id, str(amina.id), {}),
        ("login", amina.id, str(amina.id), {"session": changed.caller.session_id}),
    ]


async def test_no_password_and_no_token_is_in_the_log(office: Office) -> None:
    amina = await office.employ(AMINA)
    opened = await office.login(AMINA)
    await wrong(office, device=opened.device)
    await office.accounts.refresh(opened.refresh_token)
    await office.accounts.change_password(opened.access_token, PASSWORD, "a new password of hers", HOME, opened.device)
    async with office.as_administrator() as work:
        await directory.set_password(work, amina.id, await office.passwords.hash(PASSWORD))
    written = json.dumps([list(map(str, row)) for row in await office.entries()])
    secrets = [
        PASSWORD,
        "wrong horse",
        "a new password",
        opened.access_token,
        opened.refresh_token,
        opened.device or "",
    ]
    assert [secret for secret in secrets if secret in written] == []
    assert "argon2" not in written


async def test_what_the_command_line_does_names_the_operating_systems_user(office: Office) -> None:
    with origin.coming_from(Origin(operator="root (sudo: robin)")):
        await office.employ(AMINA)
    [row] = await office.entries()
    assert (row.by_account, row.address, row.operator) == (None, None, "root (sudo: robin)")


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (None, None),
        ("", None),
        (" \t ", None),
        ("Firefox\x1b[2J\r\n", "Firefox[2J"),
        ("x" * 300, "x" * 200),
        ("é", "é"),
    ],
)
def test_a_user_agent_is_stored_in_printable_characters_and_cut(sent: str | None, stored: str | None) -> None:
    assert origin.user_agent(sent) == stored


async def read(office: Office, first: int = 100, after: Place | None = None, **which: Any) -> list[Entry]:
    async with office.as_administrator() as work:
        return await audit.page(work, AuditFilter(**which), first=first, after=after)


async def history(office: Office) -> tuple[Caller, directory.Account, directory.Account]:
    """An administrator, who does things to Amina and Ben, in two hours."""
    boss = await office.employ("boss@example.org", Role.ADMIN)
    opened = await office.login("boss@example.org")
    amina, ben = await office.employ(AMINA), await office.employ(BEN)
    async with office.as_administrator(opened.caller) as work:
        await directory.set_role(work, amina.id, Role.VIEWER)
        await directory.rename(work, ben.id, "Benjamin")
    office.clock.turn(hours=1)
    async with office.as_administrator(opened.caller) as work:
        await directory.disable(work, amina.id)
    await wrong(office, AMINA)
    await office.login(BEN)
    assert boss.id == opened.caller.account_id
    return opened.caller, amina, ben


def actions(entries: list[Entry]) -> list[str]:
    return [entry.action for entry in entries]


async def test_the_log_is_read_newest_first_by_account_action_subject_and_time(office: Office) -> None:
    boss, amina, ben = await history(office)
    everything = await read(office)
    assert actions(everything) == [
        *("login", "login_failed", "disabled"),
        *("renamed", "role_set", "created", "created", "login", "created"),
    ]
    assert actions(await read(office, account=amina.id)) == ["login_failed", "disabled", "role_set", "created"]
    assert actions(await read(office, account=ben.id)) == ["login", "renamed", "created"]
    assert actions(await read(office, account=boss.account_id)) == [
        "disabled",
        "renamed",
        "role_set",
        "login",
        "created",
    ]
    assert actions(await read(office, account=amina.id, action="disabled")) == ["disabled"]
    assert actions(await read(office, action="login")) == ["login", "login"]
    assert actions(await read(office, subject=Subject.DAY)) == []
    later = office.clock.instant - timedelta(minutes=30)
    assert actions(await read(office, since=later)) == ["login", "login_failed", "disabled"]
    assert actions(await read(office, until=later, account=ben.id)) == ["renamed", "created"]
    [disabled] = await read(office, action="disabled")
    assert (disabled.by_name, disabled.by_email, disabled.subject_id) == (
        "Boss",
        "boss@example.org",
        str(amina.id),
    )


@pytest.mark.parametrize("filtered", [False, True])
async def test_pages_put_together_are_the_whole_log_once(office: Office, filtered: bool) -> None:
    boss, _, _ = await history(office)
    which: dict[str, Any] = {"account": boss.account_id} if filtered else {}
    whole = await read(office, **which)
    paged: list[Entry] = []
    while found := await read(office, 2, Place(paged[-1].at, paged[-1].id) if paged else None, **which):
        paged += found
    assert paged == whole
    oldest_first = [page async for page in audit.export(office.database, COMMAND_LINE, AuditFilter(**which))]
    assert [entry for page in oldest_first for entry in page] == whole[::-1]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MARKER])
async def test_only_administrators_read_the_log(office: Office, role: Role) -> None:
    await office.employ(AMINA, role)
    caller = (await office.login(AMINA)).caller
    async with office.as_administrator(caller) as work:
        for reading in (audit.page(work, AuditFilter(), first=1, after=None), audit.by_id(work, 1)):
            with pytest.raises(Forbidden, match=r"may not read the audit log\.$"):
                await reading


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("which", "indexes"),
    [
        ({}, {"at_id"}),
        ({"action": "login"}, {"action_at_id"}),
        ({"subject": Subject.DAY}, {"subject_at_id"}),
        ({"account": 1}, {"by_account_at_id", "subject_subject_id_at_id"}),
        ({"subject": Subject.STAFF, "subject_id": "1"}, {"subject_subject_id_at_id"}),
    ],
)
async def test_a_page_is_found_by_an_index_that_ends_in_its_order(
    office: Office, which: dict[str, Any], indexes: set[str]
) -> None:
    """However long the log is: nothing is sorted but the page itself, which is found by its ids."""
    with statements(office.database) as sent:
        await read(office, 50, Place(office.clock.instant, 9), **which)
    [query] = [statement for statement in sent if "FROM audit" in statement]
    async with office.database.engine.connect() as connection:
        raw = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", (1,) * query.count("?"))
        plan = "\n".join(str(row.detail) for row in raw.fetchall())
    assert set(re.findall(r"audit USING (?:COVERING )?INDEX ix_audit_(\w+)", plan)) == indexes, plan
    assert plan.count("TEMP B-TREE FOR ORDER BY") == 1, plan
    assert "SCAN audit" not in plan
