"""Scalars for dates, instants and URLs, parsed strictly; and the status enum."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, NewType, cast

import strawberry
from graphql import GraphQLError

from memberstaff.changes import Status

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(_DAY.pattern + r"T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})", re.ASCII)

URL = NewType("URL", str)


def parse_date(value: object) -> date:
    """A date as YYYY-MM-DD; Python would also accept "20260115" and "2026-W03-4". Raises GraphQLError."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise GraphQLError(f"{value} does not exist in the calendar.") from None
    raise GraphQLError("A Date must be YYYY-MM-DD, such as 2026-01-15.")


def parse_instant(value: object) -> datetime:
    """An instant as in RFC 3339. Raises GraphQLError."""
    try:
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise GraphQLError("A DateTime must be RFC 3339, such as 2026-01-15T08:30:00Z.")


def write_instant(instant: datetime | str) -> str:
    """RFC 3339 in UTC with milliseconds: of fixed length, so that instants sort as text."""
    if type(instant) is str:
        return instant  # by `written_instant`
    assert isinstance(instant, datetime)
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return instant.isoformat(timespec="milliseconds")[:-6] + "Z"  # in place of +00:00


def written_instant(instant: datetime | None) -> datetime | None:
    """An instant serialised once: serialising was a fifth of the cost of rendering a cached board."""
    return None if instant is None else cast("datetime", write_instant(instant))


SCALARS: dict[object, Any] = {
    date: strawberry.scalar(
        name="Date",
        description="A calendar date, YYYY-MM-DD, in the organisation's time zone.",
        serialize=date.isoformat,
        parse_value=parse_date,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant, RFC 3339, always in UTC with a Z suffix.",
        serialize=write_instant,
        parse_value=parse_instant,
    ),
    URL: strawberry.scalar(
        name="URL",
        description="URL of an image: https, http, or a path on this server that starts with a slash.",
        serialize=str,
        parse_value=str,
    ),
}

strawberry.enum(
    Status,
    name="AttendanceStatus",
    description="UNMARKED means that nothing has been recorded; it is never counted as absent.",
)
