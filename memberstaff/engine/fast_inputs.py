"""Builds input objects without resolving their field types for each value, for inputs that come by the thousand.

Strawberry resolves the type of each field again for each value, which was a sixth of the cost of a mark. The result is
the same, as a property test checks; field types not handled here are left to Strawberry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any, TypeVar

from strawberry import Some
from strawberry.scalars import is_scalar
from strawberry.types.arguments import InputContext
from strawberry.types.base import (
    StrawberryMaybe,
    StrawberryObjectDefinition,
    StrawberryOptional,
    get_object_definition,
    has_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition

Convert = Callable[[Any, InputContext], Any]
Type = TypeVar("Type", bound=type)


def fast_input(input_type: Type) -> Type:
    """Class decorator, above `@strawberry.input`: build the input's values here.

    Only for inputs whose `Maybe` fields accept null, or that are `one_of`: Strawberry's check of others is skipped.
    """
    definition(input_type).from_input = _Builder()
    return input_type


def definition(input_type: type) -> StrawberryObjectDefinition:
    """Strawberry's definition of an input type."""
    return get_object_definition(input_type, strict=True)


class _Builder:
    """Builds values of one input type, by a plan that is made for the first."""

    def __init__(self) -> None:
        self._plan: Plan | None = None

    def __call__(self, input_type: type, value: Mapping[str, Any], context: InputContext) -> Any:
        if self._plan is None:
            self._plan = _plan(input_type, context)
        absent, fields = self._plan
        arguments: dict[str, Any] = dict(absent)
        for name, given in value.items():
            attribute, convert = fields[name]
            arguments[attribute] = convert(given, context)
        return input_type(**arguments)


Plan = tuple[dict[str, None], dict[str, tuple[str, Convert]]]
"""Defaults for fields that Python requires; the attribute and conversion of each field, by its GraphQL name."""


def _plan(input_type: type, context: InputContext) -> Plan:
    of = definition(input_type)
    fields: dict[str, tuple[str, Convert]] = {}
    absent: dict[str, None] = {}
    for field in of.fields:
        name = context.config.name_converter.from_field(field)
        conversion = _conversion(field.resolve_type(type_definition=of), name, context)
        fields[name] = (field.python_name, conversion)
        if field.default_value is MISSING and field.default_factory is MISSING:
            absent[field.python_name] = None
    return absent, fields


def _conversion(type_: Any, name: str, context: InputContext) -> Convert:
    if isinstance(type_, StrawberryMaybe):
        return _maybe(_conversion(type_.of_type, name, context))
    if isinstance(type_, StrawberryOptional):
        return _optional(_conversion(type_.of_type, name, context))
    if is_scalar(type_, context.scalar_registry) or isinstance(type_, StrawberryEnumDefinition):
        return _unchanged
    if has_enum_definition(type_):
        return _unchanged
    if has_object_definition(type_) and isinstance(build := definition(type_).from_input, _Builder):
        return lambda given, context: build(type_, given, context)
    return lambda given, context: context.convert(given, type_, name)


def _unchanged(given: Any, _: InputContext) -> Any:
    return given  # graphql-core has coerced it


def _maybe(convert: Convert) -> Convert:
    return lambda given, context: Some(convert(given, context))


def _optional(convert: Convert) -> Convert:
    return lambda given, context: None if given is None else convert(given, context)
