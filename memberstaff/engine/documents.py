"""An LRU cache of parsed and validated documents: whether a document is valid depends on its text alone."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    IntValueNode,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    StringValueNode,
    ValidationContext,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.types.graphql import OperationType

from memberstaff.engine.cost import OperationCost
from memberstaff.engine.limits import Limits, measure, too_large
from memberstaff.engine.masking import graphql_error
from memberstaff.engine.one_of import OneOfVariables
from memberstaff.errors import BadRequest, BadRequestReason

MOST_COMPARISONS = 5_000
"""graphql-core's complexity budget for OverlappingFieldsCanBeMerged. At its default of 500,000, a thousand `id`
fields took 0.4 s; an ordinary document uses a few hundred."""

STRANGERS_COMPARISONS = 500
"""The same for whoever has no valid login: enough for thirty fields of one name."""

MOST_ERRORS = 10
"""Validation errors in a response: enough to fix a document, cheap to find."""

BYTES_PER_CHARACTER = 270
"""Memory of a parsed document for each character of its text, at most; what is derived from it is included."""

PARSING_ABORTED = "Parsing aborted."
"""The end of graphql-core's message about a document that is too large or too deep for it."""

LONGEST_NUMBER = 400
"""Digits of an integer: more than the longest float has."""
LONG_NUMBER = re.compile(rf"[0-9]{{{LONGEST_NUMBER + 1}}}")


class BoundedOverlappingFields(OverlappingFieldsCanBeMergedRule):
    """graphql-core's rule with a budget of our own, which it takes from a global of the process otherwise."""

    budget = MOST_COMPARISONS

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = self.budget


class StrangersOverlappingFields(BoundedOverlappingFields):
    """The same, with the budget of a stranger."""

    budget = STRANGERS_COMPARISONS


def _rules(overlapping: type[BoundedOverlappingFields]) -> tuple[type[ASTValidationRule], ...]:
    return tuple(
        overlapping if rule is OverlappingFieldsCanBeMergedRule else rule
        for rule in (*specified_rules, MaybeNullValidationRule, OneOfVariables)
    )


RULES, STRANGERS_RULES = _rules(BoundedOverlappingFields), _rules(StrangersOverlappingFields)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A validated document, or the errors that it was rejected with, without a document."""

    document: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    introspects: bool = False
    """Whether it contains an introspection query, which not every caller may run."""
    operations: Mapping[str | None, OperationType] | None = None
    needs_login: bool = False
    """Whether it was rejected only because a stranger sent it."""
    costs: Mapping[str | None, OperationCost] = field(default_factory=dict)
    """Of each operation, by its name."""
    derived: dict[Hashable, Any] = field(default_factory=dict)
    """Memo for what other modules derive from the document alone; evicted with it."""

    def operation(self, name: str | None) -> OperationType | GraphQLError:
        """The type of the operation to run, or an error when the name does not select one."""
        known = self.operations or {}
        if name is None:
            if len(known) == 1:
                return next(iter(known.values()))
            several = "The document has several operations; operationName must name the one to run."
            return _unresolved(several if known else "The document has no operation.")
        return known.get(name) or _unresolved(f'The document has no operation named "{name}".')

    def name(self, given: str | None) -> str | None:
        """The name of the operation to run, which a client need not give when there is one; None without one."""
        return given or next(iter(self.operations or ()), None)

    def cost(self, name: str | None, variables: Mapping[str, Any] | None) -> int | GraphQLError:
        """The objects that the operation to run could return, or an error when they are too many."""
        cost = self.costs[name] if name is not None else next(iter(self.costs.values()))
        objects = cost.of(variables)
        return cost.excess(objects) or objects


class Documents:
    """Prepares documents for one schema, with a byte-bounded LRU cache of those that are valid.

    Invalid ones are not cached: they cost their sender as much as us, and would evict the valid ones. Nor are those of
    strangers, who have no valid login, and may not send large ones either.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits, *, suggestions: bool) -> None:
        self.schema = schema
        self.limits = limits
        self.suggestions = suggestions
        self.hits = 0
        self._cache: OrderedDict[str, Prepared] = OrderedDict()
        self._by_operation: dict[int, Prepared] = {}
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Upper bound of the memory of the cached documents."""
        return self._bytes

    def prepare(self, query: str, *, stranger: bool = False) -> Prepared:
        """Parse, measure and validate a document, unless it is cached."""
        if (cached := self._cache.get(query)) is not None:
            self._cache.move_to_end(query)
            self.hits += 1
            return cached
        prepared = self._prepare(query, stranger=stranger)
        if not prepared.errors and not stranger:
            self._store(query, prepared)
        return prepared

    def is_prepared(self, query: str) -> bool:
        """Whether the document is cached."""
        return query in self._cache

    def of_operation(self, operation: OperationDefinitionNode) -> Prepared | None:
        """The cached document that contains this node, by identity."""
        return self._by_operation.get(id(operation))

    def _prepare(self, query: str, *, stranger: bool = False) -> Prepared:
        limits = self.limits
        tokens = min(limits.tokens, limits.stranger_tokens) if stranger else limits.tokens
        if len(query) > limits.characters:
            return Prepared(None, (too_large(f"The document has more than {limits.characters:,} characters."),))
        try:
            document = parse(
                query,
                max_tokens=tokens,
                max_source_length=limits.characters,
                max_comments=tokens,
            )
        except GraphQLError as error:
            is_large = error.message.endswith(PARSING_ABORTED)
            reason = BadRequestReason.OPERATION_TOO_LARGE if is_large else BadRequestReason.GRAPHQL_PARSE_FAILED
            too_many = f"Syntax Error: Document contains more than {tokens} "
            needs_login = tokens < limits.tokens and error.message.startswith(too_many)
            # The traceback would keep the parser and the document alive.
            return Prepared(None, because(reason, [error.with_traceback(None)]), needs_login=needs_login)
        if "\\u" in query and _has_unstorable_string(document):
            return _refused("A string in the document contains U+0000 or an unpaired surrogate.")
        if LONG_NUMBER.search(query) and _has_long_number(document):
            return _refused(f"A number in the document has more than {LONGEST_NUMBER} digits.")
        measured = measure(self.schema, document, limits)
        if measured.errors:
            return Prepared(None, tuple(measured.errors))
        rules = STRANGERS_RULES if stranger else RULES
        errors = validate(self.schema, document, rules, max_errors=MOST_ERRORS, hide_suggestions=not self.suggestions)
        if errors:
            return Prepared(None, because(BadRequestReason.GRAPHQL_VALIDATION_FAILED, errors))
        prepared = Prepared(document, (), measured.introspects, costs=measured.costs)
        operations = {
            node.name.value if node.name else None: OperationType(node.operation.value)
            for node in _operations(prepared)
        }
        return replace(prepared, operations=operations)

    def _store(self, query: str, prepared: Prepared) -> None:
        self._cache[query] = prepared
        self._bytes += BYTES_PER_CHARACTER * len(query)
        self._by_operation.update((id(node), prepared) for node in _operations(prepared))
        while self._bytes > self.limits.cache_bytes:
            evicted, dropped = self._cache.popitem(last=False)
            self._bytes -= BYTES_PER_CHARACTER * len(evicted)
            for node in _operations(dropped):
                del self._by_operation[id(node)]


def _operations(prepared: Prepared) -> list[OperationDefinitionNode]:
    assert prepared.document is not None
    return [node for node in prepared.document.definitions if isinstance(node, OperationDefinitionNode)]


def because(reason: BadRequestReason, errors: list[GraphQLError]) -> tuple[GraphQLError, ...]:
    """graphql-core's errors, with the reason for clients."""
    for error in errors:
        error.extensions = {"reason": reason.value}
    return tuple(errors)


def _refused(message: str) -> Prepared:
    return Prepared(None, (graphql_error(BadRequest(message)),))


def _unresolved(message: str) -> GraphQLError:
    return graphql_error(BadRequest(message, BadRequestReason.MALFORMED_REQUEST))


def _has_unstorable_string(document: DocumentNode) -> bool:
    """Whether an escape in a string literal makes a NUL or an unpaired surrogate, which no database stores."""
    strings = _Strings()
    visit(document, strings)
    return any("\x00" in text or any("\ud800" <= char <= "\udfff" for char in text) for text in strings.texts)


def _has_long_number(document: DocumentNode) -> bool:
    """Whether a number is longer than any that is of use; Python raises for one of 4,300 digits."""
    numbers = _Numbers()
    visit(document, numbers)
    return numbers.longest > LONGEST_NUMBER


class _Numbers(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.longest = 0

    def enter_int_value(self, node: IntValueNode, *_: Any) -> None:
        self.longest = max(self.longest, len(node.value))


class _Strings(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        self.texts.append(node.value)
