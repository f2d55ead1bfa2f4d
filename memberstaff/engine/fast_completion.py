"""Compiles selections of plain attributes to functions that complete values faster than graphql-core does.

graphql-core takes some ten microseconds a field, and a board has two thousand. The functions give the same result, as a
property test checks, and fall back at the first value that is not exactly of the schema's type: graphql-core then
completes it again and reports its own errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from math import isfinite
from types import NoneType
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    get_nullable_type,
    is_leaf_type,
)

if TYPE_CHECKING:
    from graphql.execution import Executor

Complete = Callable[[Any], Any]

DEFINITION = "strawberry-definition"
"""The key of Strawberry's definition in the extensions of a graphql-core type or field."""


class FallBack(Exception):
    """Raised for a value that graphql-core has to complete."""


def compile_selection(executor: Executor[Any], type_: GraphQLOutputType, details: Sequence[Any]) -> Complete | None:
    """A function that completes values of this type with the selection in `details`; None if it cannot be compiled.

    It has no side effects, and raises FallBack for a value that it cannot complete.
    """
    if isinstance(type_, GraphQLNonNull):
        return compile_selection(executor, type_.of_type, details)
    if isinstance(type_, GraphQLList):
        return _list(executor, type_, details)
    if isinstance(type_, GraphQLObjectType):
        return _object(executor, type_, details)
    return _leaf(type_) if is_leaf_type(type_) else _fall_back


def _fall_back(_: Any) -> Any:
    """Complete no value of an interface or union: only the value says its type. An empty list of them needs none."""
    raise FallBack


def _nullable(type_: GraphQLOutputType, complete: Complete) -> Complete:
    """Let `complete` take None, unless the type is non-null."""
    if isinstance(type_, GraphQLNonNull):
        return complete  # raises FallBack for None
    return lambda value: None if value is None else complete(value)


def _list(executor: Executor[Any], type_: GraphQLList[Any], details: Sequence[Any]) -> Complete | None:
    item = compile_selection(executor, type_.of_type, details)
    if item is None:
        return None
    complete_item = _nullable(type_.of_type, item)

    def complete(value: Any) -> Any:
        if type(value) is not list:
            raise FallBack
        return [complete_item(each) for each in value]

    return complete


def _object(executor: Executor[Any], type_: GraphQLObjectType, details: Sequence[Any]) -> Complete | None:
    definition = type_.extensions.get(DEFINITION)
    fields, deferred, *_ = executor.collect_subfields(type_, details)  # type: ignore[arg-type]
    if definition is None or deferred:
        return None
    attributes: list[tuple[str, str, Complete, frozenset[type]]] = []
    for response_name, of_field in fields.items():
        name = of_field[0].node.name.value
        field = type_.fields.get(name)
        if field is None or field.args or not getattr(field.resolve, "_is_default", False):
            return None  # __typename, arguments, or a resolver of its own
        complete_field = compile_selection(executor, field.type, of_field)
        if complete_field is None:
            return None
        attribute = field.extensions[DEFINITION].python_name
        complete_field = _nullable(field.type, complete_field)
        attributes.append((response_name, attribute, complete_field, _passed_through(field.type)))
    return _write_reader(definition.origin, attributes)


def _write_reader(class_: type, attributes: list[tuple[str, str, Complete, frozenset[type]]]) -> Complete | None:
    """Generate a function for these attributes, as `dataclasses` does `__init__`: a loop takes three times as long.

    A value whose type is in the attribute's last item is passed through; others are completed.
    """
    if not attributes:
        return None
    names: dict[str, Any] = {"class_": class_, "FallBack": FallBack}
    lines = ["def complete(value):", "    if type(value) is not class_: raise FallBack"]
    for index, (_, attribute, complete_field, passed_through) in enumerate(attributes):
        if not attribute.isidentifier():
            return None
        names[f"complete_{index}"] = complete_field
        tests = [f"v{index} is not None"] if NoneType in passed_through else []
        for type_ in passed_through - {NoneType}:
            names[f"type_{index}"] = type_
            tests.insert(0, f"type(v{index}) is not type_{index}")
        lines.append(f"    v{index} = value.{attribute}")
        condition = f"if {' and '.join(tests)}: " if tests else ""
        lines.append(f"    {condition}v{index} = complete_{index}(v{index})")
    pairs = ", ".join(f"{response_name!r}: v{index}" for index, (response_name, *_) in enumerate(attributes))
    lines.append(f"    return {{{pairs}}}")
    exec("\n".join(lines), names)  # noqa: S102 - only names that Python and GraphQL's grammar allow
    complete: Complete = names["complete"]
    return complete


_PASSED_THROUGH: dict[Any, type] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}
"""Leaf types, and the type of the values that need no coercion."""


def _passed_through(type_: GraphQLOutputType) -> frozenset[type]:
    """The types of values that need no completion in a field of this type."""
    nullable = not isinstance(type_, GraphQLNonNull)
    of = get_nullable_type(type_)
    exact = str if getattr(of, "coerce_output_value", None) is str else _PASSED_THROUGH.get(of)
    return frozenset(({exact} if exact else set()) | ({NoneType} if nullable else set()))


def _leaf(type_: Any) -> Complete:
    if type_ in _PASSED_THROUGH:
        return _exact(_PASSED_THROUGH[type_])
    if type_ is GraphQLInt:
        return _complete_int
    if type_ is GraphQLFloat:
        return _complete_float
    if isinstance(type_, GraphQLEnumType):
        return _enum(type_)
    return _coerced(type_)


def _exact(class_: type) -> Complete:
    def complete(value: Any) -> Any:
        if type(value) is not class_:
            raise FallBack
        return value

    return complete


def _complete_int(value: Any) -> int:
    if type(value) is int and -(2**31) <= value < 2**31:
        return value
    raise FallBack


def _complete_float(value: Any) -> float:
    if type(value) is float and isfinite(value):
        return value
    raise FallBack


def _coerced(type_: Any) -> Complete:
    coerce = type_.coerce_output_value

    def complete(value: Any) -> Any:
        if value is None or isinstance(value, Exception):
            raise FallBack
        try:
            coerced = coerce(value)
        except Exception:
            raise FallBack from None
        if coerced is None or coerced is Undefined:
            raise FallBack
        return coerced

    return complete


def _enum(type_: GraphQLEnumType) -> Complete:
    """Caches an enum's few values; members are looked up by identity, since 1 equals True."""
    coerce = _coerced(type_)
    known: dict[int, tuple[Enum, Any]] = {}

    def complete(value: Any) -> Any:
        if (found := known.get(id(value))) is not None:
            return found[1]
        completed = coerce(value)
        if isinstance(value, Enum):
            known[id(value)] = (value, completed)
        return completed

    return complete
