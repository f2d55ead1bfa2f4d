"""What is kept stays within its bound, and nobody can push out what the others use."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memberstaff.fanout.byte_lru import OVERHEAD, ByteLRU


def test_the_longest_unused_goes_first() -> None:
    kept: ByteLRU[str] = ByteLRU(4 * (OVERHEAD + 100))
    for key in "abcd":
        kept.put(key, b"x" * 100, owner=key)
    assert kept.get("a") == b"x" * 100
    kept.put("e", b"x" * 100, owner="e")
    assert [key for key in "abcde" if kept.get(key) is not None] == ["a", "c", "d", "e"]


def test_an_owner_pushes_out_its_own() -> None:
    kept: ByteLRU[str] = ByteLRU(8 * OVERHEAD)
    kept.put("yours", b"", owner="you")
    for key in "abc":
        kept.put(key, b"", owner="me")
    assert [key for key in ("yours", *"abc") if kept.get(key) is not None] == ["yours", "b", "c"]


def test_what_is_larger_than_a_share_is_not_kept() -> None:
    kept: ByteLRU[str] = ByteLRU(4 * OVERHEAD)
    kept.put("a", b"x")
    assert (kept.get("a"), kept.bytes) == (None, 0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2_000), st.integers(0, 3))))
def test_its_size_is_what_it_says_and_never_above_the_bound(puts: list[tuple[int, int, int]]) -> None:
    kept: ByteLRU[int] = ByteLRU(10_000)
    for key, size, owner in puts:
        kept.put(key, b"x" * size, owner)
        values = [value for value in map(kept.get, range(10)) if value is not None]
        assert kept.bytes == sum(len(value) + OVERHEAD for value in values) <= 10_000
        assert len(kept) == len(values)
