"""How often somebody may try: counted for all processes together, and soon forgotten."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from memberstaff.accounts import login_limits
from memberstaff.accounts.login_limits import Source
from memberstaff.db.database import Database
from memberstaff.db.tables import rate_limit
from memberstaff.errors import RateLimited, Refusal
from tests.clock import TurnedClock
from tests.services.office import Office, process

AMINA = "amina@example.org"
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.9"


async def attempt(office: Office, email: str = AMINA, address: str = HOME) -> str:
    """What comes of a wrong password: it is looked at, or not any more."""
    try:
        await office.login(email, "wrong horse battery", address)
    except Refusal:
        return "looked at"
    except RateLimited as limited:
        return f"wait {limited.extensions['retryAfter']} s"
    raise AssertionError("a wrong password was right")


async def test_five_attempts_a_minute_and_then_one_every_twelve_seconds(office: Office) -> None:
    assert [await attempt(office) for _ in range(7)] == ["looked at"] * 5 + ["wait 12 s"] * 2
    office.clock.turn(seconds=11.999)
    assert await attempt(office) == "wait 1 s"
    office.clock.turn(seconds=0.001)
    assert [await attempt(office) for _ in range(2)] == ["looked at", "wait 12 s"]
    office.clock.turn(minutes=1)
    assert [await attempt(office) for _ in range(6)] == ["looked at"] * 5 + ["wait 12 s"]


async def test_the_refusal_says_when_to_try_again(office: Office) -> None:
    for _ in range(5):
        await attempt(office)
    with pytest.raises(RateLimited, match=r"^Too many attempts\. Try again in 12 seconds\.$"):
        await office.login(AMINA)


async def test_attempts_that_succeed_count_as_well(office: Office) -> None:
    await office.employ(AMINA)
    for _ in range(5):
        await office.login(AMINA)
    with pytest.raises(RateLimited):
        await office.login(AMINA)


async def test_the_right_password_does_not_help_once_there_were_too_many(office: Office) -> None:
    await office.employ(AMINA)
    for _ in range(5):
        await attempt(office)
    with pytest.raises(RateLimited):
        await office.login(AMINA)
    assert await office.login(AMINA, address=ELSEWHERE)


async def test_an_account_is_the_same_in_any_spelling(office: Office) -> None:
    for _ in range(5):
        await attempt(office, " AMINA@Example.org")
    assert await attempt(office, AMINA) == "wait 12 s"


@pytest.mark.parametrize("engine", ["sqlite"])  # to count some more is no other statement
async def test_one_address_has_a_hundred_attempts_on_all_accounts(office: Office) -> None:
    spent = [await attempt(office, f"pupil{number}@example.org") for number in range(101)]
    assert spent == ["looked at"] * 100 + ["wait 1 s"]
    assert await attempt(office, "pupil0@example.org", ELSEWHERE) == "looked at"


@pytest.mark.parametrize("engine", ["sqlite"])  # to count some more is no other statement
async def test_hammering_one_account_does_not_lock_out_the_school(office: Office) -> None:
    for _ in range(200):
        await attempt(office)
    assert await attempt(office, "ben@example.org") == "looked at"


async def test_an_account_has_sixty_wrong_attempts_an_hour_from_all_addresses_together(office: Office) -> None:
    await office.employ(AMINA)
    spent = [await attempt(office, address=f"198.51.100.{number}") for number in range(61)]
    assert spent == ["looked at"] * 60 + ["wait 60 s"]
    with pytest.raises(RateLimited):
        await office.login(AMINA, address="203.0.113.7")
    assert await attempt(office, "ben@example.org", "198.51.100.60") == "looked at"
    office.clock.turn(minutes=1)
    assert [await attempt(office, address=f"203.0.113.{number}") for number in range(2)] == ["looked at", "wait 60 s"]


@pytest.mark.parametrize("engine", ["sqlite"])  # to count some more is no other statement
async def test_whoever_knows_the_password_may_log_in_more_often_than_that(office: Office) -> None:
    await office.employ(AMINA)
    for number in range(70):
        await office.login(AMINA, address=f"198.51.100.{number}")
    assert [await attempt(office, address=f"203.0.113.{number}") for number in range(61)] == (
        ["looked at"] * 60 + ["wait 60 s"]
    )


async def test_an_ipv6_network_has_more_attempts_than_a_network_within_it_and_far_fewer_than_all_of_these(
    database: Database, clock: TurnedClock
) -> None:
    async with process(database, clock, logins_per_minute_per_address=3) as office:
        of_64 = [await attempt(office, f"a{n}@example.org", f"2001:db8:1:1::{n}") for n in range(5)]
        assert of_64 == ["looked at"] * 3 + ["wait 20 s"] * 2
        of_56 = [await attempt(office, f"b{n}@example.org", f"2001:db8:1:1{n:x}::1") for n in range(8)]
        assert of_56 == ["looked at"] * 3 + ["wait 10 s"] * 5  # 6 in all
        of_48 = [await attempt(office, f"c{n}@example.org", f"2001:db8:1:a{n:x}00::1") for n in range(8)]
        assert of_48 == ["looked at"] * 6 + ["wait 5 s"] * 2  # 12 in all
        assert await attempt(office, "d@example.org", "2001:db8:2::1") == "looked at"


async def test_what_is_no_address_has_no_password_to_be_guessed_and_is_not_counted_for_everybody(
    office: Office,
) -> None:
    spent = {await attempt(office, f"typo {n}", f"198.51.100.{n}") for n in range(70)}
    assert spent == {"looked at"}


async def test_two_processes_share_the_allowance_even_at_the_same_moment(
    office: Office, database: Database, clock: TurnedClock
) -> None:
    async with process(database, clock) as other:
        outcomes = await asyncio.gather(*(attempt(one) for one in (office, other) for _ in range(5)))
    assert sorted(outcomes) == ["looked at"] * 5 + ["wait 12 s"] * 5


@pytest.mark.parametrize("apart", [1, 29_000], ids=["a millisecond", "29 seconds"])
async def test_neither_a_clock_that_is_behind_nor_a_request_that_was_overtaken_gives_a_second_allowance(
    office: Office, database: Database, apart: int
) -> None:
    behind = TurnedClock()
    behind.turn(milliseconds=-apart)
    async with process(database, behind) as other:
        assert [await attempt(office) for _ in range(5)] == ["looked at"] * 5
        assert "looked at" not in [await attempt(other) for _ in range(5)]


async def test_refreshes_are_counted_by_session_but_made_up_tokens_cost_nothing(
    database: Database, clock: TurnedClock
) -> None:
    async with process(database, clock, refreshes_per_minute=3) as office:
        await office.employ(AMINA)
        opened, other = [await office.login(AMINA) for _ in range(2)]
        for _ in range(10):
            with pytest.raises(Refusal):
                await office.accounts.refresh("made up")
        for _ in range(3):
            opened = await office.accounts.refresh(opened.refresh_token)
        with pytest.raises(RateLimited):
            await office.accounts.refresh(opened.refresh_token)
        assert await office.accounts.refresh(other.refresh_token)
        office.clock.turn(seconds=20)
        assert await office.accounts.refresh(opened.refresh_token)


async def test_a_refresh_that_fails_counts_as_well(database: Database, clock: TurnedClock) -> None:
    async with process(database, clock, refreshes_per_minute=3) as office:
        await office.employ(AMINA)
        opened = await office.login(AMINA)
        await office.accounts.logout(opened.access_token)
        for _ in range(3):
            with pytest.raises(Refusal):
                await office.accounts.refresh(opened.refresh_token)
        with pytest.raises(RateLimited):
            await office.accounts.refresh(opened.refresh_token)


async def test_what_is_kept_names_neither_the_account_nor_the_address(office: Office) -> None:
    await attempt(office)
    async with office.database.read() as reading:
        keys = [row.key for row in await reading.rows(select(rate_limit.c.key))]
    assert len(keys) == 3
    assert all(len(key) == 64 and AMINA not in key and HOME not in key for key in keys)


async def test_a_clock_that_is_set_back_locks_nobody_out(office: Office) -> None:
    for _ in range(5):
        await attempt(office)
    office.clock.turn(days=-1)
    assert [await attempt(office) for _ in range(6)] == ["looked at"] * 5 + ["wait 12 s"]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
async def test_any_address_and_any_account_can_be_counted(office: Office, email: str, address: str) -> None:
    office.clock.turn(minutes=1)
    async with office.database.write() as work:
        await login_limits.take_login(work, office.settings, Source(email, address))
