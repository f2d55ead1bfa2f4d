"""Relay's Node, PageInfo and page cursors. Lists are paged forward only, and pages are capped."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson
import strawberry

from memberstaff.errors import RequestError, RequestErrorCode

PAGE = 100
"""Objects that a page has at most."""

BOARD_PAGE = 1_000
"""Records that a page of a day's board has at most: most schools fit in one."""


@strawberry.interface(description="Something with an id of its own.")
class Node:
    """Relay's Node."""

    id: strawberry.ID = strawberry.field(description="Opaque, and unique among all types.")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = strawberry.field(description="Whether more follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether this page follows another.")
    start_cursor: str | None = strawberry.field(description="Cursor of the page's first edge.")
    end_cursor: str | None = strawberry.field(description="Cursor of the page's last edge: pass it as `after`.")

    @classmethod
    def of(cls, cursors: list[str], *, after: str | None, more: bool) -> PageInfo:
        """For a page whose edges have these cursors."""
        return cls(
            has_next_page=more,
            has_previous_page=after is not None,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )


def page_size(first: int | None, *, default: int, most: int = PAGE) -> int:
    """`first`, or `default` for null; raises RequestError when no such page is given out."""
    if first is None:
        return default
    if not 1 <= first <= most:
        raise RequestError(RequestErrorCode.BAD_REQUEST, f"`first` must be between 1 and {most:,}.")
    return first


def page_cursor(*place: Any) -> str:
    """A place in a list, as text."""
    return urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def page_place(cursor: str | None, *types: type) -> tuple[Any, ...] | None:
    """The place that a cursor names: values of these types; raises RequestError for a cursor of another list."""
    if cursor is None:
        return None
    try:
        place = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        place = None
    if (
        not isinstance(place, list)
        or [type(value) for value in place] != list(types)
        or page_cursor(*place) != cursor
        or any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in place)
        or any(isinstance(value, str) and "\x00" in value for value in place)
    ):
        raise RequestError(RequestErrorCode.BAD_REQUEST, "`after` is not a cursor of this list.")
    return tuple(place)
