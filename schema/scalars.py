"""Scalars for dates, instants and URLs, parsed strictly; and the status enum."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, NewType, cast

import strawberry
from graphql import GraphQLError

from memberstaff.changes import Status

from .enums import describe

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(_DAY.pattern + r"[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)

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
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
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


def parse_url(value: object) -> str:
    """Any string: what is no URL of a photo is refused where it stands in the input, as by SKIP_FAILED for one entry.

    Raises GraphQLError.
    """
    if isinstance(value, str):
        return value
    raise GraphQLError("A URL must be a string, such as https://photos.example.org/amina.jpg.")


SCALARS: dict[object, Any] = {
    date: strawberry.scalar(
        name="Date",
        description="A calendar date, YYYY-MM-DD (`full-date` of RFC 3339), in the organisation's time zone.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
        serialize=date.isoformat,
        parse_value=parse_date,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description=(
            "An instant (`date-time` of RFC 3339). The server sends it in UTC, with milliseconds and a Z: "
            "2026-01-15T08:30:00.000Z. It accepts any offset, and up to nine decimal places."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
        serialize=write_instant,
        parse_value=parse_instant,
    ),
    URL: strawberry.scalar(
        name="URL",
        description=(
            "The URL of an image, up to 2,048 characters: https, http, or a path on this server that starts with one "
            "slash. A mutation refuses anything else as INVALID, and takes a blank string as null."
        ),
        specified_by_url="https://url.spec.whatwg.org/#valid-url-string",
        serialize=str,
        parse_value=parse_url,
    ),
}

describe(
    Status,
    name="AttendanceStatus",
    description="A person's attendance on a day. Later versions may add values: show an unknown one by its name.",
    UNMARKED="Nothing has been recorded. It is never counted as absent.",
    PRESENT="At work.",
    LATE="At work, but came late.",
    HALF_DAY="At work for half of the day.",
    REMOTE="At work from elsewhere.",
    ON_LEAVE="On leave, so not expected. Can be recorded in advance.",
    ABSENT="Expected, and not at work.",
)
