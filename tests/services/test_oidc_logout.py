"""A logout ends what an outside issuer has signed, as far as it is of the same browser."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from memberstaff.access import Role
from memberstaff.accounts.tokens import NoAccessReason
from memberstaff.db.database import Database
from memberstaff.db.retention import Retention
from tests.services.issuer import Issuer, seconds, settings
from tests.services.office import Office, process


@pytest.fixture
def office_settings(issuer: Issuer) -> dict[str, Any]:
    return settings(issuer)


async def test_a_logout_ends_the_token_on_every_node(office: Office, issuer: Issuer, database: Database) -> None:
    token = issuer.token()
    claims = await office.accounts.claims(token)
    await office.accounts.logout(token)
    assert await office.access_changes() == [claims.session_id]
    assert await office.why_not(token) is NoAccessReason.SESSION_ENDED
    async with process(database, office.clock, **settings(issuer)) as other:
        assert await other.why_not(token) is NoAccessReason.SESSION_ENDED


async def test_a_logout_ends_the_older_tokens_of_the_same_browser_but_not_its_next_login(
    office: Office, issuer: Issuer
) -> None:
    older = issuer.token()
    await office.whoami(older)
    office.clock.turn(minutes=5)
    newer = issuer.token()
    await office.accounts.logout(newer)
    assert await office.why_not(older) is NoAccessReason.SESSION_ENDED
    assert await office.why_not(newer) is NoAccessReason.SESSION_ENDED
    office.clock.turn(seconds=1)
    again = issuer.token()
    assert (await office.whoami(again)).role is Role.MARKER
    assert await office.why_not(newer) is NoAccessReason.SESSION_ENDED


async def test_a_logout_ends_longer_tokens_of_the_same_browser_too(office: Office, issuer: Issuer) -> None:
    """Although they come, for the first time, long after the session would have expired."""
    longer = issuer.token(exp=seconds(office.clock() + timedelta(days=7)))
    await office.accounts.logout(issuer.token())
    office.clock.turn(days=6)
    await Retention(office.database, audit_days=0).prune()
    assert await office.why_not(longer) is NoAccessReason.SESSION_ENDED


async def test_a_logout_holds_although_the_issuers_clock_runs_ahead(office: Office, issuer: Issuer) -> None:
    token = issuer.token(iat=seconds(office.clock() + timedelta(seconds=40)))
    await office.accounts.logout(token)
    assert await office.why_not(token) is NoAccessReason.SESSION_ENDED


async def test_without_a_session_in_the_token_each_token_is_one(office: Office, issuer: Issuer) -> None:
    first, second = [issuer.token(sid=None, jti=jti) for jti in ("1", "2")]
    third, fourth = [issuer.token(sid=None, note=note) for note in ("3", "4")]
    ids = [(await office.accounts.claims(token)).session_id for token in (first, second, third, fourth)]
    assert len(set(ids)) == 4
    await office.accounts.logout(first)
    assert await office.why_not(first) is NoAccessReason.SESSION_ENDED
    assert (await office.whoami(second)).role is Role.MARKER
