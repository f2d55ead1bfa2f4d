"""Compiled selections give what graphql-core gives: the same data, and the same errors for values that are wrong."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Any

import pytest
import strawberry
from graphql.execution import Executor
from hypothesis import given, settings
from hypothesis import strategies as st

from memberstaff.engine.limits import Limits
from memberstaff.engine.schema import Schema, build_schema


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Thing(Named):
    key: strawberry.ID
    number: int
    rate: float
    yes: bool
    colour: Colour
    day: date
    note: str | None = None
    count: int | None = None
    tags: list[str] = strawberry.field(default_factory=list)
    labels: list[str | None] | None = None
    child: Thing | None = None
    children: list[Thing] = strawberry.field(default_factory=list)
    perhaps: list[Thing | None] | None = None
    alike: list[Named] = strawberry.field(default_factory=list)

    @strawberry.field
    def shout(self) -> str:
        return self.name.upper()


@strawberry.type
class Query:
    @strawberry.field
    def things(self) -> list[Thing]:
        return THINGS

    @strawberry.field
    async def thing(self) -> Thing | None:
        return THINGS[0] if THINGS else None


THINGS: list[Any] = []
LIMITS = Limits(cost=10**9, aliases=1_000, directives=1_000, tokens=10_000, depth=30)
SCHEMA = build_schema(Query, limits=LIMITS)
PLAIN = build_schema(Query, limits=LIMITS)
PLAIN.execution = Executor  # type: ignore[assignment]  # graphql-core's own
PLAIN.documents = SCHEMA.documents  # so that each is parsed and validated once

VALUES: list[Any] = [None, "", "text", 0, -1, 2**31, 2**80, 1.5, float("nan"), float("inf"), True, Colour.RED, [], {}]
WRONG = st.sampled_from(VALUES)


RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["", "a", "é\0", "😀"]),
    "key": st.sampled_from(["", "1", "é"]),
    "number": st.sampled_from([-(2**31), -1, 0, 7, 2**31 - 1]),
    "rate": st.sampled_from([-0.0, 1.0, 0.1, 1e300, -1e-300]),
    "yes": st.booleans(),
    "colour": st.sampled_from(Colour),
    "day": st.sampled_from([date.min, date(2026, 1, 12), date.max]),
    "note": st.sampled_from([None, "", "a"]),
    "count": st.sampled_from([None, -5, 0, 5]),
    "tags": st.sampled_from([[], ["a"], ["", "b"]]),
    "labels": st.sampled_from([None, [], [None], ["a", None]]),
}
"""Few values, with all edges: to draw them is what this test takes time for."""


def thing(depth: int) -> st.SearchStrategy[Any]:
    """A thing, its attributes mostly as the schema says: of fourteen one is wrong, on average."""
    inner = thing(depth - 1) if depth else st.none()
    below = {
        "child": inner,
        "children": st.lists(inner, max_size=3) if depth else st.just([]),
        "perhaps": st.none() | st.lists(st.none() | inner, max_size=2),
        "alike": st.just([]) | st.lists(inner, max_size=1),
    }
    right = st.fixed_dictionaries(RIGHT | below)
    wrong = st.dictionaries(st.sampled_from([*RIGHT, *below]), WRONG, max_size=2)
    return st.builds(lambda right, wrong: Thing(**right | wrong), right, wrong)


LEAVES = ("name", "key", "number", "rate", "yes", "colour", "day", "note", "count", "tags", "labels")


def selection(depth: int, *, conditions: bool = True) -> st.SearchStrategy[str]:
    """A selection of a thing's fields, with aliases, fragments, conditions, and now and then a resolver."""
    leaf = st.sampled_from(LEAVES)
    choices = [
        leaf,
        leaf,
        leaf.map(lambda name: f"also_{name}: {name}"),
        st.just("__typename"),
        st.just("shout"),
        st.just("alike { name }"),
    ]
    if conditions:
        choices += [
            leaf.map(lambda name: f"{name} @include(if: $yes)"),
            leaf.map(lambda name: f"{name} @skip(if: $yes)"),
        ]
    if depth:
        inner = selection(depth - 1, conditions=conditions)
        nested = st.sampled_from(["child", "children", "perhaps"])
        choices += [
            st.tuples(nested, inner).map(lambda pair: f"{pair[0]} {pair[1]}"),
            inner.map(lambda fields: f"... on Thing {fields}"),
            inner.map(lambda fields: f"... on Named {{ ... on Thing {fields} }}"),
            st.just("...Part"),
        ]
        if conditions:
            choices.append(inner.map(lambda fields: f"... @include(if: $yes) {fields}"))
    return st.lists(st.one_of(choices), min_size=1, max_size=6).map(lambda fields: "{ " + " ".join(fields) + " }")


async def run(schema: Schema, document: str, **variables: bool) -> tuple[Any, Any]:
    result = await schema.execute(document, variables)
    errors = sorted((str(error.path), error.message, str(error.locations)) for error in result.errors or [])
    return result.data, errors


@settings(max_examples=50, deadline=None)
@given(
    things=st.lists(thing(2), max_size=3),
    root=st.sampled_from(["thing", "things"]),
    fields=selection(2),
    part=selection(0),
    yes=st.booleans(),
)
async def test_a_compiled_selection_gives_what_graphql_core_gives(
    things: list[Any], root: str, fields: str, part: str, yes: bool
) -> None:
    THINGS[:] = things
    document = f"query ($yes: Boolean!) {{ {root} {fields} again: {root} {{ key ...Part @include(if: $yes) }} }}"
    document += f" fragment Part on Thing {part}"
    assert await run(SCHEMA, document, yes=yes) == await run(PLAIN, document, yes=yes)


@settings(max_examples=60, deadline=None)
@given(
    several=st.lists(st.lists(thing(1), max_size=2), min_size=2, max_size=3),
    root=st.sampled_from(["thing", "things"]),
    fields=selection(2, conditions=False),
    part=selection(0, conditions=False),
)
async def test_and_gives_it_again_for_other_values_once_it_is_kept(
    several: list[list[Any]], root: str, fields: str, part: str
) -> None:
    """As a document without directives is."""
    document = f"{{ {root} {fields} again: {root} {{ key ...Part }} }} fragment Part on Thing {part}"
    for things in several:
        THINGS[:] = things
        assert await run(SCHEMA, document) == await run(PLAIN, document)


async def test_a_plain_selection_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the tests above would compare graphql-core with itself."""

    def never(*_: Any) -> Any:
        raise AssertionError

    THINGS[:] = [Thing(name="a", key=strawberry.ID("1"), number=1, rate=1.0, yes=True, colour=Colour.RED, day=date.min)]
    monkeypatch.setattr("graphql.execution.executor.Executor.execute_field", _only_root(never))
    document = "query ($yes: Boolean!) { things { name @include(if: $yes) children { colour } } }"
    data, errors = await run(SCHEMA, document, yes=True)
    assert (data, errors) == ({"things": [{"name": "a", "children": []}]}, [])


def _only_root(otherwise: Any) -> Any:
    execute_field = Executor.execute_field

    def only_root(self: Any, parent_type: Any, *arguments: Any, **options: Any) -> Any:
        if parent_type.name != "Query":
            otherwise()
        return execute_field(self, parent_type, *arguments, **options)

    return only_root
