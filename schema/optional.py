"""Optional inputs: omitted means unchanged, null clears."""

from __future__ import annotations

from typing import Protocol, TypeVar

from memberstaff.inputs import UNSET, Unset

T_co = TypeVar("T_co", covariant=True)


class Said(Protocol[T_co]):
    """What Strawberry makes of an input that is there: its `Some`."""

    @property
    def value(self) -> T_co:
        """What was said; None for null."""


def kept(said: Said[T_co] | None) -> T_co | Unset:
    """An optional input (Strawberry's `Maybe`) as the commands take it."""
    return UNSET if said is None else said.value
