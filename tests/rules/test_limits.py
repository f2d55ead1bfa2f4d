"""A document is measured before anything else happens to it, whatever its fragments do."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import get_introspection_query, parse

from memberstaff.engine.documents import Documents
from memberstaff.engine.limits import Limits, measure
from memberstaff.engine.schema import Schema, build_schema
from tests.calls import at_most
from tests.rules.people import LIMITS, Mutation, Query, Subscription

TOO_LARGE = "OPERATION_TOO_LARGE"


class Asking:
    """A context that counts how often it was asked about introspection."""

    request_id = "the-request"

    def __init__(self, *, may: bool) -> None:
        self.may = may
        self.asked = 0

    async def may_introspect(self) -> bool:
        self.asked += 1
        return self.may


@pytest.fixture
def schema() -> Schema:
    """Of this file's own types."""
    return build_schema(Query, Mutation, Subscription, limits=LIMITS)


def complaints(schema: Schema, query: str, limits: Limits = LIMITS) -> list[str]:
    return [error.message for error in measure(schema.core, parse(query), limits).errors]


def doubling(fragments: int, body: str) -> str:
    """Fragments that each spread the next one twice."""
    links = "".join(f"fragment f{n} on Query{{...f{n + 1} ...f{n + 1}}}" for n in range(fragments))
    return f"{{...f0}}{links}fragment f{fragments} on Query{{{body}}}"


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        (
            "{ person { parents { parents { parents { parents { parents { name } } } } } } }",
            "The operation is 7 levels deep; the limit is 6.",
        ),
        (
            "{ person { a: name ...x ...x } } fragment x on Person { b: name c: name }",
            "The operation has 5 aliases; the limit is 3.",
        ),
        (
            "{ person { name @include(if: true) ...x ...x } } fragment x on Person { tags @skip(if: true) }",
            "The operation has 3 directives; the limit is 2.",
        ),
        (
            "{ ...x ... { __typename } } fragment x on Query { a person { name } b ...y } fragment y on Query { c }",
            "The operation has 5 root fields; the limit is 4.",
        ),
        (
            'mutation { a: login(name: "a") ...x } fragment x on Mutation { b: login(name: "b") }',
            "Only one login is allowed in an operation.",
        ),
        (
            "{ board(first: 300) { edges { node { friends { name } } } } }",
            "The operation could return 3,601 objects; the limit is 1,000. Ask for smaller pages.",
        ),
        (
            "{" + "...{" * 70 + "person{name}" + "}" * 71,
            "Selections are nested too deeply; the limit is 64 levels.",
        ),
    ],
)
def test_what_is_too_much_is_named_with_what_is_allowed(schema: Schema, query: str, complaint: str) -> None:
    assert complaints(schema, query) == [complaint]


def test_each_operation_of_a_document_is_measured_by_itself(schema: Schema) -> None:
    two = "query A { a: person { b: name } } query B { a: person { b: name } }"
    assert complaints(schema, two) == []


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        (doubling(25, "a: person { name }"), "The operation has over a million aliases; the limit is 3."),
        (doubling(25, "...f0"), "The operation has "),
        ("{...a} fragment a on Query{...b} fragment b on Query{...a person{name}}", ""),
        (
            "{person{" + "friends{" * 12 + "name" + "}" * 13 + "}",
            "The operation is 14 levels deep; the limit is 6.",
        ),
        (
            "{person{friends{friends{friends{friends{name}}}}}}",
            "The operation could return 11,111 objects; the limit is 1,000. Ask for smaller pages.",
        ),
    ],
)
def test_bombs_are_refused_with_little_work(query: str, complaint: str) -> None:
    documents = Documents(build_schema(Query, limits=LIMITS).core, LIMITS, suggestions=False)
    with at_most(calls=30_000):  # 17,195 for the worst of them; 25 fragments that double, walked each time, are 2²⁵
        errors = documents.prepare(query).errors
    assert [error.message for error in errors][:1] != []
    assert complaint in errors[0].message or "within itself" in errors[0].message


@pytest.mark.parametrize(
    ("query", "complaint", "reason", "calls"),
    [
        ("{" + " a" * 501 + "}", "Syntax Error: Document contains more than 500 tokens.", TOO_LARGE, 20_000),
        ("{ person { name } } #" + "x" * 3_000, "The document has more than 3,000 characters.", TOO_LARGE, 100),
        ("#\n" * 501 + "{ person { name } }", "Syntax Error: Document contains more than 500", TOO_LARGE, 4_000),
        ("{ person {" + " name" * 400 + " } }", "Validation aborted.", "GRAPHQL_VALIDATION_FAILED", 100_000),
    ],
)
async def test_a_document_that_is_merely_large_is_refused_with_work_in_proportion(
    schema: Schema, query: str, complaint: str, reason: str, calls: int
) -> None:
    await schema.execute("{ person { name } }")
    with at_most(calls):  # about a fifth more than it takes; what costs most is to compare 400 fields with each other
        result = await schema.execute(query)
    assert result.errors is not None
    assert [error.message.startswith(complaint) for error in result.errors] == [True]
    assert result.errors[0].extensions == {"code": "BAD_REQUEST", "reason": reason}


async def test_a_document_is_prepared_once_whatever_its_variables(schema: Schema) -> None:
    query = "query ($n: Int) { people(first: $n) { edges { node { name } } } }"
    prepared = schema.documents.prepare(query)
    for first in (1, 2, "nonsense"):
        await schema.execute(query, {"n": first})
    assert schema.documents.prepare(query) is prepared


def test_only_so_many_bytes_of_documents_are_cached_and_no_refused_ones() -> None:
    texts = [f"query Q{number} {{ person {{ name }} }}" for number in range(10)]
    each = 270 * len(texts[0])
    documents = Documents(build_schema(Query, limits=LIMITS).core, Limits(cache_bytes=3 * each), suggestions=False)
    prepared = {text: documents.prepare(text) for text in texts[:2]}
    assert documents.prepare(texts[0]) is prepared[texts[0]]
    documents.prepare("{ nothing }")
    for text in texts[2:4]:
        documents.prepare(text)
    assert documents.bytes == 3 * each
    assert documents.prepare(texts[0]) is prepared[texts[0]]
    assert documents.prepare(texts[1]) is not prepared[texts[1]]  # the least recently used one went
    assert documents.bytes == 3 * each


@pytest.mark.parametrize("may", [True, False])
async def test_introspection_is_decided_anew_for_each_request(schema: Schema, *, may: bool) -> None:
    query = "{ ...x } fragment x on Query { s: __schema { queryType { name } } }"
    asking = Asking(may=may)
    for _ in range(2):
        result = await schema.execute(query, context_value=asking)
        assert result.data == ({"s": {"queryType": {"name": "Query"}}} if may else None)
    assert asking.asked == 2
    refused = await schema.execute(query)
    assert refused.errors is not None
    assert refused.errors[0].extensions == {"code": "FORBIDDEN"}


async def test_asking_for_a_type_name_is_no_introspection(schema: Schema) -> None:
    asking = Asking(may=False)
    result = await schema.execute("{ __typename person { __typename name } # __schema\n}", context_value=asking)
    assert result.data == {"__typename": "Query", "person": {"__typename": "Person", "name": "Amina"}}
    assert asking.asked == 0


@pytest.mark.parametrize(
    "options",
    [{}, {"input_value_deprecation": True, "specified_by_url": True, "schema_description": True}],
)
async def test_the_query_of_code_generators_and_the_playground_passes(schema: Schema, options: dict[str, Any]) -> None:
    result = await schema.execute(get_introspection_query(**options), context_value=Asking(may=True))
    assert result.errors is None


async def test_introspection_has_bounds_too(schema: Schema) -> None:
    fan = "{ __schema { types {" + "fields { type {" * 8 + "name" + "}}" * 8 + "} } }"
    result = await schema.execute(fan, context_value=Asking(may=True))
    assert result.errors is not None
    assert "The introspection query could return too much. Select fewer fields." in [
        error.message for error in result.errors
    ]
