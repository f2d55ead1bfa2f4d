"""Many rows as one parameter: a JSON array that the database reads as a table.

A bulk mark of 20,000 people is then one statement of constant size, where a list of parameters would be
20,000 of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Subquery, Text, bindparam, cast, column, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """The parameter `rows` of a statement that reads `from_json`."""
    return orjson.dumps(list(rows)).decode()


def from_json(dialect: str, columns: Mapping[str, TypeEngine[Any]]) -> Subquery:
    """A table with these columns, whose rows travel as one JSON parameter, `rows`.

    The columns hold integers and text; the key of a row that lacks a column reads as NULL.
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
