"""Limits a document's depth, cost and size, before validation. A fragment is measured once, not per spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

from memberstaff.engine.cost import PAGE_LIMIT, Formulas, Objects, OperationCost, count, input_length, page_size
from memberstaff.errors import BadRequestReason

LIST_SIZE = 10
"""`list_size` of a list field whose metadata has none: its assumed length when it is not paginated."""

INTROSPECTION_DEPTH = 20
"""Levels below `__schema`; the query of GraphiQL and of code generators has 15."""

INTROSPECTION_COST = 100_000
"""Objects below `__schema`, each list counted as LIST_SIZE; the same query costs 16,424."""

STRANGER_TOKENS = 100
"""Tokens of a document whose sender has no valid login; that of the dashboard's login has 48."""

NESTING = 64
"""Nested selection sets, fragments included: keeps the walk within Python's recursion limit."""

INTROSPECTION = frozenset({"__schema", "__type"})

ONCE = "once_per_operation"
"""Metadata key of root fields allowed once in an operation: ten logins in a request would be ten guesses."""

SIZED_BY = "sized_by"
"""Metadata key of a mutation whose payload has lists with at most one item for each of a list in the input, and at most
`page_limit`: the path to that list, such as `("input", "rows")`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a document; all but tokens and characters are per operation."""

    depth: int = 8
    aliases: int = 15
    directives: int = 9
    tokens: int = 1_000
    characters: int = 10_000
    root_fields: int = 10
    cost: int = 5_000
    subscription_cost: int = 500
    """The same for each event of a subscription."""
    stranger_tokens: int = STRANGER_TOKENS
    """Instead of `tokens`, for whoever has no valid login."""
    cache_bytes: int = 54_000_000
    """Size of the document cache."""


@dataclass(slots=True)
class Size:
    """The size of a selection set, for one object that it is selected on."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    fields: int = 0
    once: Counter[str] = field(default_factory=Counter)
    """Fields marked `ONCE`, counted."""
    cost: Objects = field(default_factory=Objects)
    """Objects below that object, except those in `paged`."""
    paged: Objects = field(default_factory=Objects)
    """Objects below it for each item of the enclosing field's page or input: `edges` below `records(first: 50)`."""
    introspection_depth: int = 0
    introspection_cost: int = 0

    def add(self, other: Size) -> None:
        """Add a sibling in the same selection set."""
        self.depth = max(self.depth, other.depth)
        self.introspection_depth = max(self.introspection_depth, other.introspection_depth)
        self.aliases += other.aliases
        self.directives += other.directives
        self.fields += other.fields
        self.once += other.once
        self.cost.add(other.cost)
        self.paged.add(other.paged)
        self.introspection_cost += other.introspection_cost


@dataclass(frozen=True, slots=True)
class Measurement:
    """The limits that a document exceeds whatever its variables are, and whether it introspects."""

    errors: list[GraphQLError]
    introspects: bool
    costs: dict[str | None, OperationCost]
    """The cost of each operation, by its name."""


def measure(schema: GraphQLSchema, document: DocumentNode, limits: Limits) -> Measurement:
    """Check each operation of a document against the limits, in time linear in the document's length."""
    return _Walk(schema, document).check(limits)


class _Walk:
    """One walk over a document, with memoised fragments."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self.schema = schema
        self.document = document
        self.fragments: Mapping[str, FragmentDefinitionNode] = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self.sizes: dict[str, Size] = {}
        self.formulas = Formulas()
        self.too_nested = False

    def check(self, limits: Limits) -> Measurement:
        errors: list[GraphQLError] = []
        introspects = False
        costs: dict[str | None, OperationCost] = {}
        for node in self.document.definitions:
            if not isinstance(node, OperationDefinitionNode):
                continue
            size = self.operation(node)
            introspects |= size.introspection_depth > 0
            if self.too_nested:
                errors.append(too_large(f"Selections are nested too deeply; the limit is {NESTING} levels.", node))
                break
            errors.extend(too_large(message, node) for message in violations(size, limits))
            cost = costs[node.name.value if node.name else None] = self.cost(node, size, limits)
            if cost.is_fixed and (error := cost.excess(cost.of(None))) is not None:
                errors.append(error)
        return Measurement(errors, introspects, costs)

    def operation(self, node: OperationDefinitionNode) -> Size:
        root = self.schema.get_root_type(node.operation)
        size = self.selections(node.selection_set, root, 1)
        size.directives += len(node.directives or ())
        size.directives += sum(len(variable.directives or ()) for variable in node.variable_definitions or ())
        return size

    def cost(self, node: OperationDefinitionNode, size: Size, limits: Limits) -> OperationCost:
        objects = Objects()
        objects.add(size.cost)
        objects.add(size.paged, LIST_SIZE)
        is_subscription = node.operation is OperationType.SUBSCRIPTION
        limit = limits.subscription_cost if is_subscription else limits.cost
        return self.formulas.operation(node, objects, limit)

    def selections(self, node: SelectionSetNode, parent: GraphQLNamedType | None, level: int) -> Size:
        size = Size()
        if level > NESTING:
            self.too_nested = True
            return size
        for selection in node.selections:
            size.directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                self.measure_field(size, selection, parent, level)
            elif isinstance(selection, FragmentSpreadNode):
                size.add(self.fragment(selection.name.value, level))
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inner = self.schema.get_type(condition.name.value) if condition else parent
                size.add(self.selections(selection.selection_set, inner, level + 1))
        return size

    def fragment(self, name: str, level: int) -> Size:
        if (field_def := self.sizes.get(name)) is not None:
            return field_def
        # Breaks cycles, which validation reports.
        self.sizes[name] = Size()
        if (node := self.fragments.get(name)) is not None:
            condition = self.schema.get_type(node.type_condition.name.value)
            size = self.selections(node.selection_set, condition, level + 1)
            size.directives += len(node.directives or ())
            size.cost, size.paged = self.formulas.shared(size.cost), self.formulas.shared(size.paged)
            self.sizes[name] = size
        return self.sizes[name]

    def measure_field(self, size: Size, node: FieldNode, parent: GraphQLNamedType | None, level: int) -> None:
        name = node.name.value
        size.fields += 1
        size.aliases += node.alias is not None
        field_def = _field_def(self.schema, parent, name)
        if field_def is not None and _metadata(field_def).get(ONCE):
            size.once[name] += 1
        below = Size()
        if node.selection_set:
            type_ = get_named_type(field_def.type) if field_def else None
            below = self.selections(node.selection_set, type_, level + 1)
        size.aliases += below.aliases
        size.directives += below.directives
        objects = Objects()
        paged = Objects()
        if field_def is not None and is_composite_type(get_named_type(field_def.type)):
            largest = _number(field_def, "page_limit") or PAGE_LIMIT
            path = _metadata(field_def).get(SIZED_BY)
            page = page_size(node, field_def, largest) if path is None else input_length(node, path, largest)
            each = Objects(1)
            each.add(below.cost)
            each.add(self.formulas.page(LIST_SIZE if page is None else page, below.paged))
            if not _is_list(field_def):
                objects = each
            elif page is not None:
                objects = self.formulas.page(page, each)
            elif (fixed := _number(field_def, "list_size")) is not None:
                objects.add(each, fixed)
            else:
                paged = each
        if name in INTROSPECTION:
            size.introspection_depth = max(size.introspection_depth, 1 + below.depth)
            size.introspection_cost += objects.fixed
        else:
            size.depth = max(size.depth, 1 + below.depth)
            size.cost.add(objects)
            size.paged.add(paged)


def too_large(message: str, node: OperationDefinitionNode | None = None) -> GraphQLError:
    """The error for a document, or an operation, of more than the allowed size."""
    return GraphQLError(message, node, extensions={"reason": BadRequestReason.OPERATION_TOO_LARGE.value})


def violations(size: Size, limits: Limits) -> list[str]:
    """A message for each limit that the operation exceeds, but that of its cost."""
    messages = []
    if size.depth > limits.depth:
        messages.append(f"The operation is {size.depth} levels deep; the limit is {limits.depth}.")
    if size.introspection_depth > INTROSPECTION_DEPTH:
        messages.append(f"The introspection query is more than {INTROSPECTION_DEPTH} levels deep.")
    if size.aliases > limits.aliases:
        messages.append(f"The operation has {count(size.aliases)} aliases; the limit is {limits.aliases}.")
    if size.directives > limits.directives:
        messages.append(f"The operation has {count(size.directives)} directives; the limit is {limits.directives}.")
    if size.fields > limits.root_fields:
        messages.append(f"The operation has {count(size.fields)} root fields; the limit is {limits.root_fields}.")
    if size.once.total() > 1:
        messages.append(f"Only one {' or '.join(sorted(size.once, reverse=True))} is allowed in an operation.")
    if size.introspection_cost > INTROSPECTION_COST:
        messages.append("The introspection query could return too much. Select fewer fields.")
    return messages


def _field_def(schema: GraphQLSchema, parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    return schema.get_field(parent, name) if parent is not None and is_composite_type(parent) else None


def _is_list(field_def: GraphQLField) -> bool:
    return is_list_type(get_nullable_type(field_def.type))


def _number(field_def: GraphQLField, name: str) -> int | None:
    """A number in the field's metadata, as in `strawberry.field(metadata={"page_limit": 1000})`."""
    value = _metadata(field_def).get(name)
    return value if isinstance(value, int) else None


def _metadata(field_def: GraphQLField) -> Mapping[Any, Any]:
    definition = (field_def.extensions or {}).get("strawberry-definition")
    return getattr(definition, "metadata", None) or {}
