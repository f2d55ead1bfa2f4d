"""A column among many values: one array parameter, however many there are.

`IN (…)` has a parameter for each value, and PostgreSQL takes at most 32,767 of them, SQLite 32,766. An array has no
such limit, and the statement's text stays the same, so that it is prepared once. For rows of several columns: `rows`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Boolean, ColumnElement, Dialect, String, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine


def any_of(element: ColumnElement[Any], values: Collection[Any] | BindParameter[Any]) -> ColumnElement[bool]:
    """The WHERE condition that `element` is one of `values`: a collection, or a `bindparam` that will be given one."""
    key = values.key if isinstance(values, BindParameter) else None
    given = None if isinstance(values, BindParameter) else list(values)
    # With a length, PostgreSQL would cut values off, and find what they do not name.
    item: TypeEngine[Any] = Text() if isinstance(element.type, String) else element.type
    return _AnyOf(element, bindparam(key, given, type_=_Array(item), required=given is None))


class _Array(TypeDecorator[Collection[Any]]):
    """An array on PostgreSQL; on SQLite, which has none, a JSON array."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(self.item) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> Any:
        values = list(value or ())
        return values if dialect.name == "postgresql" else msgspec.json.encode(values).decode()


class _AnyOf(FunctionElement[bool]):
    inherit_cache = True
    type = Boolean()

    def self_group(self, against: OperatorType | None = None) -> _AnyOf:  # noqa: ARG002 - as it is called
        """A condition as it stands: SQLAlchemy would compare it with 1 on SQLite, which then uses no index."""
        return self


@compiles(_AnyOf, "postgresql")
def _on_postgresql(element: _AnyOf, compiler: SQLCompiler, **options: Any) -> str:
    column, array = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({array})"


@compiles(_AnyOf, "sqlite")
def _on_sqlite(element: _AnyOf, compiler: SQLCompiler, **options: Any) -> str:
    column, array = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({array}))"  # noqa: S608 - of clauses that are compiled already
