"""Optional inputs: omitted means unchanged, null clears."""

from __future__ import annotations

from typing import Protocol, TypeVar

from memberstaff.partial import KEEP, Keep

T_co = TypeVar("T_co", covariant=True)


class Said(Protocol[T_co]):
    """What Strawberry makes of an input that is there: its `Some`."""

    @property
    def value(self) -> T_co:
        """What was said; None for null."""


def kept(said: Said[T_co] | None) -> T_co | Keep:
    """An optional input (Strawberry's `Maybe`) as the commands take it."""
    return KEEP if said is None else said.value
