"""Where a subscription's document has the cursor to resume from, and its date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    NonNullTypeNode,
    NullValueNode,
    OperationDefinitionNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    Visitor,
    visit,
)

from memberstaff.engine.documents import Prepared
from memberstaff.engine.request import OperationRequest

CURSOR = "after"
"""The argument with the cursor to resume from."""

DATE = "date"
"""The argument that is today by default: subscriptions that leave it out are equal only on the same day."""


@dataclass(frozen=True, slots=True)
class DateArgument:
    """How a document gives the date: by a variable, or by a literal, which is also the variable's default."""

    variable: str | None
    literal: ValueNode | None
    """None if it is omitted or null."""

    def value(self, variables: Mapping[str, Any]) -> Any:
        """What is given, of any type; None for the default."""
        return self.literal if self.variable is None else variables.get(self.variable, self.literal)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a document has the cursor and the date, and its text without the cursor."""

    key: str
    """The document's text, with literal cursors blanked."""
    variable: str | None
    """The variable with the cursor, if it is used for nothing else."""
    given: str | None
    """The variable with the cursor."""
    literal: str | None
    """The cursor if the variable is omitted, or there is none."""
    required: bool
    """Whether the variable is required."""
    date: DateArgument | None
    """None for a subscription without such an argument."""

    def after(self, variables: Mapping[str, Any] | None) -> Any:
        """The cursor, of any JSON type."""
        return (variables or {}).get(self.given, self.literal) if self.given is not None else self.literal

    def leaves_out_date(self, variables: Mapping[str, Any] | None) -> bool:
        """Whether the date is the default."""
        return self.date is not None and self.date.value(variables or {}) is None

    def accepts(self, after: Any) -> bool:
        """Whether the cursor has the argument's type."""
        return isinstance(after, str) or (after is None and not self.required)


def plan_for(schema: GraphQLSchema, prepared: Prepared, request: OperationRequest) -> Plan:
    """The plan for a valid subscription, made once for each operation of a document."""
    assert prepared.document is not None
    plan: Plan | None = prepared.derived.get((Plan, request.operation_name))
    if plan is None:
        plan = plan_of(prepared.document, request.query, request.operation_name, schema.subscription_type)
        prepared.derived[Plan, request.operation_name] = plan
    return plan


def plan_of(document: DocumentNode, text: str, operation_name: str | None, type_: GraphQLObjectType | None) -> Plan:
    """The plan for a valid subscription of this type."""
    operation = _operation(document, operation_name)
    roots = _root_fields(operation, document)
    cursors = [each.value for root in roots for each in root.arguments or () if each.name.value == CURSOR]
    literals: list[ValueNode] = [value for value in cursors if isinstance(value, StringValueNode)]
    literal = next((value.value for value in literals if isinstance(value, StringValueNode)), None)
    names = {value.name.value for value in cursors if isinstance(value, VariableNode)}
    given = next(iter(names), None)
    variable, required = None, False
    if given is not None:
        definition = next(each for each in operation.variable_definitions or () if each.variable.name.value == given)
        default = definition.default_value
        literal = default.value if isinstance(default, StringValueNode) else None
        required = isinstance(definition.type, NonNullTypeNode) and default is None
        if len(names) == 1 and _uses(document, given) == 1 + len(cursors):  # its definition and these
            variable = given
            literals += [default] if isinstance(default, StringValueNode) else []
    return Plan(_without(text, literals), variable, given, literal, required, _date_in(operation, roots, type_))


def _date_in(
    operation: OperationDefinitionNode, roots: list[FieldNode], type_: GraphQLObjectType | None
) -> DateArgument | None:
    field = type_.fields.get(roots[0].name.value) if type_ is not None else None
    if field is None or DATE not in field.args:
        return None
    value = next((each.value for each in roots[0].arguments or () if each.name.value == DATE), None)
    if not isinstance(value, VariableNode):
        return DateArgument(None, None if isinstance(value, NullValueNode) else value)
    name = value.name.value
    definitions = operation.variable_definitions or ()
    default = next(each.default_value for each in definitions if each.variable.name.value == name)
    return DateArgument(name, None if isinstance(default, NullValueNode) else default)


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    return next(
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode) and (name is None or (node.name and node.name.value == name))
    )


def _root_fields(operation: OperationDefinitionNode, document: DocumentNode) -> list[FieldNode]:
    """The root fields, including those in fragments; each fragment is visited once."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    found: list[FieldNode] = []
    waiting = [operation.selection_set]
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                found.append(node)
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and (spread := fragments.pop(node.name.value, None)) is not None:
                waiting.append(spread.selection_set)
    return found


def _without(text: str, values: list[ValueNode]) -> str:
    """The document's text with these values replaced by empty strings."""
    spans = sorted({(value.loc.start, value.loc.end) for value in values if value.loc is not None}, reverse=True)
    for start, end in spans:
        text = f'{text[:start]}""{text[end:]}'
    return text


class _Uses(Visitor):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.number = 0

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.number += node.name.value == self.name


def _uses(document: DocumentNode, name: str) -> int:
    uses = _Uses(name)
    visit(document, uses)
    return uses.number
