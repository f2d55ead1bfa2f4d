"""Many rows in one parameter: a JSON array that the database reads as a table.

Marking 20,000 people is then one statement of constant size, instead of one with parameters for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Subquery, Text, bindparam, cast, column, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """The value for the parameter `rows` of a statement that selects from `from_json`.

    Dates in it are by `json_date`, instants by `json_instant`.
    """
    return msgspec.json.encode(list(rows)).decode()


def json_date(dialect: str, day: date) -> str:
    """A date for `as_json`, equal to the same date in a parameter of its own.

    asyncpg writes the first and the last day of Python's calendar as PostgreSQL's infinities.
    """
    infinities = {date.min: "-infinity", date.max: "infinity"} if dialect == "postgresql" else {}
    return infinities.get(day) or day.isoformat()


def json_instant(dialect: str, instant: datetime | None) -> str | None:
    """An instant for `as_json`, in UTC; on SQLite as the driver stores it."""
    if instant is None:
        return None
    if dialect == "sqlite":
        return instant.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return instant.isoformat()


def from_json(dialect: str, columns: Mapping[str, TypeEngine[Any]]) -> Subquery:
    """A table with these columns, whose rows are passed in one JSON parameter, `rows`.

    Columns hold integers, text, dates or instants; a missing key reads as NULL.
    """
    text = bindparam("rows", type_=Text())
    if dialect == "postgresql":
        table = func.jsonb_to_recordset(cast(text, JSONB)).table_valued(
            *(column(name, type_) for name, type_ in columns.items())
        )
        source = table.render_derived(name="given", with_types=True)
        return select(*(source.c[name] for name in columns)).subquery("rows")
    source = func.json_each(text).table_valued("value", name="given")
    return select(
        *(
            func.json_extract(source.c.value, literal(f"$.{name}"), type_=type_).label(name)
            for name, type_ in columns.items()
        )
    ).subquery("rows")
