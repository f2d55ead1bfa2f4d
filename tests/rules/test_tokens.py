"""Tokens: what is accepted, what is said about the rest, and what no string can do."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memberstaff.accounts.refresh_tokens import LONGEST, RefreshTokens, fingerprint
from memberstaff.accounts.tokens import AccessTokens, Claims, NoAccess, NoAccessReason, instant, issuer
from memberstaff.errors import RequestErrorCode
from memberstaff.keyring import Keyring

SECRET = "a secret of the tests, long enough for HS256"
KEYRING = Keyring(SECRET)
KEY = KEYRING.keys("access tokens").current
NOW = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
TOKENS = AccessTokens(KEYRING)
CLAIMS = Claims("session-1", 7, NOW + timedelta(minutes=15))
GOOD: dict[str, Any] = {
    "iss": "memberstaff",
    "aud": "memberstaff",
    "sub": "7",
    "sid": "session-1",
    "iat": 1768464000,
    "exp": 1768464900,
}

any_text = st.text(st.characters(codec=None))
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def signed(
    said: dict[str, Any], *, key: bytes = KEY.secret, algorithm: str = "HS256", header: dict[str, Any] | None = None
) -> str:
    """A token made by somebody who knows JWT, and our key unless they have another."""
    return jwt.encode(said, key, algorithm=algorithm, headers={"kid": KEY.id} if header is None else header)


def signed_by_hand(header: dict[str, Any]) -> str:
    """A token under our own signature with a header that no library writes."""
    text = unsigned(header, GOOD).rpartition(".")[0]
    signature = hmac.digest(KEY.secret, text.encode(), sha256)
    return f"{text}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def unsigned(header: object, said: object, signature: bytes = b"") -> str:
    """A token made by hand."""
    parts = (json.dumps(header).encode(), json.dumps(said).encode(), signature)
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def why_not(token: str) -> NoAccessReason:
    with pytest.raises(NoAccess) as refused:
        TOKENS.read(token, now=NOW)
    return refused.value.reason


def test_a_token_says_what_it_was_issued_for() -> None:
    assert TOKENS.read(TOKENS.issue(CLAIMS, now=NOW), now=NOW) == CLAIMS
    assert TOKENS.read(signed(GOOD), now=NOW) == CLAIMS


def test_a_token_is_good_until_its_last_second_and_then_says_that_it_has_expired() -> None:
    token = TOKENS.issue(CLAIMS, now=NOW)
    assert TOKENS.read(token, now=NOW + timedelta(seconds=899.999)) == CLAIMS
    with pytest.raises(NoAccess) as refused:
        TOKENS.read(token, now=NOW + timedelta(seconds=900))
    assert refused.value.message == "The access token has expired. Refresh the session, or log in again."
    assert refused.value.code is RequestErrorCode.UNAUTHENTICATED
    assert refused.value.extensions == {"reason": "TOKEN_EXPIRED"}


def test_a_token_never_outlives_its_session_by_a_fraction_of_a_second() -> None:
    claims = Claims("session-1", 7, NOW + timedelta(seconds=60.75))
    assert TOKENS.read(TOKENS.issue(claims, now=NOW), now=NOW).expires_at == NOW + timedelta(seconds=60)


def test_a_bad_token_is_called_bad_and_nothing_else_is_said() -> None:
    with pytest.raises(NoAccess) as refused:
        TOKENS.read("nonsense", now=NOW)
    assert refused.value.message == "The access token is not valid. Log in again."
    assert refused.value.extensions == {"reason": "TOKEN_INVALID"}


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid", "exp"])
def test_a_token_without_one_of_its_claims_is_refused(claim: str) -> None:
    assert (
        why_not(signed({name: value for name, value in GOOD.items() if name != claim})) is NoAccessReason.TOKEN_INVALID
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "somebody"},
        {"aud": "something"},
        {"sub": "-7"},
        {"sub": "\u0667"},
        {"sub": "1e3"},
        {"sub": ""},
        {"sub": 7},
        {"sub": "9" * 19},
        {"sid": 1},
        {"sid": None},
        {"exp": "1768464900"},
        {"exp": True},
        {"exp": -1},
        {"exp": 10**15},
        {"exp": float("nan")},
        {"exp": float("inf")},
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(wrong: dict[str, Any]) -> None:
    assert why_not(signed(GOOD | wrong)) is NoAccessReason.TOKEN_INVALID


def test_a_token_signed_with_another_key_or_algorithm_is_refused() -> None:
    other = b"another secret of the tests, which is longer than 64 bytes, as HS512 wants it"
    assert why_not(signed(GOOD, key=other)) is NoAccessReason.TOKEN_INVALID
    assert why_not(signed(GOOD, key=SECRET.encode())) is NoAccessReason.TOKEN_INVALID  # keys are derived from it
    assert why_not(signed(GOOD, key=KEY.secret * 2, algorithm="HS512")) is NoAccessReason.TOKEN_INVALID
    assert why_not(unsigned({"alg": "none", "typ": "JWT", "kid": KEY.id}, GOOD)) is NoAccessReason.TOKEN_INVALID
    assert why_not(unsigned({"alg": "HS256", "kid": KEY.id}, GOOD)) is NoAccessReason.TOKEN_INVALID
    assert why_not(signed_by_hand({"alg": "none", "kid": KEY.id})) is NoAccessReason.TOKEN_INVALID


@pytest.mark.parametrize(
    "key_id",
    [
        None,
        "",
        "00000000",
        KEY.id.swapcase(),
        f"{KEY.id}\x00",
        f" {KEY.id}",
        KEYRING.keys("refresh tokens").current.id,
        "../../../../dev/null",
        "' UNION SELECT 'key",
        "k" * 5_000,
        [KEY.id],
        {KEY.id: KEY.id},
        0,
        True,
    ],
)
def test_a_token_that_does_not_name_a_key_of_access_tokens_is_refused(key_id: Any) -> None:
    assert why_not(signed_by_hand({"alg": "HS256", "typ": "JWT", "kid": key_id})) is NoAccessReason.TOKEN_INVALID
    assert why_not(signed(GOOD, header={})) is NoAccessReason.TOKEN_INVALID


def test_a_token_names_the_key_of_access_tokens_and_no_other_key_signs_one() -> None:
    assert jwt.get_unverified_header(TOKENS.issue(CLAIMS, now=NOW)) == {"alg": "HS256", "typ": "JWT", "kid": KEY.id}
    assert TOKENS.read(signed_by_hand({"alg": "HS256", "kid": KEY.id}), now=NOW) == CLAIMS
    for purpose in ("refresh tokens", "Echo subscriptions"):
        other = KEYRING.keys(purpose).current
        for key_id in (KEY.id, other.id):
            assert why_not(signed(GOOD, key=other.secret, header={"kid": key_id})) is NoAccessReason.TOKEN_INVALID


def test_a_token_with_one_character_changed_is_refused() -> None:
    token = TOKENS.issue(CLAIMS, now=NOW)
    middle = token.index(".") + 5
    assert (
        why_not(token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :])
        is NoAccessReason.TOKEN_INVALID
    )


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "\x00",
        "\ud800.\ud800.\ud800",
        "x" * 100_000,
        unsigned([], []),
        unsigned({"alg": "HS256"}, 5),
        ".".join([urlsafe_b64encode(b'{"alg":"HS256"}').decode(), urlsafe_b64encode(b"[" * 6_000).decode(), "A"]),
    ],
)
def test_strings_that_have_broken_parsers_are_bad_tokens(token: str) -> None:
    assert why_not(token) is NoAccessReason.TOKEN_INVALID
    with pytest.raises(NoAccess):
        issuer(token)


@settings(deadline=None)
@given(any_text)
def test_any_string_is_a_bad_token_and_raises_nothing_else(token: str) -> None:
    assert why_not(token) is NoAccessReason.TOKEN_INVALID


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(GOOD)), any_json))
def test_any_claims_under_our_own_signature_are_read_or_refused(changed: dict[str, Any]) -> None:
    try:
        assert isinstance(TOKENS.read(signed(GOOD | {"iss": "memberstaff"} | changed), now=NOW), Claims)
    except NoAccess as refused:
        assert refused.reason in {NoAccessReason.TOKEN_INVALID, NoAccessReason.TOKEN_EXPIRED}
    except TypeError as unsignable:  # PyJWT does not sign an `iss` or `aud` that is no string
        assert "Issuer" in str(unsignable) or "aud" in str(unsignable)


@settings(deadline=None)
@given(any_json, any_json)
def test_the_unverified_issuer_of_anything_is_found_or_refused(header: Any, said: Any) -> None:
    try:
        issuer(unsigned(header, said))
    except NoAccess as refused:
        assert refused.reason is NoAccessReason.TOKEN_INVALID


def test_a_date_in_a_token_is_an_instant_in_whole_milliseconds() -> None:
    assert instant(1768464000) == NOW
    assert instant(1768464000.1239) == NOW + timedelta(milliseconds=123)


REFRESH = RefreshTokens(KEYRING)


def test_a_refresh_token_names_its_session_and_each_is_new() -> None:
    first, second = REFRESH.issue("session-1"), REFRESH.issue("session-1")
    assert first != second
    assert REFRESH.session_of(first) == REFRESH.session_of(second) == "session-1"
    assert len(REFRESH.issue("s" * 32)) == 129 <= LONGEST


def test_a_successor_is_the_same_for_the_same_use_and_another_for_any_other() -> None:
    first, second = REFRESH.issue("session-1"), REFRESH.issue("session-1")
    [successor] = REFRESH.successors(first, NOW)
    assert list(REFRESH.successors(first, NOW)) == [successor]
    assert REFRESH.session_of(successor) == "session-1"
    others = [
        next(REFRESH.successors(token, at)) for token, at in [(second, NOW), (first, NOW + timedelta(milliseconds=1))]
    ]
    assert len({first, second, successor, *others}) == 5


def test_a_refresh_token_is_known_only_to_those_who_have_the_secret() -> None:
    token = RefreshTokens(Keyring("the secret of another installation, as long")).issue("session-1")
    assert REFRESH.session_of(token) is None


def test_a_refresh_token_moved_to_another_session_is_not_ours() -> None:
    token = REFRESH.issue("session-1")
    assert REFRESH.session_of(token.replace("session-1", "session-2")) is None
    assert REFRESH.session_of(token + "A") is None
    assert REFRESH.session_of(token[:-1]) is None


def test_a_refresh_token_that_names_another_key_is_not_ours() -> None:
    own, _, rest = REFRESH.issue("session-1").partition(".")
    for key_id in ("", "00000000", own.swapcase(), f" {own}", KEY.id, "../../dev/null", "k" * 100, f"{own}.{own}"):
        assert REFRESH.session_of(f"{key_id}.{rest}") is None
    text = f"{KEY.id}.session-1.secret"  # signed as access tokens are
    signature = urlsafe_b64encode(hmac.digest(KEY.secret, text.encode(), sha256)).rstrip(b"=").decode()
    assert REFRESH.session_of(f"{text}.{signature}") is None


def test_what_successors_are_derived_with_signs_no_token() -> None:
    first = REFRESH.issue("session-1")
    secret = next(REFRESH.successors(first, NOW)).split(".")[2]
    assert REFRESH.session_of(f"successor of {first} at {NOW.timestamp()}.{secret}") is None


def test_an_access_token_is_no_refresh_token_nor_the_reverse() -> None:
    assert REFRESH.session_of(TOKENS.issue(CLAIMS, now=NOW)) is None
    assert why_not(REFRESH.issue("session-1")) is NoAccessReason.TOKEN_INVALID


def test_what_is_kept_of_a_refresh_token_does_not_hold_it() -> None:
    token = REFRESH.issue("session-1")
    assert len(fingerprint(token)) == 64
    assert token.rpartition(".")[2] not in fingerprint(token)


@settings(deadline=None)
@given(any_text)
def test_no_string_is_taken_for_a_refresh_token(token: str) -> None:
    assert REFRESH.session_of(token) is None
