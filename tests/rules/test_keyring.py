"""Two secrets side by side: while the one takes the other's place, nobody is logged out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from memberstaff.accounts.refresh_tokens import RefreshTokens
from memberstaff.accounts.tokens import AccessTokens, Claims, NoAccess
from memberstaff.keyring import Key, Keyring
from memberstaff.notify.seal import NotSealed, Seal

SECRET = "a secret of the tests, long enough for HS256"
NOW = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
CLAIMS = Claims("session-1", 7, NOW + timedelta(minutes=15))

NEW_SECRET = "the secret that takes the other one's place"
STEPS = [Keyring(SECRET), Keyring(SECRET, NEW_SECRET), Keyring(NEW_SECRET, SECRET), Keyring(NEW_SECRET)]
"""The settings of a server while the secret is changed, one step after the other."""


@pytest.mark.parametrize(("one", "other"), [*pairwise(STEPS), *pairwise(reversed(STEPS))])
def test_what_a_server_issues_is_good_on_one_that_is_a_step_ahead_or_behind(one: Keyring, other: Keyring) -> None:
    assert AccessTokens(other).read(AccessTokens(one).issue(CLAIMS, now=NOW), now=NOW) == CLAIMS
    first = RefreshTokens(one).issue("session-1")
    assert RefreshTokens(other).session_of(first) == "session-1"
    own = next(RefreshTokens(one).successors(first, NOW))
    assert own in set(RefreshTokens(other).successors(first, NOW))
    assert RefreshTokens(other).session_of(own) == "session-1"
    assert Seal(other, "notifications").open(Seal(one, "notifications").seal(b"a mark")) == b"a mark"


def test_a_secret_that_was_taken_away_opens_nothing() -> None:
    before, after = STEPS[0], STEPS[-1]
    with pytest.raises(NoAccess):
        AccessTokens(after).read(AccessTokens(before).issue(CLAIMS, now=NOW), now=NOW)
    assert RefreshTokens(after).session_of(RefreshTokens(before).issue("session-1")) is None
    with pytest.raises(NotSealed):
        Seal(after, "notifications").open(Seal(before, "notifications").seal(b"a mark"))


def test_what_is_new_is_made_with_the_current_secret_only() -> None:
    sealed = Seal(STEPS[2], "notifications").seal(b"a mark")
    assert Seal(STEPS[3], "notifications").open(sealed) == b"a mark"
    issued = AccessTokens(STEPS[2]).issue(CLAIMS, now=NOW)
    assert AccessTokens(STEPS[3]).read(issued, now=NOW) == CLAIMS
    old = RefreshTokens(STEPS[1]).issue("session-1")
    assert RefreshTokens(STEPS[3]).session_of(next(RefreshTokens(STEPS[2]).successors(old, NOW))) == "session-1"


def test_each_purpose_has_keys_of_its_own_whose_ids_do_not_show_them() -> None:
    keys = [key for purpose in ("a", "b") for key in Keyring(SECRET, NEW_SECRET).keys(purpose)]
    assert len({key.id for key in keys}) == len({key.secret for key in keys}) == 4
    assert all(key.secret.hex() not in repr(key) and len(key.secret) == 32 for key in keys)
    assert Key.derive(SECRET, "a") == keys[0]
