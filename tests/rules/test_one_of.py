"""oneOf inputs are validated as the specification of September 2025 says, before any field runs."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from graphql import validate_schema
from strawberry import Maybe
from strawberry.types.execution import PreExecutionError

from memberstaff.engine.limits import Limits
from memberstaff.engine.schema import Schema, build_schema
from schema.root import make_schema

MUST = (
    "Within OneOf Input Object type 'Pet', exactly one field must be specified, and the value for that field must be "
    "non-null."
)
NULLABLE = "Variable '$%s' is of type 'String' but must be non-nullable to be used for OneOf Input Object 'Pet'."


@strawberry.input
class Cat:
    name: str
    friend: Maybe[Pet | None]


@strawberry.input(one_of=True)
class Pet:
    cat: Maybe[Cat]
    dog: Maybe[str]
    fish: Maybe[list[int | None]]


@strawberry.type
class Query:
    @strawberry.field
    def names(self) -> list[str]:
        return []


ADDED: list[str] = []


class Anybody:
    """A context that lets everybody introspect."""

    async def may_introspect(self) -> bool:
        return True


@strawberry.type
class Mutation:
    @strawberry.mutation
    def add(self, pet: Pet, others: list[Pet] | None = None) -> int:
        ADDED.append(next(name for name in ("cat", "dog", "fish") if getattr(pet, name) is not None))
        return len(ADDED)


@pytest.fixture
def schema() -> Schema:
    """Of this file's own types."""
    ADDED.clear()
    return build_schema(Query, Mutation, limits=Limits())


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ('mutation { add(pet: {dog: "Rex"}) }', {}),
        ('mutation { add(pet: {cat: {name: "Tom", friend: {dog: "Rex"}}}) }', {}),
        ('mutation { add(pet: {cat: {name: "Tom", friend: null}}) }', {}),
        ('mutation { add(pet: {fish: 1}, others: {dog: "Rex"}) }', {}),
        ("mutation ($dog: String!) { add(pet: {dog: $dog}) }", {"dog": "Rex"}),
        ('mutation ($dog: String! = "Rex") { add(pet: {dog: $dog}) }', {}),
        ("mutation ($fish: Int) { add(pet: {fish: [1, $fish]}) }", {"fish": 2}),
        ("mutation ($pet: Pet!) { add(pet: $pet) }", {"pet": {"dog": "Rex"}}),
        ('mutation ($pet: Pet = {dog: "Rex"}) { add(pet: $pet) }', {}),
        ("mutation ($name: String!) { add(pet: {cat: {name: $name}}) }", {"name": "Tom"}),
        ("mutation ($pets: [Pet!]) { add(pet: {fish: []}, others: $pets) }", {"pets": [{"dog": "Rex"}]}),
    ],
)
async def test_exactly_one_key_is_accepted(schema: Schema, document: str, variables: dict[str, Any]) -> None:
    result = await schema.execute(document, variables)
    assert (result.data, result.errors) == ({"add": 1}, None)


@pytest.mark.parametrize(
    ("document", "messages"),
    [
        ("{}", [MUST]),
        ('{cat: {name: "Tom"}, dog: "Rex"}', [MUST]),
        ('{cat: null, dog: "Rex"}', [MUST, "Expected value of type 'Cat', found null."]),
        ("{dog: null}", [MUST, "Expected value of type 'str', found null."]),
        ("{dog: $unknown}", ["Variable '$unknown' is not defined."]),
        ("{dog: $nullable}", [NULLABLE % "nullable"]),
        ("{dog: $default}", [NULLABLE % "default"]),
        ("{dog: $dog, cat: $unknown}", [MUST, "Variable '$unknown' is not defined."]),
        ('{cat: {name: "Tom", friend: {}}}', [MUST]),
        ('{cat: {name: "Tom", friend: {dog: $nullable}}}', [NULLABLE % "nullable"]),
        (
            '{bird: "Kes"}',
            ["Expected value of type 'Pet' not to include unknown field 'bird', found: { bird: \"Kes\" }.", MUST],
        ),
    ],
)
async def test_any_other_literal_is_no_valid_document_and_nothing_of_it_runs(
    schema: Schema, document: str, messages: list[str]
) -> None:
    names = [name for name in ("nullable", "default", "dog") if f"${name}" in document]
    types = {"nullable": "String", "default": 'String = "Rex"', "dog": "String!"}
    head = f"({', '.join(f'${name}: {types[name]}' for name in names)})" if names else ""
    fragment = f"fragment Second on Mutation {{ second: add(pet: {document}) }}"
    for query in (
        f'mutation M{head} {{ first: add(pet: {{dog: "Rex"}}) second: add(pet: {document}) }}',
        f'mutation M{head} {{ first: add(pet: {{dog: "Rex"}}) ...Second }} {fragment}',
        f'mutation M{head} {{ first: add(pet: {{dog: "Rex"}}) second: add(pet: {{fish: 1}}, others: [{document}]) }}',
        f'mutation M{head} {{ first: add(pet: {{dog: "Rex"}}) second: add(pet: {{fish: 1}}, others: {document}) }}',
    ):
        result = await schema.execute(query, {"nullable": "Rex", "dog": "Rex"})
        assert isinstance(result, PreExecutionError)
        told = [error.message.replace(" by operation 'M'", "") for error in result.errors or ()]
        assert sorted(told) == sorted(messages)
        assert {(error.extensions or {})["reason"] for error in result.errors or ()} == {"GRAPHQL_VALIDATION_FAILED"}
    assert ADDED == []


@pytest.mark.parametrize("pet", [{}, {"dog": None}, {"dog": "Rex", "fish": [1]}, {"dog": "Rex", "cat": None}])
async def test_a_variable_must_have_exactly_one_key_too_and_nothing_runs_without(schema: Schema, pet: Any) -> None:
    for kind, value in (("Pet!", pet), ("Cat", {"name": "Tom", "friend": pet}), ("[Pet!]", [{"dog": "Rex"}, pet])):
        use = {"Pet!": "pet: $pet", "Cat": "pet: {cat: $pet}", "[Pet!]": "pet: {fish: 1}, others: $pet"}[kind]
        declared = "Cat!" if kind == "Cat" else kind
        query = f'mutation ($pet: {declared}) {{ first: add(pet: {{dog: "Rex"}}) second: add({use}) }}'
        result = await schema.execute(query, {"pet": value})
        assert isinstance(result, PreExecutionError)
        assert [error.message.endswith(MUST) for error in result.errors or ()][:1] == [True]
        assert {(error.extensions or {})["reason"] for error in result.errors or ()} == {"BAD_USER_INPUT"}
    assert ADDED == []


@pytest.mark.parametrize("pet", ["{}", "{dog: null}", '{dog: "Rex", fish: [1]}'])
async def test_a_variables_default_must_have_exactly_one_key_too(schema: Schema, pet: str) -> None:
    query = f'mutation ($pet: Pet! = {pet}) {{ first: add(pet: {{dog: "Rex"}}) second: add(pet: $pet) }}'
    result = await schema.execute(query, {"pet": {"dog": "Rex"}})
    assert isinstance(result, PreExecutionError)
    assert MUST in {error.message for error in result.errors or ()}
    assert ADDED == []


async def test_introspection_tells_which_inputs_are_one_of(schema: Schema) -> None:
    document = """{
      pet: __type(name: "Pet") { isOneOf }
      cat: __type(name: "Cat") { isOneOf inputFields { type { isOneOf ofType { isOneOf } } } }
      query: __type(name: "Query") { isOneOf fields { type { isOneOf } } }
    }"""
    result = await schema.execute(document, context_value=Anybody())
    assert result.data == {
        "pet": {"isOneOf": True},
        "cat": {
            "isOneOf": False,
            "inputFields": [
                {"type": {"isOneOf": None, "ofType": {"isOneOf": None}}},
                {"type": {"isOneOf": True, "ofType": None}},
            ],
        },
        "query": {"isOneOf": None, "fields": [{"type": {"isOneOf": None}}]},
    }


def test_the_schemas_own_one_of_inputs_are_known_to_graphql_core() -> None:
    schema = make_schema(Limits()).core
    found = {name for name, of in schema.type_map.items() if getattr(of, "is_one_of", False)}
    assert found == {"AttendanceTarget", "BulkAttendanceChange"}
    assert validate_schema(schema) == []
