"""How dates, instants, addresses and statuses are written in GraphQL: strictly, and one way only."""

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
    """A calendar day as YYYY-MM-DD; Python would take "20260115" and "2026-W03-4" as well."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise GraphQLError(f"There is no {value} in the calendar.") from None
    raise GraphQLError("A Date is written as YYYY-MM-DD, such as 2026-01-15.")


def parse_instant(value: object) -> datetime:
    """An RFC 3339 instant with its offset."""
    try:
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise GraphQLError("A DateTime is written as RFC 3339, such as 2026-01-15T08:30:00Z.")


def write_instant(instant: datetime | str) -> str:
    """UTC, with a Z and milliseconds: always the same length, so that text sorts as time."""
    if type(instant) is str:
        return instant  # by `written_instant`
    assert isinstance(instant, datetime)
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return instant.isoformat(timespec="milliseconds")[:-6] + "Z"  # in place of +00:00


def written_instant(instant: datetime | None) -> datetime | None:
    """The text of an instant, to be sent many times: writing it is a fifth of a cached board's rendering."""
    return None if instant is None else cast("datetime", write_instant(instant))


SCALARS: dict[object, Any] = {
    date: strawberry.scalar(
        name="Date",
        description="Calendar day, YYYY-MM-DD, in the organisation's time zone.",
        serialize=date.isoformat,
        parse_value=parse_date,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="Instant, RFC 3339, always UTC with a Z suffix.",
        serialize=write_instant,
        parse_value=parse_instant,
    ),
    URL: strawberry.scalar(
        name="URL",
        description="Address of an image: https, http, or a path on this server that begins with a slash.",
        serialize=str,
        parse_value=str,
    ),
}

strawberry.enum(
    Status,
    name="AttendanceStatus",
    description="UNMARKED means no decision has been recorded; it is never counted as absent.",
)
