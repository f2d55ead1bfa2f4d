"""The keys of an outside issuer: found when they are new, forgotten when withdrawn, and asked for seldom."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from memberstaff.access import Role
from memberstaff.accounts import jwks
from memberstaff.accounts.jwks import IssuerUnreachable
from memberstaff.accounts.tokens import NoAccessReason
from tests.databases import Engine
from tests.infrastructure.process import free_port
from tests.services.issuer import ELLIPTIC, KEYS, Issuer, settings
from tests.services.office import Office


@pytest.fixture
def engine() -> Engine:
    """Keys and tokens are read before any database is asked."""
    return "sqlite"


@pytest.fixture
def office_settings(issuer: Issuer) -> dict[str, Any]:
    return settings(issuer)


async def test_the_keys_are_fetched_once_and_a_known_token_costs_nothing(office: Office, issuer: Issuer) -> None:
    tokens = [issuer.token(note=str(note)) for note in range(10)]
    await asyncio.gather(*(office.whoami(token) for token in tokens))
    assert issuer.asked == 1


async def test_a_client_that_goes_away_does_not_take_the_keys_with_it(office: Office, issuer: Issuer) -> None:
    impatient = asyncio.create_task(office.whoami(issuer.token()))
    await asyncio.sleep(0)  # it asks for the keys
    patient = asyncio.create_task(office.whoami(issuer.token(note="2")))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).role is Role.MARKER
    assert impatient.cancelled()
    assert issuer.asked == 1


async def test_what_is_on_this_machine_is_not_asked_for_through_a_proxy(
    office: Office, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    assert (await office.whoami(issuer.token())).role is Role.MARKER


async def test_a_new_key_of_the_issuer_is_found(office: Office, issuer: Issuer) -> None:
    await office.whoami(issuer.token())
    issuer.keys.append(KEYS[1] | {"kid": "ec-2"})
    office.clock.turn(seconds=30)
    assert (await office.whoami(issuer.token(ELLIPTIC, "ES256", "ec-2"))).role is Role.MARKER
    assert issuer.asked == 2


async def test_made_up_key_ids_make_us_ask_every_half_minute_at_most(office: Office, issuer: Issuer) -> None:
    for number in range(50):
        assert await office.why_not(issuer.token(kid=f"made up {number}")) is NoAccessReason.TOKEN_INVALID
    assert issuer.asked == 1
    office.clock.turn(seconds=30)
    await asyncio.gather(*(office.why_not(issuer.token(kid=f"made up {number}")) for number in range(50)))
    assert issuer.asked == 2


async def test_a_key_that_was_withdrawn_is_forgotten_within_the_hour(office: Office, issuer: Issuer) -> None:
    await office.whoami(issuer.token())
    del issuer.keys[0]
    office.clock.turn(minutes=60)
    assert await office.why_not(issuer.token()) is NoAccessReason.TOKEN_INVALID


async def test_an_issuer_that_is_ill_is_forgiven_for_a_day(office: Office, issuer: Issuer) -> None:
    await office.whoami(issuer.token())
    issuer.ill = True
    office.clock.turn(hours=23)
    assert (await office.whoami(issuer.token())).role is Role.MARKER
    office.clock.turn(hours=1)
    with pytest.raises(IssuerUnreachable):
        await office.whoami(issuer.token())


async def test_an_issuer_that_was_never_reached_is_not_the_tokens_fault(office: Office, issuer: Issuer) -> None:
    issuer.ill = True
    for _ in range(3):
        with pytest.raises(IssuerUnreachable, match="The identity provider cannot be reached"):
            await office.whoami(issuer.token())
    assert issuer.asked == 1
    office.clock.turn(seconds=20)
    with pytest.raises(IssuerUnreachable) as unreachable:
        await office.whoami(issuer.token())
    extensions = {"code": "UNAVAILABLE", "retryAfter": 10, "applied": False}
    assert unreachable.value.formatted["extensions"] == extensions
    issuer.ill = False
    office.clock.turn(seconds=10)
    assert (await office.whoami(issuer.token())).role is Role.MARKER


async def test_keys_are_taken_from_the_address_in_the_settings_and_not_from_where_it_points(
    office: Office, issuer: Issuer
) -> None:
    for elsewhere in (f"{issuer.address}/other", "file:///etc/hostname", "//169.254.169.254/latest"):
        issuer.elsewhere = elsewhere
        with pytest.raises(IssuerUnreachable):
            await office.whoami(issuer.token())
        office.clock.turn(seconds=30)
    assert issuer.asked == 3  # and never at the other address
    issuer.elsewhere = None
    assert (await office.whoami(issuer.token())).role is Role.MARKER


async def test_of_an_answer_no_more_than_a_megabyte_is_read(office: Office, issuer: Issuer) -> None:
    issuer.padding = jwks.MOST_BYTES
    with pytest.raises(IssuerUnreachable):
        await office.whoami(issuer.token())
    issuer.padding = jwks.MOST_BYTES - 10_000
    office.clock.turn(seconds=30)
    assert (await office.whoami(issuer.token())).role is Role.MARKER


async def test_an_answer_that_never_ends_is_waited_for_no_longer_than_one_that_does_not_come(
    office: Office, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "TIMEOUT_SECONDS", 0.2)
    issuer.drips = True
    with pytest.raises(IssuerUnreachable):
        await office.whoami(issuer.token())


async def test_keys_that_are_none_are_passed_over(office: Office, issuer: Issuer) -> None:
    issuer.keys[:0] = [{"kty": "oct", "kid": "rsa", "k": "c2VjcmV0"}, {"kty": "RSA", "kid": "bad"}, {}]
    assert (await office.whoami(issuer.token())).role is Role.MARKER
    assert await office.why_not(issuer.token(kid="bad")) is NoAccessReason.TOKEN_INVALID
