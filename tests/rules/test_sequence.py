"""Sequences sort as the numbers that they are made of."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as some

from memberstaff.attendance.sequence import sequence

NUMBERS = some.integers(0, 2**64 - 1)
TRIPLES = some.tuples(NUMBERS, NUMBERS, NUMBERS)


@example((1, 9, 0), (1, 16, 0))
@example((1, 2**64 - 1, 0), (2, 0, 0))
@given(TRIPLES, TRIPLES)
def test_the_first_number_that_differs_decides(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    assert (sequence(*one) < sequence(*other), sequence(*one) == sequence(*other)) == (one < other, one == other)


def test_a_sequence_is_short() -> None:
    assert sequence(1_795_000_000, 12, 7) == "86afd86c01c17"
