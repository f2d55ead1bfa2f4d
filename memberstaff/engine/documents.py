"""Documents parsed, measured and validated once: the answer depends on the text alone, so it is kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
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

KEPT_CHARACTERS = 200_000
"""Characters of documents that are kept. Parsed, one takes 120 to 270 times its text: 54 MB at the very most."""

overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = MOST_COMPARISONS


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that may run, or the reasons why it may not (then it has no document)."""

    document: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    introspects: bool = False
    """Whether it asks about the schema; whether it may is up to the caller's rights, not to the document."""
    operations: Mapping[str | None, OperationType] | None = None

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
    """Prepares documents for one schema and keeps those that are valid, the longest unused going first.

    Refused ones are not kept: they cost their sender as much as us, and would push out the good ones.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits, *, suggestions: bool) -> None:
        self.schema = schema
        self.limits = limits
        self.suggestions = suggestions
        self.hits = 0
        self._kept: OrderedDict[str, Prepared] = OrderedDict()
        self._characters = 0

    def prepare(self, query: str) -> Prepared:
        """Parse, measure and validate a document, or remember the result."""
        if (kept := self._kept.get(query)) is not None:
            self._kept.move_to_end(query)
            self.hits += 1
            return kept
        prepared = self._prepare(query)
        if not prepared.errors:
            self._keep(query, prepared)
        return prepared

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
        operations = {
            node.name.value if node.name else None: OperationType(node.operation.value)
            for node in document.definitions
            if isinstance(node, OperationDefinitionNode)
        }
        return Prepared(document, (), verdict.introspects, operations)

    def _keep(self, query: str, prepared: Prepared) -> None:
        self._kept[query] = prepared
        self._characters += len(query)
        while self._characters > KEPT_CHARACTERS:
            gone, _ = self._kept.popitem(last=False)
            self._characters -= len(gone)


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
