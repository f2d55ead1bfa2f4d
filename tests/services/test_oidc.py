"""Tokens of an outside issuer, signed with real keys and checked against a real JWKS address."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import select

from memberstaff.access import Role
from memberstaff.accounts import directory
from memberstaff.accounts.tokens import NoAccessReason
from memberstaff.db.database import Database
from memberstaff.db.tables import account, session
from memberstaff.errors import ErrorCode, Forbidden, Refusal
from tests.clock import TurnedClock
from tests.services.issuer import (
    EDWARDS,
    ELLIPTIC,
    ISSUER,
    KEYS,
    RSA,
    Issuer,
    seconds,
    settings,
)
from tests.services.office import Office, process, said
from tests.statements import statements

NO_ROLE = "Your account at the identity provider has no role here. Ask an administrator."


@pytest.fixture
def office_settings(issuer: Issuer) -> dict[str, Any]:
    return settings(issuer)


async def test_an_outside_identity_gets_an_account_at_first_sight(office: Office, issuer: Issuer) -> None:
    caller = await office.whoami(issuer.token())
    assert (caller.display_name, caller.role) == ("Amina Diallo", Role.MARKER)
    assert (await office.whoami(issuer.token(sid="browser-2"))).account_id == caller.account_id
    async with office.database.read() as reading:
        row = await reading.row(select(account))
    assert row is not None
    assert (row.issuer, row.subject, row.email, row.password_hash) == (ISSUER, "amina-1", None, None)
    assert await office.audited() == [(str(caller.account_id), "created")]
    assert office.notifications == []


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_our_own_tokens_are_good_beside_the_issuers(office: Office, issuer: Issuer) -> None:
    ben = await office.employ("ben@example.org")
    assert (await office.whoami((await office.login("ben@example.org")).access_token)).account_id == ben.id
    assert issuer.asked == 0


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_every_asymmetric_algorithm_of_the_issuer_is_accepted(office: Office, issuer: Issuer) -> None:
    for key, algorithm, kid in (
        (RSA, "RS256", "rsa"),
        (RSA, "RS512", "rsa"),
        (RSA, "PS256", "rsa"),
        (ELLIPTIC, "ES256", "ec"),
        (EDWARDS, "EdDSA", "ed"),
        (EDWARDS, "EdDSA", None),
    ):
        assert (await office.whoami(issuer.token(key, algorithm, kid))).role is Role.MARKER


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_token_signed_with_the_issuers_public_key_as_a_secret_is_refused(
    office: Office, issuer: Issuer
) -> None:
    for secret in (KEYS[0]["n"], "x" * 64):
        assert await office.why_not(issuer.token(secret, "HS256")) is NoAccessReason.TOKEN_INVALID
    unsigned = jwt.encode({"iss": ISSUER, "sub": "amina-1"}, "", algorithm="none")
    assert await office.why_not(unsigned) is NoAccessReason.TOKEN_INVALID
    assert await office.count(account) == 0


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_token_signed_by_somebody_else_is_refused(office: Office, issuer: Issuer) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert await office.why_not(issuer.token(stranger)) is NoAccessReason.TOKEN_INVALID
    assert await office.why_not(issuer.token(ELLIPTIC, "ES256", "rsa")) is NoAccessReason.TOKEN_INVALID
    assert await office.count(account) == 0


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another-application"},
        {"aud": None},
        {"iss": "https://id.example.com"},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\x00b"},
        {"sub": " amina-1"},
        {"sub": "x" * 501},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 10**400},
        {"exp": seconds(TurnedClock()() + timedelta(days=7, seconds=1))},
        {"nbf": 4_000_000_000},
        {"iat": "today"},
        {"iat": None},
        {"iat": 4_000_000_000},
    ],
)
async def test_a_token_that_is_not_for_us_is_refused(office: Office, issuer: Issuer, wrong: dict[str, Any]) -> None:
    assert await office.why_not(issuer.token(**wrong)) is NoAccessReason.TOKEN_INVALID
    assert await office.count(account) == 0


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_an_outside_token_is_good_until_it_expires(office: Office, issuer: Issuer) -> None:
    token = issuer.token()
    office.clock.turn(seconds=3599.999)
    await office.whoami(token)
    office.clock.turn(seconds=0.001)
    assert await office.why_not(token) is NoAccessReason.TOKEN_EXPIRED
    assert await office.why_not(issuer.token(exp=seconds(office.clock()))) is NoAccessReason.TOKEN_EXPIRED


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_whose_role_the_settings_do_not_name_is_told_whom_to_ask(office: Office, issuer: Issuer) -> None:
    for role in ("cook", None, 5, ["cook"], {"teacher": True}):
        with pytest.raises(Forbidden) as refusal:
            await office.whoami(issuer.token(role=role))
        assert refusal.value.message == NO_ROLE
    assert await office.count(account) == 0


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_of_several_roles_the_highest_counts(office: Office, issuer: Issuer) -> None:
    assert (await office.whoami(issuer.token(role=["parent", "cook", "teacher"]))).role is Role.MARKER


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": None, "email": "amina@example.org"}, "amina@example.org"),
        ({"name": "\x00", "email": 5}, "amina-1"),
        ({"name": "x" * 300}, "x" * 200),
    ],
)
async def test_a_name_is_found_whatever_the_token_says(
    office: Office, issuer: Issuer, claims: dict[str, Any], name: str
) -> None:
    assert (await office.whoami(issuer.token(**claims))).display_name == name


async def test_a_role_changed_at_the_issuer_is_followed_and_announced(office: Office, issuer: Issuer) -> None:
    before = issuer.token(role="head")
    caller = await office.whoami(before)
    office.clock.turn(minutes=5)
    assert (await office.whoami(issuer.token(role="parent"))).role is Role.VIEWER
    assert await office.access_changes() == [caller.account_id]
    assert (await office.audited())[-1] == (str(caller.account_id), "role_set")
    assert (await office.whoami(before)).role is Role.VIEWER


async def test_an_older_token_does_not_bring_back_the_role_it_was_made_with(
    office: Office, issuer: Issuer, database: Database
) -> None:
    older = issuer.token(role="head", sid="browser-2")
    office.clock.turn(minutes=5)
    await office.whoami(issuer.token(role="parent"))
    async with process(database, office.clock, **settings(issuer)) as other:
        assert (await other.whoami(older)).role is Role.VIEWER


async def test_a_role_that_was_taken_away_stays_away_however_old_the_token(
    office: Office, issuer: Issuer, database: Database
) -> None:
    """The newest token has expired long ago when the older one, which is still valid, comes to another process."""
    older = issuer.token(role="head", sid=None, exp=seconds(office.clock() + timedelta(days=7)))
    assert (await office.whoami(older)).role is Role.ADMIN
    office.clock.turn(minutes=5)
    assert (await office.whoami(issuer.token(role="parent", sid=None))).role is Role.VIEWER
    office.clock.turn(days=6)
    async with process(database, office.clock, **settings(issuer)) as other:
        assert (await other.whoami(older)).role is Role.VIEWER
        assert (await office.whoami(older)).role is Role.VIEWER
        assert (await other.whoami(issuer.token(role="teacher", sid=None))).role is Role.MARKER


async def test_whose_last_role_was_taken_away_is_out_with_older_tokens_too(
    office: Office, issuer: Issuer, database: Database
) -> None:
    seen, unseen = [issuer.token(role="head", sid=browser) for browser in ("browser-1", "browser-2")]
    caller = await office.whoami(seen)
    office.clock.turn(minutes=5)
    with pytest.raises(Forbidden, match=NO_ROLE):
        await office.whoami(issuer.token(role="cook"))
    assert await office.access_changes() == [caller.account_id]
    assert (await office.audited())[-1] == (str(caller.account_id), "role_withdrawn")
    assert await office.why_not(seen) is NoAccessReason.SESSION_ENDED
    async with process(database, office.clock, **settings(issuer)) as other:
        for older in (unseen, seen):
            with pytest.raises(Forbidden, match=NO_ROLE):
                await other.whoami(older)
    assert await office.count(session) == 1
    assert [each.role for each in await office.everybody()] == [Role.VIEWER]  # and no administrator remains by name
    office.clock.turn(minutes=5)
    assert (await office.whoami(issuer.token(role="teacher"))).role is Role.MARKER
    assert (await office.audited())[-1] == (str(caller.account_id), "role_set")
    assert await office.why_not(seen) is NoAccessReason.SESSION_ENDED


async def test_a_token_that_names_no_role_costs_the_database_nothing_the_second_time(
    office: Office, issuer: Issuer
) -> None:
    token = issuer.token(role="cook")
    with pytest.raises(Forbidden):
        await office.whoami(token)
    with statements(office.database) as sent, pytest.raises(Forbidden):
        await office.whoami(token)
    assert sent == []


async def test_of_two_tokens_of_the_same_second_the_one_with_fewer_rights_counts(
    office: Office, issuer: Issuer, database: Database
) -> None:
    more, fewer = [issuer.token(role=role) for role in ("head", "parent")]
    assert (await office.whoami(more)).role is Role.ADMIN
    assert (await office.whoami(fewer)).role is Role.VIEWER
    async with process(database, office.clock, **settings(issuer)) as other:
        assert (await other.whoami(more)).role is Role.VIEWER


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"realm_access": {"roles": ["offline_access", "teacher", "parent"]}}, Role.MARKER),
        ({"realm_access": {"roles": "head"}}, Role.ADMIN),
        ({"realm_access.roles": "parent", "realm_access": {"roles": ["head"]}}, Role.VIEWER),
        ({"realm_access": {"roles": {"head": True}}}, None),
        ({"realm_access": ["roles", "head"]}, None),
        ({"realm_access": "head"}, None),
        ({"roles": "head", "role": "head"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_role_is_found_by_the_claims_name_or_else_by_its_path(
    database: Database, issuer: Issuer, clock: TurnedClock, claims: dict[str, Any], role: Role | None
) -> None:
    async with process(database, clock, **settings(issuer), oidc_role_claim="realm_access.roles") as office:
        token = issuer.token(**({"role": None} | claims))
        if role is None:
            with pytest.raises(Forbidden):
                await office.whoami(token)
        else:
            assert (await office.whoami(token)).role is role


async def test_a_disabled_outside_identity_is_out_with_any_token(office: Office, issuer: Issuer) -> None:
    token = issuer.token()
    caller = await office.whoami(token)
    assert caller.account_id is not None
    async with office.as_administrator() as work:
        await directory.disable(work, caller.account_id)
    assert await office.why_not(token) is NoAccessReason.ACCOUNT_DISABLED
    office.clock.turn(minutes=1)
    assert await office.why_not(issuer.token(sid="browser-2", role="head")) is NoAccessReason.ACCOUNT_DISABLED
    assert await office.count(session) == 1


async def test_what_the_issuer_decides_is_not_changed_here(office: Office, issuer: Issuer) -> None:
    caller = await office.whoami(issuer.token())
    assert caller.account_id is not None
    hashed = await office.passwords.hash("correct horse battery")
    for what in ("role", "password"):
        with pytest.raises(Refusal) as refusal:
            async with office.as_administrator() as work:
                if what == "role":
                    await directory.set_role(work, caller.account_id, Role.ADMIN)
                else:
                    await directory.set_password(work, caller.account_id, hashed)
        assert said(refusal.value) == (
            ErrorCode.INVALID,
            f"This account's {what} is managed by its identity provider. Change it there.",
            ("id",),
        )
    assert (await office.whoami(issuer.token())).role is Role.MARKER


async def test_two_processes_that_see_somebody_first_make_one_account(
    office: Office, issuer: Issuer, database: Database
) -> None:
    async with process(database, office.clock, **settings(issuer)) as other:
        callers = await asyncio.gather(
            *(one.whoami(issuer.token(note=note)) for one in (office, other) for note in ("1", "2", "3"))
        )
    assert len({caller.account_id for caller in callers}) == 1
    assert (await office.count(account), await office.count(session)) == (1, 1)
    assert len(await office.audited()) == 1
