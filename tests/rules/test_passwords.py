"""What may be a password, and what a verification gives away."""

from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memberstaff.accounts.passwords import AT_ONCE, MOST_WAITING, RESERVED, PasswordCheck, Passwords, acceptable
from memberstaff.errors import ErrorCode, RateLimited, Refusal

LONG = ("correct horse battery staple" * 10)[:256]
any_text = st.text(st.characters(codec=None))


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(time_cost=1, memory_kib=8)


async def test_the_password_that_was_set_is_right_and_another_is_not(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse battery")
    assert await passwords.verify(stored, "correct horse battery") == PasswordCheck(right=True)
    assert await passwords.verify(stored, "Correct horse battery") == PasswordCheck(right=False)


async def test_a_hash_holds_nothing_of_the_password_and_differs_each_time(passwords: Passwords) -> None:
    first, second = [await passwords.hash("correct horse battery") for _ in range(2)]
    assert first.startswith("$argon2id$")
    assert "horse" not in first
    assert first != second


async def test_an_accent_may_be_typed_composed_or_decomposed(passwords: Passwords) -> None:
    stored = await passwords.hash("crème brûlée")
    assert (await passwords.verify(stored, "cre\u0300me bru\u0302le\u0301e")).right


async def test_without_a_stored_hash_nothing_is_right_not_even_an_empty_password(
    passwords: Passwords,
) -> None:
    for password in ("", "correct horse battery", "x" * 300, "\ud800"):
        assert await passwords.verify(None, password) == PasswordCheck(right=False)


async def test_no_password_that_is_too_long_is_right_even_if_its_beginning_is(passwords: Passwords) -> None:
    stored = await passwords.hash(LONG)
    assert (await passwords.verify(stored, LONG)).right
    assert not (await passwords.verify(stored, f"{LONG}x")).right


async def test_a_missing_account_costs_what_a_wrong_password_costs(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared by the parameters of what is verified: times would make a test that fails at random."""
    verified: list[list[str]] = []
    verify = PasswordHasher.verify

    def noting(self: PasswordHasher, stored: str, password: bytes) -> bool:
        verified.append(stored.split("$"))
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", noting)
    for stored in (await passwords.hash("correct horse battery"), None):
        assert not (await passwords.verify(stored, "wrong horse battery")).right
    wrong, missing = verified
    assert wrong[:4] == missing[:4]
    assert [len(part) for part in wrong] == [len(part) for part in missing]


async def test_a_hash_of_another_strength_is_replaced_when_its_password_was_right() -> None:
    weaker, today = Passwords(time_cost=1, memory_kib=8), Passwords(time_cost=2, memory_kib=16)
    stored = await weaker.hash("correct horse battery")
    verdict = await today.verify(stored, "correct horse battery")
    assert verdict.right
    assert verdict.rehashed is not None
    assert await today.verify(verdict.rehashed, "correct horse battery") == PasswordCheck(right=True)
    assert await today.verify(stored, "wrong horse battery") == PasswordCheck(right=False)


async def test_a_stored_hash_that_is_none_lets_nobody_in(passwords: Passwords) -> None:
    assert await passwords.verify("not a hash", "correct horse battery") == PasswordCheck(right=False)


async def test_a_flood_is_turned_away_instead_of_queued_without_end(passwords: Passwords) -> None:
    slow = await Passwords(time_cost=4, memory_kib=65_536).hash("correct horse battery")  # nobody is done at once
    answers = await asyncio.gather(
        *(passwords.verify(slow, "guess") for _ in range(AT_ONCE)),
        *(passwords.verify(None, "guess") for _ in range(MOST_WAITING - AT_ONCE + 5)),
        *(passwords.verify(None, "guess", stranger=False) for _ in range(RESERVED + 3)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, RateLimited)]
    assert len(refused) == 5 + 3
    assert refused[0].extensions == {"retryAfter": 3}
    assert await passwords.verify(None, "guess") == PasswordCheck(right=False)


@pytest.mark.parametrize("password", ["twelve chars", "ünïcödé wörd", "🐎🐄🐖🐑🐐🐓🦆🐇🐕🐈🦔🐝", LONG])
def test_a_password_of_12_characters_to_256_bytes_is_acceptable(password: str) -> None:
    assert acceptable(password) == password.encode()


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("", "The password is shorter than 12 characters."),
        ("eleven char", "The password is shorter than 12 characters."),
        ("e\u0301" * 6, "The password is shorter than 12 characters."),
        ("x" * 257, "The password is longer than 256 bytes or contains invalid characters."),
        ("é" * 129, "The password is longer than 256 bytes or contains invalid characters."),
        ("\ud800" * 12, "The password is longer than 256 bytes or contains invalid characters."),
    ],
)
def test_any_other_password_is_refused_with_a_reason(password: str, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        acceptable(password)
    assert (refused.value.code, refused.value.message, refused.value.path) == (
        ErrorCode.INVALID,
        message,
        ("password",),
    )


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(password=any_text, stored=st.none() | any_text)
async def test_no_string_makes_a_verification_fail_or_succeed(
    passwords: Passwords, password: str, stored: str | None
) -> None:
    assert await passwords.verify(stored, password) == PasswordCheck(right=False)
