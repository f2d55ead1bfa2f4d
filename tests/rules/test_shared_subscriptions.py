"""Which subscriptions are equal, and what their group is sent."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from memberstaff.engine.limits import Limits
from memberstaff.engine.request import OperationRequest
from memberstaff.engine.schema import OperationRefused, Schema, build_schema
from memberstaff.engine.shared_subscriptions import subscribe
from memberstaff.errors import RequestError, RequestErrorCode, Unavailable
from memberstaff.fanout.event_source import Batch
from tests.rules.trees import LEAVING, Context, Listener, Query, Subscription, listen, settled

pytestmark = pytest.mark.usefixtures("without_pauses")


@pytest.fixture(scope="module")
def schema() -> Schema:
    """Of the types in trees.py."""
    return build_schema(Query, None, Subscription, limits=Limits())


@pytest.fixture(autouse=True)
async def leaving() -> AsyncIterator[None]:
    """Let everybody leave in the end, or their groups would go on beside the next tests."""
    yield
    while LEAVING:
        LEAVING.pop()()


EQUAL = {
    "a variable": ("subscription ($after: String) { trees(after: $after) { number } }", {"after": "1"}),
    "a literal": ('subscription { trees(after: "1") { number } }', {}),
    "a default": ('subscription ($after: String = "1") { trees(after: $after) { number } }', {}),
    "a fragment": (
        "subscription ($c: String) { ...Root } fragment Root on Subscription { trees(after: $c) { number } }",
        {"c": "1"},
    ),
    "an inline fragment": ("subscription ($c: String) { ... { trees(after: $c) { number } } }", {"c": "1"}),
    "two merged fields": ('subscription { trees(after: "1") { number } trees(after: "1") { n: number } }', {}),
}


@pytest.mark.parametrize(("query", "variables"), EQUAL.values(), ids=EQUAL.keys())
async def test_wherever_the_cursor_stands_it_leaves_the_key(
    schema: Schema, query: str, variables: dict[str, Any]
) -> None:
    context = Context(last=3)
    ahead = await listen(schema, context, query.replace('"1"', '"2"'), **dict.fromkeys(variables, "2"))
    behind = await listen(schema, context, query, **variables)
    assert len(context.groups) == 1
    await settled()
    assert [result["data"]["trees"]["number"] for result in ahead.results] == [3]
    assert [result["data"]["trees"]["number"] for result in behind.results] == [2, 3]


async def test_a_cursor_that_is_also_used_elsewhere_stays_in_the_key(schema: Schema) -> None:
    context = Context(last=3)
    query = "subscription ($after: String) { trees(after: $after) { number upto(after: $after) } }"
    listeners = [await listen(schema, context, query, after=after) for after in ("1", "2")]
    assert len(context.groups) == 2
    await settled()
    assert [[result["data"]["trees"]["upto"] for result in each.results] for each in listeners] == [["1", "1"], ["2"]]


@pytest.mark.parametrize(
    ("other", "variables"),
    [
        ("subscription ($kind: String) { trees(kind: $kind) { number } }", {"kind": "oak"}),
        ("subscription ($kind: String) { trees(kind: $kind) { number } }", {"kind": None}),
        ("subscription ($kind: String) { trees(kind: $kind) { number  } }", {}),
        ('subscription { trees(kind: "oak") { number } }', {}),
    ],
)
async def test_other_variables_and_other_documents_are_other_groups(
    schema: Schema, other: str, variables: dict[str, Any]
) -> None:
    context = Context()
    await listen(schema, context, "subscription ($kind: String) { trees(kind: $kind) { number } }")
    await listen(schema, context, other, **variables)
    assert len(context.groups) == 2


async def test_another_scope_is_another_group(schema: Schema) -> None:
    context = Context()
    await listen(schema, context, "subscription { trees { number } }")
    context.scope = "VIEWER"
    await listen(schema, context, "subscription { trees { number } }")
    assert len(context.groups) == 2


async def test_the_operations_of_one_document_are_groups_of_their_own(schema: Schema) -> None:
    context = Context()
    query = "subscription A { trees { number } } subscription B { trees { number leaves { name } } }"
    for name in ("A", "B", "A"):
        await listen(schema, context, query, operation_name=name)
    assert len(context.groups) == 2


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        ("subscription ($after: String!) { trees(after: $after) { number } }", {}, "Variable '$after' has invalid"),
        ("subscription ($after: String) { trees(after: $after) { number } }", {"after": 5}, "Variable '$after' has"),
        (
            "subscription ($after: String) { trees(after: $after) { number } }",
            {"after": ["1"]},
            "Variable '$after' has",
        ),
        ('subscription { trees(kind: "unknown") { number } }', {}, "There is no such kind."),
        ("subscription ($k: String) { trees(kind: $k) { number } }", {"k": 2**70}, "Variable '$k' has invalid"),
    ],
)
async def test_what_cannot_begin_is_refused_also_when_others_watch_the_same(
    schema: Schema, query: str, variables: dict[str, Any], message: str
) -> None:
    context = Context()
    if "after" in query:
        await listen(schema, context, query, after="0")
    with pytest.raises(OperationRefused) as refused:
        await listen(schema, context, query, **variables)
    [error] = refused.value.errors
    assert error.message.startswith(message)
    assert error.extensions == {"code": "BAD_REQUEST", "reason": "BAD_USER_INPUT"}


async def test_whoever_subscribes_while_nobody_can_be_authorised_waits(schema: Schema) -> None:
    context = Context(last=1, away=5)
    listener = await listen(schema, context, 'subscription { trees(after: "0") { number } }')
    await settled()
    assert listener.results == [{"data": {"trees": {"number": 1}}}]


async def test_what_is_wrong_with_the_document_is_told_in_the_event(schema: Schema) -> None:
    context = Context(last=2)
    listener = await listen(schema, context, 'subscription { trees(after: "0") { number forbidden } }')
    await settled()
    assert [result["data"] for result in listener.results] == [
        {"trees": {"number": 1, "forbidden": None}},
        {"trees": {"number": 2, "forbidden": None}},
    ]
    assert listener.results[0]["errors"][0]["extensions"] == {"code": "FORBIDDEN"}


@pytest.mark.parametrize("failure", [Unavailable("The database does not answer."), ValueError("no such column")])
async def test_an_event_that_cannot_be_read_is_rendered_again_and_not_taken_for_an_error(
    schema: Schema, failure: Exception
) -> None:
    context = Context(last=1, failures=[failure, failure])
    listener = await listen(schema, context, 'subscription { trees(after: "0") { number failing } }')
    await settled()
    assert listener.results == [{"data": {"trees": {"number": 1, "failing": "mended"}}}]
    assert listener.ends == []


async def test_an_event_that_fails_each_time_ends_the_operation_with_unavailable(schema: Schema) -> None:
    context = Context(last=1, failures=[ValueError("no such column")] * 3)
    listener = await listen(schema, context, 'subscription { trees(after: "0") { number failing } }')
    await settled()
    [error] = listener.ends
    assert isinstance(error, RequestError)
    assert (error.code, listener.results) == (RequestErrorCode.UNAVAILABLE, [])


async def test_a_rendering_is_closed_before_its_events_are_sent(schema: Schema) -> None:
    context = Context(last=1)
    open_at_send: list[int] = []

    class Looking(Listener):
        def send(self, batch: Batch) -> None:
            open_at_send.append(context.opened)

    request = OperationRequest('subscription { trees(after: "0") { leaves { name } } }', None, None, None)
    LEAVING.append((await subscribe(schema, context, request, Looking())).leave)
    await settled()
    assert open_at_send == [0]


EVENTS = 400


async def test_an_event_leaves_nothing_behind(schema: Schema) -> None:
    """graphql-core 3.3.2 by itself keeps kilobytes of each nested event: see Execution."""
    context = Context()
    listener = await listen(schema, context, "subscription { trees { number leaves { name } } }")

    async def events() -> None:
        context.last += EVENTS
        while len(listener.payloads) < EVENTS:
            await asyncio.sleep(0)
        listener.payloads.clear()
        gc.collect()

    await events()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        await events()
        kept = (tracemalloc.get_traced_memory()[0] - before) / EVENTS
    finally:
        tracemalloc.stop()
    assert kept < 100
