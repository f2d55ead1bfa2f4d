"""`graphql-transport-ws`, by the letter: whatever a client sends, the answer is the protocol's."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from memberstaff.server.token_bucket import TokenBucket
from memberstaff.server.websocket import truncate_reason
from tests.api.clients import INIT, client
from tests.api.clients import socket_served as served
from tests.api.toy import toy
from tests.serving import serving


async def test_a_subscription_runs_from_the_first_event_to_complete() -> None:
    async with served() as (someone, host):
        await someone.begin()
        await someone.subscribe("a", "subscription Count($to: Int!) { count(to: $to) }", variables={"to": 2})
        heard = [await someone.hear() for _ in range(3)]
    assert heard == [
        {"type": "next", "id": "a", "payload": {"data": {"count": 1}}},
        {"type": "next", "id": "a", "payload": {"data": {"count": 2}}},
        {"type": "complete", "id": "a"},
    ]
    assert [(context.operation_id, context.closed) for context in host.contexts] == [("a", 1)]


async def test_each_operation_has_a_context_of_its_own_and_reading_goes_on_beside_them() -> None:
    async with served() as (someone, host):
        await someone.begin()
        await someone.subscribe("slow", "{ waiting }")
        await someone.subscribe("quick", "{ hello }")
        first = await someone.hear()
        assert await someone.hear() == {"type": "complete", "id": "quick"}
        await someone.say({"type": "ping", "payload": {"a": 1}})
        pong = await someone.hear()
        host.gate.set()
        second = await someone.hear()
        assert await someone.hear() == {"type": "complete", "id": "slow"}
    assert first == {"type": "next", "id": "quick", "payload": {"data": {"hello": "Hello, world!"}}}
    assert pong == {"type": "pong"}
    assert second == {"type": "next", "id": "slow", "payload": {"data": {"waiting": "done"}}}
    assert sorted((context.operation_id, context.closed) for context in host.contexts) == [
        ("quick", 1),
        ("slow", 1),
    ]
    assert len({id(context) for context in host.contexts}) == 2


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("", "The request is not valid JSON."),
        ("nonsense", "The request is not valid JSON."),
        ("NaN", "The request is not valid JSON."),
        ("[" * 50_000, "The request's JSON is nested too deeply."),
        (b"{}", "Binary messages are not supported; send text"),
        ([], "A message must be a JSON object"),
        (None, "A message must be a JSON object"),
        (5, "A message must be a JSON object"),
        ({}, "Unknown message type"),
        ({"type": 1}, "Unknown message type"),
        ({"type": ["ping"]}, "Unknown message type"),
        ({"type": "x" * 5_000}, "Unknown message type"),
        ({"type": "start", "id": "a"}, "Unknown message type"),
        ({"type": "ping", "payload": 1}, "A message's payload must be an object"),
        ({"type": "connection_init", "payload": []}, "A message's payload must be an object"),
        ({"type": "connection_init", "payload": {"Authorization": 1}}, "authorization must be a string"),
        (
            {"type": "connection_init", "payload": {"resume": {"a": 1}}},
            "resume must be an object of strings.",
        ),
        ({"type": "complete"}, "A message's id must be a string of 1 to 128 characters"),
        ({"type": "subscribe", "id": 1}, "A message's id must be a string of 1 to 128 characters"),
        ({"type": "subscribe", "id": ""}, "A message's id must be a string of 1 to 128 characters"),
        ({"type": "subscribe", "id": "x" * 129}, "A message's id must be a string of 1 to 128 characters"),
    ],
)
async def test_what_is_no_message_of_the_protocol_closes_the_socket_with_4400(message: Any, reason: str) -> None:
    async with served() as (someone, host):
        await someone.say("null" if message is None else message)
        assert await someone.closing() == (4400, reason)
    assert host.contexts == []


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "The request must be a JSON object with a query."),
        ([], "Batches are not supported: send each operation as a request of its own."),
        ({}, "query must be a string."),
        ({"query": None}, "query must be a string."),
        ({"query": "{ hello }", "variables": []}, "variables must be an object or null."),
        ({"query": "{ hello }", "operationName": 1}, "operationName must be a string or null."),
        ({"query": "{ hello }", "extensions": 1}, "extensions must be an object or null."),
    ],
)
async def test_a_subscribe_that_holds_no_request_closes_the_socket_with_4400(payload: Any, reason: str) -> None:
    async with served() as (someone, _):
        await someone.begin()
        await someone.say({"type": "subscribe", "id": "a", "payload": payload})
        assert await someone.closing() == (4400, reason)


@pytest.mark.parametrize(
    ("query", "rest", "code"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("", {}, "MALFORMED_REQUEST"),
        ("{ nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("query A { hello }", {"operationName": "B"}, "MALFORMED_REQUEST"),
        ("query A { hello } query B { hello }", {}, "MALFORMED_REQUEST"),
        ("query ($name: String!) { hello(name: $name) }", {"variables": {"name": 1}}, "BAD_USER_INPUT"),
        ("query ($name: String!) { hello(name: $name) }", {"variables": {"name": "\ud800"}}, "BAD_USER_INPUT"),
        ('{ hello(name: "\\u0000") }', {}, "BAD_USER_INPUT"),
        ("{ hello " * 501, {}, "OPERATION_TOO_LARGE"),
        ("{ __schema { queryType { name } } __typename }", {}, None),
        ("subscription { broken }", {}, "RESTART_REQUIRED"),
    ],
)
async def test_what_is_wrong_with_an_operation_is_its_error_and_leaves_the_others_alone(
    query: str, rest: dict[str, Any], code: str | None
) -> None:
    async with served() as (someone, _):
        await someone.begin()
        await someone.subscribe("good", "subscription { forever }")
        assert (await someone.hear())["type"] == "next"
        await someone.subscribe("bad", query, **rest)
        answer = await someone.hear()
        if code is None:
            assert (answer["type"], answer["payload"]["data"]["__typename"]) == ("next", "Query")
            return
        assert (answer["type"], answer["id"]) == ("error", "bad")
        assert [error["extensions"].get("reason", error["extensions"]["code"]) for error in answer["payload"]] == [code]
        await someone.subscribe("bad", "{ hello }")
        assert (await someone.hear())["id"] == "bad"


async def test_a_subscription_that_breaks_off_ends_with_an_error_after_its_events() -> None:
    async with served() as (someone, _):
        await someone.begin()
        await someone.subscribe("a", "subscription { broken(afterEvents: 1) }")
        assert await someone.hear() == {"type": "next", "id": "a", "payload": {"data": {"broken": 1}}}
        error = await someone.hear()
        assert (error["type"], error["payload"][0]["extensions"]) == ("error", {"code": "RESTART_REQUIRED"})
        await someone.say({"type": "ping"})
        assert await someone.hear() == {"type": "pong"}


async def test_the_handshake_of_the_protocol_cannot_be_skipped_repeated_or_put_off() -> None:
    async with served(init_seconds=0.05) as (someone, _):
        assert await someone.closing() == (4408, "Connection initialisation timeout")
    async with served() as (someone, _):
        await someone.subscribe("a", "{ hello }")
        assert await someone.closing() == (4401, "Unauthorized")
    async with served() as (someone, _):
        await someone.begin()
        await someone.say(INIT)
        assert await someone.closing() == (4429, "Too many initialisation requests")


async def test_an_id_stands_for_one_operation_at_a_time() -> None:
    async with served() as (someone, _):
        await someone.begin()
        await someone.subscribe("a", "subscription { forever }")
        await someone.hear()
        await someone.say({"type": "complete", "id": "a"})
        await someone.subscribe("a", "subscription { forever }")
        assert await someone.hear() == {"type": "next", "id": "a", "payload": {"data": {"forever": 1}}}
        await someone.subscribe("a", "{ hello }")
        assert await someone.closing() == (4409, "Subscriber for a already exists")


def test_a_reason_is_cut_between_characters() -> None:
    assert truncate_reason("é" * 100) == "é" * 61


def test_a_bucket_refills_with_time_and_not_above_its_brim() -> None:
    bucket = TokenBucket(rate=2, burst=3)
    assert [bucket.take(0), bucket.take(0), bucket.take(0), bucket.take(0)] == [True, True, True, False]
    assert [bucket.take(0.5), bucket.take(0.5)] == [True, False]
    assert [bucket.take(100), bucket.take(100), bucket.take(100), bucket.take(100)] == [
        True,
        True,
        True,
        False,
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
MESSAGES = VALUES | st.fixed_dictionaries(
    {"type": st.sampled_from(["connection_init", "ping", "pong", "subscribe", "complete"]) | VALUES},
    optional={
        "id": st.sampled_from(["a", "b"]) | VALUES,
        "payload": VALUES
        | st.fixed_dictionaries(
            {},
            optional={
                "query": st.sampled_from(["{ hello }", "{", "subscription { count }"]) | VALUES,
                "variables": VALUES,
                "operationName": VALUES,
                "authorization": st.just("Bearer amina-token") | VALUES,
                "resume": VALUES,
            },
        ),
    },
)


def test_any_messages_at_all_get_answers_of_the_protocol(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    loop = asyncio.new_event_loop()
    app, host = toy(messages_per_second=1e6, message_burst=10**6)
    server = serving(app, host.settings)
    address = loop.run_until_complete(server.__aenter__())

    async def talk(begin: bool, messages: list[Any]) -> None:
        async with client(address) as someone:
            if begin:
                await someone.begin()
            with suppress(ConnectionClosed):
                await someone.say(*[json.dumps(message) for message in messages], {"type": "nothing"})
            code, reason = await someone.closing()
        assert code in {4400, 4401, 4403, 4409, 4429}
        assert len(reason.encode()) <= 123

    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
    @given(begin=st.booleans(), messages=st.lists(MESSAGES, max_size=5))
    def holds(begin: bool, messages: list[Any]) -> None:
        loop.run_until_complete(talk(begin, messages))

    try:
        holds()
    finally:
        loop.run_until_complete(server.__aexit__(None, None, None))
        loop.close()
    assert [record.message for record in caplog.records] == []
    assert {context.closed for context in host.contexts} <= {1}
