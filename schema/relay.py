"""Relay's Node and PageInfo, and page cursors. Pagination is forward only, with a maximum page size."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from types import GenericAlias
from typing import Annotated, Any

import msgspec
import strawberry

from memberstaff.errors import RequestError, RequestErrorCode

PAGE = 100
"""Maximum page size."""

BOARD_PAGE = 1_000
"""Maximum page size of a day's board: most schools fit on one page."""

First = Annotated[
    int | None,
    strawberry.argument(
        description=f"Size of the page: 0 to {PAGE}. An empty page, too, tells whether there is a next one."
    ),
]
"""The argument of most connections."""

After = Annotated[
    str | None, strawberry.argument(description="The page after this cursor: the `endCursor` of the page before.")
]
"""The argument of every connection."""


SEQUENCE = (
    "Of two answers about this object, however late they come, the newer one has the greater sequence, compared as "
    "text. If it is the same, so is the object."
)
"""What a client needs to know of a field `sequence`."""


@strawberry.interface(description="An object with an id, by which `node` finds it again.")
class Node:
    """See Relay's Global Object Identification Specification."""

    id: strawberry.ID = strawberry.field(description="Opaque, and unique across all types.")


@strawberry.type(description="Where a page is in its list, when it was read.")
class PageInfo:
    """See the Relay Cursor Connections Specification."""

    has_next_page: bool = strawberry.field(description="Whether there is a next page.")
    has_previous_page: bool = strawberry.field(description="Whether this page was fetched with `after`.")
    start_cursor: str | None = strawberry.field(description="Cursor of the page's first edge; null if it has none.")
    end_cursor: str | None = strawberry.field(
        description="Cursor of the page's last edge, and the `after` of the next page; null if it has none."
    )

    @classmethod
    def of(cls, cursors: list[str], *, after: str | None, more: bool) -> PageInfo:
        """For a page of edges with these cursors."""
        return cls(
            has_next_page=more,
            has_previous_page=after is not None,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )


def page_size(first: int | None, *, default: int, most: int = PAGE) -> int:
    """`first`, or `default` for null; raises RequestError if it is not between 0 and `most`."""
    if first is None:
        return default
    if not 0 <= first <= most:
        raise RequestError(RequestErrorCode.BAD_REQUEST, f"`first` must be between 0 and {most:,}.")
    return first


def page_cursor(*sort_keys: Any) -> str:
    """The cursor of the edge with these sort keys."""
    return urlsafe_b64encode(msgspec.json.encode(sort_keys)).decode().rstrip("=")


def parse_page_cursor(cursor: str | None, *types: type) -> tuple[Any, ...] | None:
    """The sort keys in a cursor; raises RequestError unless they have these types."""
    if cursor is None:
        return None
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        sort_keys: tuple[Any, ...] | None = msgspec.json.decode(text, type=GenericAlias(tuple, types))
    except ValueError:
        sort_keys = None
    if (
        sort_keys is None
        or page_cursor(*sort_keys) != cursor
        or any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in sort_keys)
        or any(isinstance(value, str) and "\x00" in value for value in sort_keys)
    ):
        raise foreign_cursor()
    return sort_keys


def foreign_cursor() -> RequestError:
    """What whoever sends another list's cursor is told."""
    return RequestError(RequestErrorCode.BAD_REQUEST, "`after` is not a cursor of this list.")
