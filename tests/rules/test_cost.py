"""A page size costs the same in a variable as written out, and is priced without another walk over the document."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st
from strawberry.types.execution import PreExecutionError

from memberstaff.engine.cost import OperationCost
from memberstaff.engine.limits import Limits, measure
from memberstaff.engine.schema import build_schema
from memberstaff.staff.commands import Details
from schema.audit import MOST_DETAILS
from schema.root import make_schema
from tests.calls import at_most
from tests.rules.people import LIMITS, Mutation, Query, Subscription

SCHEMA = build_schema(Query, Mutation, Subscription, limits=LIMITS)
EDGES = "{ edges { node { name } } }"
MANY_EDGES = "{ edges { node { friends { name } } } }"
OMITTED = object()


def formula(query: str, name: str | None = None) -> OperationCost:
    return measure(SCHEMA.core, parse(query), Limits(depth=99)).costs[name]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ person { name tags } }", 1),
        ("{ person { friends { name } } }", 1 + 10),
        ("{ person { parents { name } } }", 1 + 2),
        ("{ person { parents { parents { name } } } }", 1 + 2 * (1 + 2)),
        ("{ people { edges { node { name } } } }", 1 + 20 * 2),
        ("{ people(first: 5) { edges { node { name } } } }", 1 + 5 * 2),
        ("{ people(first: 0) { edges { node { name } } } }", 1),
        ("{ people(first: -3) { edges { node { name } } } }", 1 + 100 * 2),
        ("{ people(first: 101) { edges { node { name } } } }", 1 + 100 * 2),
        ("{ people(first: null) { edges { node { name } } } }", 1 + 20 * 2),
        ("{ board { edges { node { name } } } }", 1 + 300 * 2),
        ("{ people(first: 5) { ...e } } fragment e on People { edges { node { name } } }", 1 + 5 * 2),
        (
            "{ people(first: 5) {...e} a: people(first: 7) {...e} } fragment e on People { edges { node { name } } }",
            2 + 5 * 2 + 7 * 2,
        ),
        ("{ people(first: 5) { edges { node { friends { name } } } } }", 1 + 5 * (2 + 10)),
        (
            "{ people(first: 5) { edges { node { page(first: 3) { edges { node { name } } } } } } }",
            1 + 5 * (3 + 6),
        ),
        ("{ people(first: 5) { ... { ... on People { edges { node { name } } } } } }", 1 + 5 * 2),
    ],
)
def test_the_cost_is_the_objects_that_an_answer_may_hold(query: str, expected: int) -> None:
    assert formula(query).is_fixed
    assert formula(query).of({"n": 5}) == expected


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        ("query ($n: Int) { people(first: $n) %s }", {"n": 5}, 1 + 5 * 2),
        ("query ($n: Int) { people(first: $n) %s }", {"n": 5.0}, 1 + 5 * 2),
        ("query ($n: Int) { people(first: $n) %s }", {"n": 0}, 1),
        ("query ($n: Int) { people(first: $n) %s }", {"n": -3}, 1 + 100 * 2),
        ("query ($n: Int) { people(first: $n) %s }", {"n": 101}, 1 + 100 * 2),
        ("query ($n: Int) { people(first: $n) %s }", {}, 1 + 20 * 2),
        ("query ($n: Int) { people(first: $n) %s }", {"n": None}, 1 + 20 * 2),
        ("query ($n: Int = 7) { people(first: $n) %s }", {}, 1 + 7 * 2),
        ("query ($n: Int = 7) { people(first: $n) %s }", {"n": 3}, 1 + 3 * 2),
        ("query ($n: Int = 7) { people(first: $n) %s }", {"n": None}, 1 + 20 * 2),
        ("query ($n: Int = null) { people(first: $n) %s }", {}, 1 + 20 * 2),
        ("query ($n: Int! = 7) { people(first: $n) %s }", {}, 1 + 7 * 2),
        ("query ($n: Int) { board(first: $n) %s }", {"n": 5}, 1 + 5 * 2),
        ("query ($n: Int) { board(first: $n) %s }", {}, 1 + 300 * 2),
        ("query ($n: Int) { people(first: $n) %s board(first: $n) %s }", {"n": 200}, 1 + 100 * 2 + 1 + 200 * 2),
        ("query ($n: Int) { ...a ...a } fragment a on Query { people(first: $n) %s }", {"n": 5}, 2 * (1 + 5 * 2)),
        ("query ($n: Int) { person { friends { page(first: $n) %s } } }", {"n": 5}, 1 + 10 * (1 + 1 + 5 * 2)),
        (
            "query ($n: Int, $m: Int) { people(first: $n) { edges { node { page(first: $m) %s } } } }",
            {"n": 5, "m": 3},
            1 + 5 * (2 + 1 + 3 * 2),
        ),
    ],
)
def test_a_page_size_in_a_variable_counts_with_its_value(query: str, variables: dict[str, Any], expected: int) -> None:
    assert formula(query.replace("%s", EDGES)).of(variables) == expected


@pytest.mark.parametrize("invalid", ["5", 1.5, True, 2**31, 10**400, [5], {}])
def test_a_page_size_that_is_no_int_counts_as_nothing_since_the_operation_does_not_run(invalid: Any) -> None:
    assert formula(f"query ($n: Int) {{ people(first: $n) {EDGES} }}").of({"n": invalid}) == 1


@pytest.mark.parametrize(
    ("query", "variables", "length"),
    [
        ('mutation { hire(input: {batch: {rows: ["a", "b", "c"]}}) %s }', {}, 3),
        ('mutation { hire(input: {batch: {rows: "a"}}) %s }', {}, 1),
        ("mutation { hire(input: {batch: {rows: []}}) %s }", {}, 1),
        ("mutation { hire(input: {batch: {rows: null}}) %s }", {}, 30),
        ("mutation { hire(input: {batch: {}}) %s }", {}, 30),
        ("mutation { hire(input: {}) %s }", {}, 30),
        ("mutation { hire %s }", {}, 30),
        ("mutation ($a: String!) { hire(input: {batch: {rows: [$a, $a]}}) %s }", {"a": "x"}, 2),
        ("mutation ($r: [String!]) { hire(input: {batch: {rows: $r}}) %s }", {"r": ["a", "b"]}, 2),
        ("mutation ($r: [String!]) { hire(input: {batch: {rows: $r}}) %s }", {"r": "a"}, 1),
        ("mutation ($r: [String!]) { hire(input: {batch: {rows: $r}}) %s }", {}, 30),
        ('mutation ($r: [String!] = ["a", "b"]) { hire(input: {batch: {rows: $r}}) %s }', {}, 2),
        ('mutation ($r: [String!] = ["a", "b"]) { hire(input: {batch: {rows: $r}}) %s }', {"r": ["a"] * 31}, 30),
        ("mutation ($b: Batch) { hire(input: {batch: $b}) %s }", {"b": {"rows": ["a"] * 29}}, 29),
        ("mutation ($i: Hire) { hire(input: $i) %s }", {"i": {"batch": {"rows": ["a"] * 4}}}, 4),
        ("mutation ($i: Hire) { hire(input: $i) %s }", {"i": {"batch": {"rows": None}}}, 30),
        ("mutation ($i: Hire) { hire(input: $i) %s }", {"i": {"batch": None}}, 30),
        ("mutation ($i: Hire) { hire(input: $i) %s }", {"i": None}, 30),
        ('mutation ($i: Hire = {batch: {rows: ["a", "b"]}}) { hire(input: $i) %s }', {}, 2),
        ('mutation ($i: Hire = {batch: {rows: "a"}}) { hire(input: $i) %s }', {"i": {}}, 30),
        ("mutation ($i: Hire) { hire(input: $i) { ...h } } fragment h on Hired %s", {"i": {"batch": {"rows": []}}}, 1),
    ],
)
def test_a_list_of_a_payload_counts_as_long_as_the_input(query: str, variables: dict[str, Any], length: int) -> None:
    selection = "{ people { parents { name } } boss { friends { name } } }"
    assert formula(query.replace("%s", selection)).of(variables) == 1 + length * (1 + 2) + 1 + 10


def test_each_operation_of_a_document_has_its_own_defaults() -> None:
    page = f"{{ ...p }} fragment p on Query {{ people(first: $n) {EDGES} }}"
    query = f"query A($n: Int = 3) {{ ...p }} query B($n: Int = 4, $other: Int) {page}"
    assert [formula(query, name).of(None) for name in ("A", "B")] == [1 + 3 * 2, 1 + 4 * 2]


@dataclass(frozen=True)
class Page:
    """A paginated field, which has its size, and is selected with this below each of its nodes."""

    field: str
    size: Any
    below: str


SIZES = (
    st.sampled_from([OMITTED, None]) | st.integers(-3, 12) | st.sampled_from([99, 100, 101, 299, 300, 301, 2**31 - 1])
)


@st.composite
def documents(draw: st.DrawFn) -> list[list[Page | str]]:
    """The selections of a query, then those of fragments on Person, which spread those before them."""
    fragments: list[list[Page | str]] = []
    for number in range(draw(st.integers(1, 4))):
        spread = [f"...f{before}" for before in range(number)]
        below = st.sampled_from(["name", "friends { name }", "parents { name friends { name } }", *spread])
        of_person = st.builds(Page, st.just("page"), SIZES, below) | below
        fragments.append(draw(st.lists(of_person, min_size=1, max_size=3)))
    below = st.sampled_from([f"...f{number}" for number in range(len(fragments))])
    root = st.builds(Page, st.sampled_from(["people", "board"]), SIZES, below)
    return [draw(st.lists(root, min_size=1, max_size=3)), *fragments]


def written(document: list[list[Page | str]], argument: Callable[[Any], str], head: str = "") -> str:
    """The text of a document."""

    def text(selection: Page | str) -> str:
        if isinstance(selection, str):
            return selection
        return f"a: {selection.field}{argument(selection.size)} {{ edges {{ node {{ {selection.below} }} }} }}"

    query, *fragments = [" ".join(map(text, selections)) for selections in document]
    return f"query {head} {{ {query} }} " + " ".join(
        f"fragment f{number} on Person {{ {body} }}" for number, body in enumerate(fragments)
    )


@given(documents(), st.booleans(), st.randoms())
def test_a_document_costs_the_same_with_variables_and_without(
    document: list[list[Page | str]], in_fragments: bool, random: Any
) -> None:
    variables: dict[str, Any] = {}
    defaults: dict[str, Any] = {}

    def literal(size: Any) -> str:
        return "" if size is OMITTED else f"(first: {json.dumps(size)})"

    def variable(size: Any) -> str:
        if random.random() < 0.2:
            return literal(size)
        name = f"v{len(defaults)}"
        defaults[name] = random.choice([OMITTED, 3, None])
        if size is OMITTED:
            defaults[name] = random.choice([OMITTED, None])
        elif random.random() < 0.3:
            defaults[name] = size  # which is not sent
        else:
            variables[name] = size
        return f"(first: ${name})"

    plain = written(document, literal)
    body = written(document, variable)
    declared = ", ".join(
        f"${name}: Int" + ("" if value is OMITTED else f" = {json.dumps(value)}") for name, value in defaults.items()
    )
    query = body.replace("query ", f"query ({declared}) ", 1) if declared else body
    assert formula(query).of(variables) == formula(plain).of(None)


@pytest.mark.parametrize(
    ("literal", "symbolic", "variables"),
    [
        (f"{{ people(first: 90) {MANY_EDGES} }}", f"query ($n: Int) {{ people(first: $n) {MANY_EDGES} }}", {"n": 90}),
        (
            f"{{ people(first: 90) {MANY_EDGES} }}",
            f"query ($n: Int = 90) {{ ...p }} fragment p on Query {{ people(first: $n) {MANY_EDGES} }}",
            None,
        ),
    ],
)
async def test_too_dear_an_operation_is_refused_with_the_same_words_and_nothing_of_it_runs(
    literal: str, symbolic: str, variables: dict[str, Any] | None
) -> None:
    small = build_schema(Query, Mutation, Subscription, limits=LIMITS)
    for query in (literal, symbolic):
        result = await small.execute(query, variables)
        assert isinstance(result, PreExecutionError)
        assert [error.message for error in result.errors or ()] == [
            "The operation could return 1,081 objects; the limit is 1,000. Ask for smaller pages."
        ]
        assert [error.extensions for error in result.errors or ()] == [
            {"code": "BAD_REQUEST", "reason": "OPERATION_TOO_EXPENSIVE", "cost": 1_081, "limit": 1_000}
        ]
    for first in (1, 50, 83, None):
        assert (await small.execute(symbolic, {"n": first})).errors is None
    assert small.documents.hits == 4  # one document, whatever it is refused for


async def test_a_variable_of_another_type_is_told_so_and_is_not_too_dear() -> None:
    result = await SCHEMA.execute(f"query ($n: Int) {{ people(first: $n) {MANY_EDGES} }}", {"n": "90"})
    assert [(error.message, error.extensions) for error in result.errors or ()] == [
        (
            "Variable '$n' has invalid value: Int cannot represent non-integer value: '90'",
            {"code": "BAD_REQUEST", "reason": "BAD_USER_INPUT"},
        )
    ]


def test_a_formula_is_as_short_as_its_document_however_fragments_double() -> None:
    links = "".join(
        f"fragment f{n} on Person {{ page(first: $n) {{ edges {{ node {{ ...f{n + 1} ...f{n + 1} }} }} }} }}"
        for n in range(12)
    )
    query = f"query ($n: Int) {{ person {{ ...f0 ...f0 }} }} {links} fragment f12 on Person {{ name }}"
    with at_most(calls=40_000):
        cost = formula(query)
    assert len(cost.terms) == 12 + 12  # for each fragment, and for each page in one
    assert max(len(term.each.terms) for term in cost.terms) == 1
    with at_most(calls=200):
        assert cost.of({"n": 0}) == 1 + 2
    with at_most(calls=200):
        assert cost.of({"n": 100}) > 200**12
    error = cost.excess(cost.of({"n": 100}))
    assert error is not None
    assert (
        error.message == "The operation could return over a million objects; the limit is 5,000. Ask for smaller pages."
    )
    assert error.extensions == {"reason": "OPERATION_TOO_EXPENSIVE", "cost": 2**31 - 1, "limit": 5_000}


@pytest.mark.parametrize(
    ("query", "calls"),
    [(f"{{ people(first: 5) {EDGES} }}", 5), (f"query ($n: Int) {{ people(first: $n) {EDGES} }}", 20)],
)
def test_pricing_a_request_takes_a_few_calls(query: str, calls: int) -> None:
    cost = formula(query)
    with at_most(calls):
        cost.of({"n": 5})


def test_every_page_of_the_api_has_a_default_size() -> None:
    """Which null means too, in the cost as in the resolvers."""
    types = make_schema(Limits()).core.type_map.values()
    fields = [(name, of) for type_ in types for name, of in getattr(type_, "fields", {}).items()]
    sizes = {name: of.args["first"].default_value for name, of in fields if "first" in getattr(of, "args", {})}
    assert sizes == {"accounts": 50, "audit": 50, "history": 20, "records": 100, "staff": 50}


def test_every_list_of_objects_in_the_api_has_a_size_that_its_cost_counts_with() -> None:
    """Its own, that of the page it is in, or that of the mutation's input; none is merely assumed."""
    types = make_schema(Limits()).core.type_map.values()
    own = [type_ for type_ in types if is_composite_type(type_) and not type_.name.startswith("__")]
    fields = [(type_.name, name, of) for type_ in own for name, of in getattr(type_, "fields", {}).items()]

    def metadata(of: GraphQLField) -> Any:
        return of.extensions["strawberry-definition"].metadata if of.extensions else {}

    def is_sized(of: GraphQLField) -> bool:
        return "first" in of.args or "sized_by" in metadata(of)

    assumed = [
        f"{type_}.{name}"
        for type_, name, of in fields
        if is_list_type(get_nullable_type(of.type))
        and is_composite_type(get_named_type(of.type))
        and not is_sized(of)
        and "list_size" not in metadata(of)
        and not all(is_sized(parent) for _, _, parent in fields if get_named_type(parent.type).name == type_)
    ]
    assert assumed == []
    sized = {f"{type_}.{name}": metadata(of)["sized_by"] for type_, name, of in fields if "sized_by" in metadata(of)}
    assert sized == {
        "Mutation.bulkUpdateAttendance": ("input", "change", "entries"),
        "Mutation.importStaff": ("input", "rows"),
    }
    assert len(dataclasses.fields(Details)) <= MOST_DETAILS


def test_a_subscription_is_priced_for_each_event() -> None:
    query = "subscription ($n: Int) { person(times: 1) { page(first: $n) { edges { node { name } } } } }"
    cost = measure(SCHEMA.core, parse(query), Limits(subscription_cost=10)).costs[None]
    assert (cost.of({"n": 4}), cost.excess(10)) == (2 + 4 * 2, None)
    error = cost.excess(cost.of({"n": 5}))
    assert error is not None
    assert error.message == (
        "Each event of the subscription could return 12 objects; the limit is 10. Ask for smaller pages."
    )
