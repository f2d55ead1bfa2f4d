"""Enums of the domain as GraphQL enums, in which every value is described."""

from __future__ import annotations

from enum import EnumMeta

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition


def describe(enum: EnumMeta, *, name: str, description: str, **values: str) -> None:
    """Make an enum of the domain a GraphQL enum; `values` describe its members, all of them.

    The domain does not import Strawberry, so the descriptions cannot stand beside the members.
    """
    if values.keys() != enum.__members__.keys():
        raise TypeError(f"Describe the members of {enum.__name__}, each of them and no others.")
    strawberry.enum(enum, name=name, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[value.name]
