"""Filters of queries and feeds by person and category."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, TypeVar

import strawberry

from memberstaff.errors import ErrorCode, Refusal
from memberstaff.staff.queries import StaffFilter

from .ids import staff_key

MOST_LISTED = 1_000
"""Values in a filter: as many as the largest page has. Each is a parameter in SQL."""

LONGEST_SEARCH = 200
"""Characters. Each word is a condition in SQL, of which SQLite allows a thousand."""

SEARCH = f"Words that the name or the category contains, ignoring case and accents; up to {LONGEST_SEARCH} characters."

Search = Annotated[str | None, strawberry.argument(description=SEARCH)]
"""The argument of lists of people. It never searches notes."""


@strawberry.input(
    description=(
        "Some of the people: those who match every field that is given. Only by what a mark cannot change, so that "
        "none moves a record out of a feed."
    )
)
class StaffScope:
    """See `StaffFilter`."""

    staff_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description=f"Only these people, up to {MOST_LISTED:,}: ids of Staff."
    )
    categories: list[str] | None = strawberry.field(
        default=None,
        description=f"Only people of these categories, up to {MOST_LISTED:,}, spelt exactly as they are stored.",
    )

    def numbers(self) -> tuple[int, ...] | None:
        """The people's numbers; raises Refusal for an invalid id."""
        ids = unique_values(self.staff_ids, "people", "staffIds")
        return None if ids is None else tuple(staff_key(staff_id) for staff_id in ids)


def staff_filter(scope: StaffScope | None, on: dt.date, search: str | None = None) -> StaffFilter:
    """The queries' filter for a scope; raises Refusal."""
    if search is not None and len(search) > LONGEST_SEARCH:
        raise Refusal(ErrorCode.INVALID, f"A search may have at most {LONGEST_SEARCH} characters.", "search")
    if scope is None:
        return StaffFilter(on=on, search=search)
    categories = unique_values(scope.categories, "categories", "categories")
    return StaffFilter(on=on, categories=categories, staff_ids=scope.numbers(), search=search)


T = TypeVar("T")


def unique_values(values: Sequence[T] | None, what: str, path: str) -> tuple[T, ...] | None:
    """A filter's values without duplicates; raises Refusal if there are more than `MOST_LISTED`."""
    if values is None:
        return None
    unique = tuple(dict.fromkeys(values))
    if len(unique) > MOST_LISTED:
        raise Refusal(ErrorCode.LIMIT_EXCEEDED, f"A request may have at most {MOST_LISTED:,} {what}.", path)
    return unique
