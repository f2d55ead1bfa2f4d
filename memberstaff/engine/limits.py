"""What a document may ask for, measured before it is validated; a fragment is walked once, not per spread."""

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
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

PAGE_LIMIT = 100
"""The largest page of a field whose metadata has no `page_limit`; assumed when `first` is a variable."""

LIST_SIZE = 10
"""How many objects a list without pages is taken to hold unless its metadata has a `list_size`."""

INTROSPECTION_DEPTH = 20
"""Levels below `__schema`: the query of GraphiQL and of code generators has 15."""

INTROSPECTION_COST = 100_000
"""Objects below `__schema`, each list taken as LIST_SIZE; the same query is rated 16,424."""

NESTING = 64
"""Selection sets within one another, fragments included: keeps the walk off Python's stack limit."""

INTROSPECTION = frozenset({"__schema", "__type"})

ONCE = "once_per_operation"
"""True in the metadata of a root field that an operation may hold once: ten logins in a request are ten guesses."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one document; each operation in it is measured by itself."""

    depth: int = 8
    aliases: int = 15
    directives: int = 9
    tokens: int = 1_000
    characters: int = 10_000
    root_fields: int = 10
    cost: int = 5_000
    cache_bytes: int = 54_000_000
    """Of valid documents that stay parsed."""


@dataclass(slots=True)
class Size:
    """How much a selection set asks for, seen from the object that it is selected on."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    fields: int = 0
    once: Counter[str] = field(default_factory=Counter)
    """Root fields that an operation may hold once."""
    cost: int = 0
    """Objects below one such object, lists of its own size included."""
    paged: int = 0
    """Objects for each entry of the enclosing field's page (`edges` below `records(first: 50)`)."""
    introspection_depth: int = 0
    introspection_cost: int = 0

    def add(self, other: Size) -> None:
        """Count what stands beside it in the same selection set."""
        self.depth = max(self.depth, other.depth)
        self.introspection_depth = max(self.introspection_depth, other.introspection_depth)
        self.aliases += other.aliases
        self.directives += other.directives
        self.fields += other.fields
        self.once += other.once
        self.cost += other.cost
        self.paged += other.paged
        self.introspection_cost += other.introspection_cost


@dataclass(frozen=True, slots=True)
class Measurement:
    """What measuring a document found."""

    errors: list[GraphQLError]
    introspects: bool


def measure(schema: GraphQLSchema, document: DocumentNode, limits: Limits) -> Measurement:
    """Whether each operation of a document stays within the limits; linear in the document's length."""
    return _Walk(schema, document).judge(limits)


class _Walk:
    """One walk over one document."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self.schema = schema
        self.document = document
        self.fragments: Mapping[str, FragmentDefinitionNode] = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self.sizes: dict[str, Size] = {}
        self.too_nested = False

    def judge(self, limits: Limits) -> Measurement:
        errors: list[GraphQLError] = []
        introspects = False
        for node in self.document.definitions:
            if not isinstance(node, OperationDefinitionNode):
                continue
            size = self.operation(node)
            introspects |= size.introspection_depth > 0
            if self.too_nested:
                errors.append(GraphQLError(f"Selections are nested too deeply: {NESTING} levels at most.", node))
                break
            errors.extend(GraphQLError(message, node) for message in complaints(size, limits))
        return Measurement(errors, introspects)

    def operation(self, node: OperationDefinitionNode) -> Size:
        root = self.schema.get_root_type(node.operation)
        size = self.selections(node.selection_set, root, 1)
        size.directives += len(node.directives or ())
        size.directives += sum(len(variable.directives or ()) for variable in node.variable_definitions or ())
        return size

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
        if (known := self.sizes.get(name)) is not None:
            return known
        # What stands here while the fragment is being measured ends a cycle, which validation reports.
        self.sizes[name] = Size()
        if (node := self.fragments.get(name)) is not None:
            condition = self.schema.get_type(node.type_condition.name.value)
            size = self.selections(node.selection_set, condition, level + 1)
            size.directives += len(node.directives or ())
            self.sizes[name] = size
        return self.sizes[name]

    def measure_field(self, size: Size, node: FieldNode, parent: GraphQLNamedType | None, level: int) -> None:
        name = node.name.value
        size.fields += 1
        size.aliases += node.alias is not None
        known = _definition(self.schema, parent, name)
        if known is not None and _metadata(known).get(ONCE):
            size.once[name] += 1
        below = Size()
        if node.selection_set:
            below = self.selections(node.selection_set, get_named_type(known.type) if known else None, level + 1)
        size.aliases += below.aliases
        size.directives += below.directives
        objects = 0
        paged = 0
        if known is not None and is_composite_type(get_named_type(known.type)):
            page = page_size(node, known)
            each = 1 + below.cost + below.paged * (LIST_SIZE if page is None else page)
            if not _is_list(known):
                objects = each
            elif page is not None:
                objects = page * each
            elif (fixed := _number(known, "list_size")) is not None:
                objects = fixed * each
            else:
                paged = each
        if name in INTROSPECTION:
            size.introspection_depth = max(size.introspection_depth, 1 + below.depth)
            size.introspection_cost += objects
        else:
            size.depth = max(size.depth, 1 + below.depth)
            size.cost += objects
            size.paged += paged


def complaints(size: Size, limits: Limits) -> list[str]:
    """What is too much about an operation, in words that say how much is allowed."""
    cost = size.cost + size.paged * LIST_SIZE
    found = []
    if size.depth > limits.depth:
        found.append(f"The operation has {size.depth} levels; {limits.depth} are allowed.")
    if size.introspection_depth > INTROSPECTION_DEPTH:
        found.append(f"The introspection has more than {INTROSPECTION_DEPTH} levels.")
    if size.aliases > limits.aliases:
        found.append(f"The operation has {_count(size.aliases)} aliases; {limits.aliases} are allowed.")
    if size.directives > limits.directives:
        found.append(f"The operation has {_count(size.directives)} directives; {limits.directives} are allowed.")
    if size.fields > limits.root_fields:
        found.append(f"The operation has {_count(size.fields)} root fields; {limits.root_fields} are allowed.")
    if size.once.total() > 1:
        found.append(f"The operation may hold one {' or '.join(sorted(size.once, reverse=True))}.")
    if cost > limits.cost:
        objects = f"The operation could answer with {_count(cost)} objects; {limits.cost:,} are allowed."
        found.append(f"{objects} Ask for smaller pages.")
    if size.introspection_cost > INTROSPECTION_COST:
        found.append("The introspection asks for too much at once.")
    return found


def page_size(node: FieldNode, known: GraphQLField) -> int | None:
    """How many entries `first` asks for at most; None for a field without pages."""
    if (argument := known.args.get("first")) is None:
        return None
    limit = _number(known, "page_limit") or PAGE_LIMIT
    given = next((given.value for given in node.arguments or () if given.name.value == "first"), None)
    if given is None:
        default = argument.default.value if argument.default is not None else argument.default_value
        return default if isinstance(default, int) and default >= 0 else limit
    if isinstance(given, IntValueNode):
        # Longer numbers than 32 bits are refused by validation; int() of thousands of digits is refused by Python.
        asked = int(given.value) if len(given.value) <= 10 else limit
        return asked if asked >= 0 else limit
    return limit


def _definition(schema: GraphQLSchema, parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    return schema.get_field(parent, name) if parent is not None and is_composite_type(parent) else None


def _is_list(known: GraphQLField) -> bool:
    return is_list_type(get_nullable_type(known.type))


def _number(known: GraphQLField, name: str) -> int | None:
    """A number in the metadata of `strawberry.field(metadata={"page_limit": 1000})`."""
    value = _metadata(known).get(name)
    return value if isinstance(value, int) else None


def _metadata(known: GraphQLField) -> Mapping[Any, Any]:
    definition = (known.extensions or {}).get("strawberry-definition")
    return getattr(definition, "metadata", None) or {}


def _count(number: int) -> str:
    """A number in words for people: doubling fragments make it longer than any line."""
    return f"{number:,}" if number < 1_000_000 else "over a million"
