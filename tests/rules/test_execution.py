"""What the served schema does with each operation: nothing is kept, and its ends are told apart."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import strawberry
from strawberry.types.execution import PreExecutionError

from memberstaff.engine.limits import Limits
from memberstaff.engine.schema import Schema, build_schema
from memberstaff.errors import Forbidden, RequestError, RequestErrorCode

EVENTS = 500
QUERY = "subscription ($n: Int!) { level(events: $n) { level { level { level { name } } } } }"


@strawberry.type
class Level:
    name: str = "x"

    @strawberry.field
    def level(self) -> Level:
        return Level()


@strawberry.type
class Query:
    @strawberry.field
    def level(self) -> Level:
        return Level()

    @strawberry.field
    def limited(self) -> str:
        raise RequestError(RequestErrorCode.RATE_LIMITED, "Wait.", retryAfter=7)

    @strawberry.field
    def nested(self) -> str:
        try:
            raise KeyError("password")
        except KeyError as error:
            raise Forbidden("Not for you.") from error


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def level(self, events: int) -> AsyncGenerator[Level, None]:
        for _ in range(events):
            yield Level()


@pytest.fixture
def schema() -> Schema:
    """Of this file's own types."""
    return build_schema(Query, None, Subscription, limits=Limits())


async def test_without_the_cure_an_event_leaves_kilobytes_behind() -> None:
    """When this fails, graphql-core has mended its leak, and `Execution.build_per_event_executor` can go."""
    stream: Any = await strawberry.Schema(Query, subscription=Subscription).stream(QUERY, {"n": 3 * EVENTS})
    for _ in range(EVENTS):
        await anext(stream)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(EVENTS):
            await anext(stream)
        gc.collect()
        kept = (tracemalloc.get_traced_memory()[0] - before) / EVENTS
    finally:
        tracemalloc.stop()
        await stream.aclose()
    assert kept > 1_000


async def test_a_fault_is_told_with_its_code_and_extensions(schema: Schema) -> None:
    limited = await schema.execute("{ limited }")
    nested = await schema.execute("{ nested }")
    assert [error.formatted for error in limited.errors or []] == [
        {
            "message": "Wait.",
            "locations": [{"line": 1, "column": 3}],
            "path": ["limited"],
            "extensions": {"retryAfter": 7, "code": "RATE_LIMITED"},
        }
    ]
    assert [(error.message, error.extensions) for error in nested.errors or []] == [
        ("Not for you.", {"code": "FORBIDDEN"})
    ]


async def test_an_error_told_to_a_client_holds_on_to_no_exception(schema: Schema) -> None:
    for _ in range(2):
        wrong = await schema.execute("{ nothing }")
        limited = await schema.execute("{ limited }")
        errors = [*(wrong.errors or []), *(limited.errors or [])]
        assert [(error.original_error, error.__traceback__) for error in errors] == [(None, None)] * 2


async def test_names_are_proposed_only_where_that_is_wanted(schema: Schema) -> None:
    open_schema = build_schema(Query, limits=Limits(), suggestions=True)
    closed = await schema.execute("{ leve }")
    opened = await open_schema.execute("{ leve }")
    assert [error.message for error in closed.errors or []] == ["Cannot query field 'leve' on type 'Query'."]
    assert [error.message for error in opened.errors or []] == [
        "Cannot query field 'leve' on type 'Query'. Did you mean 'level'?"
    ]


async def test_what_graphql_core_raises_is_told_as_ours(schema: Schema, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(schema.execution, "build", broken)
    results: list[Any] = [
        await schema.execute("{ level { name } }"),
        await schema.execute("{ level { name } }"),
    ]
    assert [(type(result), result.data) for result in results] == [(PreExecutionError, None)] * 2
    assert {error.message for result in results for error in result.errors or []} == {
        "Internal server error. If you report it, quote reference none."
    }
