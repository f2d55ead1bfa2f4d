"""What a stranger's document may cost, in calls of Python functions."""

from __future__ import annotations

from functools import cache

import pytest
from graphql import GraphQLSchema

from memberstaff.engine.documents import Documents
from memberstaff.engine.limits import Limits
from schema.root import make_schema
from tests.calls import at_most

CHEAP = 12_000
"""A document that took 39 ms, of more tokens than a stranger's may have, made 94,000."""
STRANGE = {
    "many fields of one name": "{" + "viewer { " + "id " * 90 + "}}",
    "many selections of one field": "{" + " viewer { id }" * 19 + "}",
    "more tokens than theirs": "{" + " ".join("viewer { " + "id " * 60 + "}" for _ in range(9)) + "}",
    "unknown fields": "{ viewer { " + " ".join(f"f{number}" for number in range(90)) + "}}",
    "fragments": "{ ...a }" + "".join(f"fragment f{number} on Query {{ ...f{number + 1} }}" for number in range(11)),
    "variables": "query (" + "".join(f"$v{number}: Int " for number in range(23)) + ") { viewer { id } }",
    "nested lists": "{ attendanceDay(date: " + "[" * 40 + "]" * 40 + ") { id } }",
    "comments": "#\n" * 3_000 + "{ viewer { id } }",
}


@cache
def core() -> GraphQLSchema:
    return make_schema(Limits()).core


def fresh() -> Documents:
    """The documents of the schema that is served, none of them kept."""
    return Documents(core(), Limits(), suggestions=False)


@pytest.mark.parametrize("query", STRANGE.values(), ids=STRANGE)
def test_whatever_a_stranger_sends_costs_little_and_is_not_kept(query: str) -> None:
    documents = fresh()
    with at_most(calls=CHEAP):
        prepared = documents.prepare(query, stranger=True)
    assert documents.bytes == 0
    assert prepared.errors


def test_a_stranger_may_send_what_is_kept_already() -> None:
    documents = fresh()
    large = "{ viewer { " + "id displayName role " * 35 + "} }"
    assert documents.prepare(large, stranger=True).needs_login
    kept = documents.prepare(large)
    assert kept.errors == ()
    assert documents.prepare(large, stranger=True) is kept


def test_a_strangers_small_document_runs_without_being_kept() -> None:
    documents = fresh()
    prepared = documents.prepare("{ viewer { id } }", stranger=True)
    assert (prepared.errors, prepared.needs_login, documents.bytes) == ((), False, 0)
    assert documents.prepare("{ viewer { id } }", stranger=True) is not prepared
