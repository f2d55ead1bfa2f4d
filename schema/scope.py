"""Which people a query or a feed is about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TypeVar

import strawberry

from memberstaff.errors import ErrorCode, Refusal
from memberstaff.staff.queries import StaffFilter
from schema.ids import staff_key

MOST_LISTED = 1_000
"""People or categories that a filter names: as many as the largest page has; each is a parameter in SQL."""

LONGEST_SEARCH = 200
"""Characters; each word is a condition in SQL, and SQLite takes a thousand."""


@strawberry.input(description="Stable attributes only, so a status change can never move a record out of a feed.")
class StaffScope:
    """Which people."""

    staff_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="Only these people.")
    categories: list[str] | None = strawberry.field(default=None, description="Only these categories.")

    def numbers(self) -> tuple[int, ...] | None:
        """The people's numbers; raises Refusal for an id that names nobody."""
        ids = listed(self.staff_ids, "people", "staffIds")
        return None if ids is None else tuple(staff_key(staff_id) for staff_id in ids)


def staff_filter(scope: StaffScope | None, on: dt.date, search: str | None = None) -> StaffFilter:
    """A scope as the queries take it; raises Refusal."""
    if search is not None and len(search) > LONGEST_SEARCH:
        raise Refusal(ErrorCode.INVALID, f"A search has {LONGEST_SEARCH} characters at most.", "search")
    if scope is None:
        return StaffFilter(on=on, search=search)
    categories = listed(scope.categories, "categories", "categories")
    return StaffFilter(on=on, categories=categories, staff_ids=scope.numbers(), search=search)


T = TypeVar("T")


def listed(values: Sequence[T] | None, what: str, path: str) -> tuple[T, ...] | None:
    """Each value of a filter once; raises Refusal for more than any page shows."""
    if values is None:
        return None
    once = tuple(dict.fromkeys(values))
    if len(once) > MOST_LISTED:
        raise Refusal(ErrorCode.LIMIT_EXCEEDED, f"More than {MOST_LISTED:,} {what} in one request.", path)
    return once
