"""What is sealed opens with the same secret for the same purpose, and nothing else does."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.keyring import Keyring
from memberstaff.notify.seal import NotSealed, Seal

SECRET = "for tests only, and long enough for HS256"
OURS = Seal(Keyring(SECRET), "notifications on board")


@given(st.binary(max_size=2_000))
def test_what_is_sealed_opens(text: bytes) -> None:
    assert OURS.open(OURS.seal(text)) == text
    assert Seal(Keyring(SECRET), "notifications on board").open(OURS.seal(text).encode()) == text


def test_the_same_text_is_sealed_differently_each_time() -> None:
    assert len({OURS.seal(b"a mark") for _ in range(100)}) == 100


@given(st.text() | st.binary() | st.binary().map(b64encode))
def test_nothing_else_opens(message: str | bytes) -> None:
    with pytest.raises(NotSealed):
        OURS.open(message)


@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_sealed_message_in_which_one_byte_was_changed_does_not_open(place: int, by: int) -> None:
    sealed = bytearray(b64decode(OURS.seal(b"Amina is late")))
    sealed[place % len(sealed)] ^= by
    with pytest.raises(NotSealed):
        OURS.open(b64encode(sealed))


@pytest.mark.parametrize(
    "other",
    [
        Seal(Keyring(f"{SECRET}!"), "notifications on board"),
        Seal(Keyring(SECRET), "presence on board"),
        Seal(Keyring(SECRET), ""),
    ],
)
def test_another_secret_and_another_purpose_do_not_open_it(other: Seal) -> None:
    with pytest.raises(NotSealed):
        OURS.open(other.seal(b"a mark"))
