"""Optional inputs: omitted means unchanged, null clears."""

from __future__ import annotations

from typing import Protocol, TypeVar

from memberstaff.inputs import UNSET, Unset

T_co = TypeVar("T_co", covariant=True)


class SomeValue(Protocol[T_co]):
    """Strawberry's `Some`: an input that was given."""

    @property
    def value(self) -> T_co:
        """None for null."""


def value_or_unset(given: SomeValue[T_co] | None) -> T_co | Unset:
    """The value of Strawberry's `Maybe`, or UNSET if it was omitted."""
    return UNSET if given is None else given.value
