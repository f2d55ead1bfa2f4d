"""Which passwords are refused although they are long enough, and which are not."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.accounts.guessable import is_guessable
from memberstaff.accounts.passwords import acceptable
from memberstaff.errors import ErrorCode, Refusal

AMINA = ("amina.diallo@hill.example", "Amina Diallo", "Hill School")


def refused(password: str, about: tuple[str, ...] = AMINA) -> bool:
    """Whether it may not be the password of an account, and is refused for nothing but that."""
    try:
        acceptable(password, about)
    except Refusal as refusal:
        assert (refusal.code, refusal.path) == (ErrorCode.INVALID, ("password",))
        assert refusal.message == (
            "The password is easy to guess: apart from common words, patterns, and the names and address of the "
            "account or the organisation, too little is left. Use four words that have nothing to do with each other, "
            "or let a password manager make one."
        )
        return True
    return False


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "PASSWORD1234",
        "Password123!",
        "P@ssw0rd2026!",
        "ｐａｓｓｗｏｒｄ１２３４",
        "pässwörd1234",
        "Willkommen2026",
        "contraseña2026",
        "Contrasena2026",
        "drowssap1234",
        "Summer2026!!",
        "Summer2026!!!",
        "Winter-2026-!",
        "Januar2026!!!",
        "Mittwoch1234!",
        "p.a.s.s.w.o.r.d",
        "pass-word-1234",
        "Attendance2026!",
        "welcome12345",
        "changeme12345",
        "motherfucker",
        "administrator",
    ],
)
def test_a_common_password_is_refused_however_it_is_dressed_up(password: str) -> None:
    assert refused(password)


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaaaa",
        "a" * 256,
        "🐎" * 12,
        "            ",
        "abababababab",
        "aaaaaaaaaaab",
        "aaabbbcccddd",
        "aabbccddeeff",
        "qx7#qx7#qx7#qx7#",
        "letmeinletmein",
    ],
)
def test_a_repetition_is_refused(password: str) -> None:
    assert refused(password)


@pytest.mark.parametrize(
    "password",
    [
        "abcdefghijkl",
        "lkjihgfedcba",
        "123456789012",
        "qwertyuiop12",
        "1qaz2wsx3edc4rfv",
        "qwertzuiopasdf",
        "йцукен123456",
        "12344321abcd",
    ],
)
def test_a_sequence_is_refused(password: str) -> None:
    assert refused(password)


@pytest.mark.parametrize(
    "password", ["12.03.1985!!", "1985-03-12!?", "03/31/1985 !", "19850312 19850312", "31121999abcd", "x1999-12-31x."]
)
def test_a_date_is_refused_in_any_order(password: str) -> None:
    assert refused(password)


@pytest.mark.parametrize(
    "password",
    [
        "amina.diallo@hill.example",
        "AminaDiallo1!",
        "diallo amina 7",
        "amina@hill.example",
        "HillSchool2026",
        "hill-school-hill",
        "memberstaff2026",
        "MemberStaff!!!",
    ],
)
def test_what_is_known_of_the_account_is_no_password(password: str) -> None:
    assert refused(password)


@pytest.mark.parametrize("password", ["Amina, gardens & rain", "gardens-rain-amina"])
def test_an_accounts_name_may_stand_in_a_password_that_is_good_without_it(password: str) -> None:
    assert not refused(password)


def test_a_name_is_only_that_accounts() -> None:
    assert not refused("ogbonnadiallo", ())
    assert refused("ogbonnadiallo", ("ogbonna.diallo@hill.example",))


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "correcthorsebatterystaple",
        "monkey dragon sunshine",
        "the train was late",
        "ünïcödé wörd",
        "a!b@c#d$e%f^",
        "839201748392",
        "лошадь батарея скрепка",
    ],
)
def test_unrelated_words_and_characters_are_a_password(password: str) -> None:
    assert not refused(password)


def test_what_a_password_manager_makes_is_taken() -> None:
    assert not any(refused(secrets.token_urlsafe(12)) for _ in range(200))


@given(st.text(max_size=300), st.lists(st.text(max_size=30), max_size=3))
def test_any_text_is_judged(password: str, about: list[str]) -> None:
    is_guessable(password, about)
