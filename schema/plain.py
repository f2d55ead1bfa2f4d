"""Selections of plain attributes, completed by one function each instead of graphql-core's general machinery.

That machinery costs some ten microseconds a field; a board is two thousand fields. What is compiled here gives the same
result (a property test compares them), and steps back at the first value that is not exactly what the schema says:
graphql-core then completes it again, and reports its errors in its own words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    is_leaf_type,
)

if TYPE_CHECKING:
    from graphql.execution import Executor

Complete = Callable[[Any], Any]

DEFINITION = "strawberry-definition"
"""Under which Strawberry's types and fields are found in the extensions of graphql-core's."""


class Unplain(Exception):
    """A value that only graphql-core may complete."""


def compiled(executor: Executor[Any], type_: GraphQLOutputType, details: Sequence[Any]) -> Complete | None:
    """A function that completes values of this type with the selection in `details`; None when it is not plain.

    The function raises Unplain for a value that is not plain after all; it has done nothing then.
    """
    if isinstance(type_, GraphQLNonNull):
        return compiled(executor, type_.of_type, details)
    if isinstance(type_, GraphQLList):
        return _list(executor, type_, details)
    if isinstance(type_, GraphQLObjectType):
        return _object(executor, type_, details)
    return _leaf(type_) if is_leaf_type(type_) else None


def _nullable(type_: GraphQLOutputType, complete: Complete) -> Complete:
    """The same for a field of this type, whose values may be null unless it says otherwise."""
    if isinstance(type_, GraphQLNonNull):
        return complete  # which has no answer to None, and raises Unplain
    return lambda value: None if value is None else complete(value)


def _list(executor: Executor[Any], type_: GraphQLList[Any], details: Sequence[Any]) -> Complete | None:
    item = compiled(executor, type_.of_type, details)
    if item is None:
        return None
    complete_item = _nullable(type_.of_type, item)

    def complete(value: Any) -> Any:
        if type(value) is not list:
            raise Unplain
        return [complete_item(each) for each in value]

    return complete


def _object(executor: Executor[Any], type_: GraphQLObjectType, details: Sequence[Any]) -> Complete | None:
    definition = type_.extensions.get(DEFINITION)
    fields, deferred, *_ = executor.collect_subfields(type_, details)  # type: ignore[arg-type]
    if definition is None or deferred:
        return None
    attributes: list[tuple[str, str, Complete]] = []
    for response_name, of_field in fields.items():
        name = of_field[0].node.name.value
        field = type_.fields.get(name)
        if field is None or field.args or not getattr(field.resolve, "_is_default", False):
            return None  # __typename, arguments, or a resolver of its own
        complete_field = compiled(executor, field.type, of_field)
        if complete_field is None:
            return None
        attribute = field.extensions[DEFINITION].python_name
        attributes.append((response_name, attribute, _nullable(field.type, complete_field)))
    return _reading(definition.origin, attributes)


def _reading(class_: type, attributes: list[tuple[str, str, Complete]]) -> Complete | None:
    if not attributes:
        return None
    if len(attributes) == 1:
        [(response_name, attribute, complete_only)] = attributes

        def complete_one(value: Any) -> Any:
            if type(value) is not class_:
                raise Unplain
            return {response_name: complete_only(getattr(value, attribute))}

        return complete_one

    read = attrgetter(*(attribute for _, attribute, _ in attributes))
    completing = [(response_name, complete_field) for response_name, _, complete_field in attributes]

    def complete(value: Any) -> Any:
        if type(value) is not class_:
            raise Unplain
        return {
            response_name: complete_field(each)
            for (response_name, complete_field), each in zip(completing, read(value), strict=True)
        }

    return complete


def _leaf(type_: Any) -> Complete:
    exact: dict[Any, tuple[type, Callable[[Any], bool] | None]] = {
        GraphQLString: (str, None),
        GraphQLID: (str, None),
        GraphQLBoolean: (bool, None),
        GraphQLInt: (int, lambda number: -(2**31) <= number < 2**31),
        GraphQLFloat: (float, isfinite),
    }
    if type_ in exact:
        class_, holds = exact[type_]

        def complete_exact(value: Any) -> Any:
            if type(value) is not class_ or (holds is not None and not holds(value)):
                raise Unplain
            return value

        return complete_exact

    coerce = type_.coerce_output_value

    def complete(value: Any) -> Any:
        if value is None or isinstance(value, Exception):
            raise Unplain
        try:
            coerced = coerce(value)
        except Exception:
            raise Unplain from None
        if coerced is None or coerced is Undefined:
            raise Unplain
        return coerced

    return complete
