"""Sequences: text by whose order a client tells which of two answers about the same object is the newer one."""

from __future__ import annotations

LENGTHS = "0123456789abcdefg"
"""Of a number in hexadecimal, of which a column holds sixteen digits."""


def sequence(*numbers: int) -> str:
    """Text that sorts, character by character, as these numbers do: the first one that differs decides.

    Each number, which is below 2⁶⁴, stands in hexadecimal after the number of its digits: a longer one is larger.
    """
    return "".join(f"{LENGTHS[len(digits)]}{digits}" for digits in (f"{number:x}" for number in numbers))
