"""Optional inputs: omitted means unchanged; null clears, or is INVALID where there is nothing to clear."""

from __future__ import annotations

from typing import Protocol, TypeVar

from memberstaff.errors import ErrorCode, Refusal
from memberstaff.inputs import UNSET, Unset

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class SomeValue(Protocol[T_co]):
    """Strawberry's `Some`: an input that was given."""

    @property
    def value(self) -> T_co:
        """None for null."""


def value_or_unset(given: SomeValue[T_co] | None) -> T_co | Unset:
    """The value of Strawberry's `Maybe`, or UNSET if it was omitted."""
    return UNSET if given is None else given.value


def value_or_none(given: SomeValue[T | None] | None, path: str) -> T | None:
    """The value of a `Maybe` that cannot be cleared, or None if it was omitted. Raises Refusal for null."""
    if given is None:
        return None
    if given.value is None:
        raise Refusal(ErrorCode.INVALID, f"{path} cannot be null. Leave it out to keep it as it is.", path)
    return given.value
