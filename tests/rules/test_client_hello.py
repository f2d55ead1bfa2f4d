"""When a ClientHello has arrived, however it is cut into records and pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.server.client_hello import length

sizes = st.lists(st.integers(1, 300), min_size=1, max_size=8)


def records(message: bytes, cut: list[int]) -> bytes:
    """The message in records of these sizes, in rotation."""
    found, start, number = b"", 0, 0
    while start < len(message):
        piece = message[start : start + cut[number % len(cut)]]
        found += b"\x16\x03\x01" + len(piece).to_bytes(2) + piece
        start, number = start + len(piece), number + 1
    return found


@given(st.binary(max_size=600), sizes, st.binary(max_size=40))
def test_it_has_arrived_with_its_last_byte_and_not_before(body: bytes, cut: list[int], behind: bytes) -> None:
    whole = records(b"\x01" + len(body).to_bytes(3) + body, cut)
    assert length(whole + behind) == len(whole)
    for end in range(len(whole)):
        assert end < length(whole[:end]) <= len(whole)


@given(st.binary(max_size=100))
def test_whatever_comes_is_waited_for_or_left_to_the_handshake(received: bytes) -> None:
    assert length(received) >= 0


@pytest.mark.parametrize("received", [b"GET / HTTP/1.1\r\n", b"\x15\x03\x01\x00\x02", b"\x16\x03\x01\x00\x00"])
def test_what_is_no_handshake_is_not_waited_for(received: bytes) -> None:
    assert length(received) <= len(received)
