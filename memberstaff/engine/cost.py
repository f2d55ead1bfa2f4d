"""What an operation costs: the objects that it could return, as a formula over the variables that say how many.

The formula is made once per document, together with its other limits, and computed for each request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLInt,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    ValueNode,
    VariableNode,
)

from memberstaff.errors import BadRequestReason

PAGE_LIMIT = 100
"""`page_limit` of a field whose metadata has none: its largest page."""

FIRST = "first"
"""The argument with the page size."""

MOST_REPORTED = 2**31 - 1
"""The largest cost that an error reports: nested fragments can make it thousands of digits long."""


@dataclass(slots=True)
class Objects:
    """A number of objects: `fixed`, and multiples of terms."""

    fixed: int = 0
    terms: dict[Term, int] = field(default_factory=dict)

    def add(self, other: Objects, times: int = 1) -> None:
        """Add a multiple of another number."""
        self.fixed += other.fixed * times
        for term, number in other.terms.items():
            self.terms[term] = self.terms.get(term, 0) + number * times

    def value(self, values: Mapping[Term, int]) -> int:
        """The number, given those of the terms."""
        return self.fixed + sum(number * values[term] for term, number in self.terms.items())


@dataclass(frozen=True, slots=True)
class PageSize:
    """A page size that is a variable. Null, like an omitted one, means the argument's default."""

    variable: str
    default: int
    largest: int

    def given(self, value: Any) -> int:
        """The size of the page in a request, given the value of the variable."""
        asked = _integer(value)
        return self.default if asked is None else _bounded(asked, self.largest)


@dataclass(frozen=True, slots=True)
class InputLength:
    """The length of a list in a mutation's input: that of a variable, or at this path in one."""

    variable: str
    path: tuple[str, ...]
    largest: int

    def given(self, value: Any) -> int:
        """The length in a request, given the value of the variable."""
        return _length(value, self.path, self.largest)


ListSize = PageSize | InputLength


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """Objects whose number depends on a request: `each`, for each item of the page or input, or once without either.

    The latter is a fragment, so that a formula stays as short as its document, however often the fragment is spread.
    """

    each: Objects
    size: ListSize | None = None


@dataclass(frozen=True, slots=True)
class OperationCost:
    """The cost of an operation; of a subscription, with each event."""

    node: OperationDefinitionNode
    objects: Objects
    terms: list[Term]
    defaults: Mapping[ListSize, int | ValueNode | None]
    """Of the variable of each size: its default, or None."""
    limit: int

    @property
    def is_fixed(self) -> bool:
        """Whether it is the same for all variables."""
        return not self.objects.terms

    def of(self, variables: Mapping[str, Any] | None) -> int:
        """The cost with these variables, as the client sent them.

        Those that are invalid count as nothing: with them, the operation does not run.
        """
        if self.is_fixed:
            return self.objects.fixed
        given = variables or {}
        sizes = {size: size.given(given.get(size.variable, default)) for size, default in self.defaults.items()}
        values: dict[Term, int] = {}
        for term in self.terms:
            each = term.each.value(values)
            values[term] = each if term.size is None else each * sizes[term.size]
        return self.objects.value(values)

    def excess(self, cost: int) -> GraphQLError | None:
        """The error for a cost above the limit; None for one within it."""
        if cost <= self.limit:
            return None
        what = (
            "Each event of the subscription" if self.node.operation is OperationType.SUBSCRIPTION else "The operation"
        )
        is_of_input = any(isinstance(size, InputLength) for size in self.defaults)
        advice = "Ask for smaller pages, or send fewer at once." if is_of_input else "Ask for smaller pages."
        message = f"{what} could return {count(cost)} objects; the limit is {self.limit:,}. {advice}"
        reason = BadRequestReason.OPERATION_TOO_EXPENSIVE.value
        extensions = {"reason": reason, "cost": min(cost, MOST_REPORTED), "limit": self.limit}
        return GraphQLError(message, self.node, extensions=extensions)


class Formulas:
    """The terms of one document, in the order in which they can be computed: each after those that it contains."""

    def __init__(self) -> None:
        self.terms: list[Term] = []

    def page(self, size: int | ListSize, each: Objects) -> Objects:
        """The objects of a page, or of a list that is as long as the input."""
        product = Objects()
        if isinstance(size, int):
            product.add(each, size)
        elif each.fixed or each.terms:
            product.terms[self._term(Term(each, size))] = 1
        return product

    def shared(self, objects: Objects) -> Objects:
        """The same number, to be added in many places."""
        return Objects(0, {self._term(Term(objects)): 1}) if objects.terms else objects

    def operation(self, node: OperationDefinitionNode, objects: Objects, limit: int) -> OperationCost:
        """The cost of an operation of the document."""
        declared = {each.variable.name.value: each.default_value for each in node.variable_definitions or ()}
        sizes = {term.size for term in self.terms if term.size is not None}
        return OperationCost(
            node, objects, self.terms, {size: _default(declared.get(size.variable)) for size in sizes}, limit
        )

    def _term(self, term: Term) -> Term:
        self.terms.append(term)
        return term


def page_size(node: FieldNode, field_def: GraphQLField, largest: int) -> int | PageSize | None:
    """The size of the page that a field returns; None if it is not paginated.

    One that the resolver refuses counts as the largest.
    """
    if (argument := field_def.args.get(FIRST)) is None:
        return None
    default = argument.default.value if argument.default is not None else argument.default_value
    default = _bounded(default, largest) if isinstance(default, int) else largest
    given = next((given.value for given in node.arguments or () if given.name.value == FIRST), None)
    if given is None or isinstance(given, NullValueNode):
        return default
    if isinstance(given, VariableNode):
        return PageSize(given.name.value, default, largest)
    # Validation rejects other values, and more than 32 bits; int() raises for thousands of digits.
    return (
        _bounded(int(given.value), largest) if isinstance(given, IntValueNode) and len(given.value) <= 11 else largest
    )


def input_length(node: FieldNode, path: Sequence[str], largest: int) -> int | InputLength:
    """The length of the list at this path in the arguments of a field: how many its answer can have of each list.

    It counts as the largest where there is none, since something else then says how many.
    """
    argument, *rest = path
    value = next((given.value for given in node.arguments or () if given.name.value == argument), None)
    while rest and isinstance(value, ObjectValueNode):
        value = _member(value, rest.pop(0))
    if isinstance(value, VariableNode):
        return InputLength(value.name.value, tuple(rest), largest)
    return _length(value, rest, largest)


def count(number: int) -> str:
    """Format a count, which nested fragments can make thousands of digits long."""
    return f"{number:,}" if number < 1_000_000 else "over a million"


def _bounded(asked: int, largest: int) -> int:
    return asked if 0 <= asked <= largest else largest


def _integer(value: Any) -> int | None:
    """The value of an Int variable; 0 for one that is none."""
    if value is None:
        return None
    try:
        coerced: int = GraphQLInt.coerce_input_value(value)
    except GraphQLError:
        return 0
    return coerced


def _default(value: ValueNode | None) -> int | ValueNode | None:
    if isinstance(value, IntValueNode):
        return int(value.value)
    return value if isinstance(value, ListValueNode | ObjectValueNode) else None


def _length(value: Any, path: Iterable[str], largest: int) -> int:
    """The length of the list at the path in a value, as JSON or as written in the document; at least 1, for an error.

    As a list, any other value is one of itself.
    """
    for name in path:
        value = _member(value, name)
    if value is None or isinstance(value, NullValueNode):
        return largest
    items = value.values if isinstance(value, ListValueNode) else value
    return min(max(1, len(items)), largest) if isinstance(items, list | tuple) else 1


def _member(value: Any, name: str) -> Any:
    """The member of an object; None for anything else, which is invalid."""
    if isinstance(value, ObjectValueNode):
        return next((each.value for each in value.fields if each.name.value == name), None)
    return value.get(name) if isinstance(value, dict) else None
