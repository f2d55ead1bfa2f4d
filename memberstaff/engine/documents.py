"""Documents parsed, measured and validated once: the answer depends on the text alone, so it is kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    StringValueNode,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)
from graphql.validation.rules import overlapping_fields_can_be_merged
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.types.graphql import OperationType

from memberstaff.engine.limits import Limits, measure
from memberstaff.engine.masking import refusal

RULES = (*specified_rules, MaybeNullValidationRule)
"""Strawberry's rule for oneOf inputs is left out: it raises KeyError for an unknown variable, and coercion
checks the same before any resolver runs."""

MOST_COMPARISONS = 20_000
"""Work units of the rule that compares fields of one name. A thousand fields `id` cost 0.4 s within its own
bound of 500,000; an ordinary document costs a few hundred units."""

MOST_ERRORS = 10
"""Validation errors told at once: enough to mend a document, cheap to find."""

BYTES_PER_CHARACTER = 270
"""Memory of a parsed document for each character of its text, at most; what is compiled for it is in it."""

overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = MOST_COMPARISONS


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that may run, or the reasons why it may not (then it has no document)."""

    document: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    introspects: bool = False
    """Whether it asks about the schema; whether it may is up to the caller's rights, not to the document."""
    operations: Mapping[str | None, OperationType] | None = None
    derived: dict[Hashable, Any] = field(default_factory=dict)
    """What others work out from the document alone, once; it is dropped together with it."""

    def operation(self, name: str | None) -> OperationType | GraphQLError:
        """The type of the operation that would run; an error when the name does not decide that."""
        known = self.operations or {}
        if name is None:
            if len(known) == 1:
                return next(iter(known.values()))
            many = "Several operations: operationName must say which one to run."
            return refusal(many if known else "The document holds no operation.")
        return known.get(name) or refusal(f'There is no operation named "{name}" in the document.')


class Documents:
    """Prepares documents for one schema: an LRU cache of those that are valid, bounded in bytes.

    Refused ones are not cached: they cost their sender as much as us, and would push out the good ones.
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
        """Memory that the cached documents take, at most."""
        return self._bytes

    def prepare(self, query: str) -> Prepared:
        """Parse, measure and validate a document, or answer the cached result."""
        if (cached := self._cache.get(query)) is not None:
            self._cache.move_to_end(query)
            self.hits += 1
            return cached
        prepared = self._prepare(query)
        if not prepared.errors:
            self._keep(query, prepared)
        return prepared

    def of_operation(self, operation: OperationDefinitionNode) -> Prepared | None:
        """The cached document that holds this very node."""
        return self._by_operation.get(id(operation))

    def _prepare(self, query: str) -> Prepared:
        limits = self.limits
        if len(query) > limits.characters:
            return _refused(f"The document has more than {limits.characters:,} characters.")
        try:
            document = parse(
                query,
                max_tokens=limits.tokens,
                max_source_length=limits.characters,
                max_comments=limits.tokens,
            )
        except GraphQLError as error:
            # Its traceback would keep the parser and the document alive.
            return Prepared(None, (error.with_traceback(None),))
        if "\\u" in query and _holds_what_no_text_holds(document):
            return _refused("A string in the document holds a null character or half of a character.")
        verdict = measure(self.schema, document, limits)
        if verdict.errors:
            return Prepared(None, tuple(verdict.errors))
        errors = validate(self.schema, document, RULES, max_errors=MOST_ERRORS, hide_suggestions=not self.suggestions)
        if errors:
            return Prepared(None, tuple(errors))
        prepared = Prepared(document, (), verdict.introspects)
        operations = {
            node.name.value if node.name else None: OperationType(node.operation.value)
            for node in _operations(prepared)
        }
        return replace(prepared, operations=operations)

    def _keep(self, query: str, prepared: Prepared) -> None:
        self._cache[query] = prepared
        self._bytes += BYTES_PER_CHARACTER * len(query)
        self._by_operation.update((id(node), prepared) for node in _operations(prepared))
        while self._bytes > self.limits.cache_bytes:
            gone, dropped = self._cache.popitem(last=False)
            self._bytes -= BYTES_PER_CHARACTER * len(gone)
            for node in _operations(dropped):
                del self._by_operation[id(node)]


def _operations(prepared: Prepared) -> list[OperationDefinitionNode]:
    assert prepared.document is not None
    return [node for node in prepared.document.definitions if isinstance(node, OperationDefinitionNode)]


def _refused(message: str) -> Prepared:
    return Prepared(None, (refusal(message),))


def _holds_what_no_text_holds(document: DocumentNode) -> bool:
    """Whether an escape in a string literal made a NUL or a lone surrogate, which no database stores."""
    strings = _Strings()
    visit(document, strings)
    return any("\x00" in text or any("\ud800" <= char <= "\udfff" for char in text) for text in strings.texts)


class _Strings(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        self.texts.append(node.value)
