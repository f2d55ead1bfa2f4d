"""What an answer over HTTP tells and keeps to itself, and subscriptions as streams of one."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from tests.api.clients import GRAPHQL, api
from tests.api.clients import http_served as served


async def test_an_administrator_may_introspect() -> None:
    async with api() as (client, _):
        answer = await client.post(
            "/graphql",
            json={"query": "{ __schema { queryType { name } } }"},
            headers={"authorization": "bearer amina-token"},
        )
    assert answer.json() == {"data": {"__schema": {"queryType": {"name": "Query"}}}}


async def test_what_fails_inside_is_logged_and_told_as_a_reference(caplog: pytest.LogCaptureFixture) -> None:
    async with api() as (client, host):
        answer = await client.post("/graphql", json={"query": "{ secret }"}, headers={"accept": GRAPHQL})
    reference = host.contexts[0].request_id
    assert answer.status_code == 200
    assert answer.json()["errors"] == [
        {
            "message": f"Internal server error. If you report it, quote reference {reference}.",
            "locations": [{"line": 1, "column": 3}],
            "path": ["secret"],
            "extensions": {"code": "INTERNAL"},
        }
    ]
    failed = next(record for record in caplog.records if record.message == "Operation failed")
    assert failed.__dict__["request_id"] == reference
    assert failed.exc_info is not None
    assert isinstance(failed.exc_info[1], RuntimeError)


async def test_a_fault_keeps_its_code_and_words() -> None:
    async with api() as (client, _):
        answer = await client.post("/graphql", json={"query": "{ private }"})
    assert answer.json()["errors"][0] == {
        "message": "Log in first: this needs a valid access token.",
        "locations": [{"line": 1, "column": 3}],
        "path": ["private"],
        "extensions": {"code": "UNAUTHENTICATED"},
    }


@pytest.mark.parametrize("accept", ["application/json", GRAPHQL])
async def test_an_answer_that_says_when_to_try_again_says_so_in_its_head_too(accept: str) -> None:
    query = "{ soon: busy(seconds: 0.2) later: busy(seconds: 6.5) hello }"
    async with api() as (client, _):
        answer = await client.post("/graphql", json={"query": query}, headers={"accept": accept})
        fine = await client.post("/graphql", json={"query": "{ hello private }"}, headers={"accept": accept})
    assert answer.json()["data"] == {"soon": None, "later": None, "hello": "Hello, world!"}
    assert [each["extensions"]["retryAfter"] for each in answer.json()["errors"]] == [1, 7]
    assert (answer.status_code, answer.headers["retry-after"]) == (200, "7")
    assert "retry-after" not in fine.headers


@pytest.mark.parametrize("variables", [None, {"greeting": {"name": None}}])
async def test_no_message_shows_python_or_proposes_names(variables: dict[str, Any] | None) -> None:
    query = (
        "query ($greeting: Greeting!) { greet(greeting: $greeting) }"
        if variables
        else "{ greet(greeting: {name: null}) }"
    )
    async with api() as (client, _):
        null = await client.post("/graphql", json={"query": query, "variables": variables})
        typo = await client.post("/graphql", json={"query": "{ helo(nam: 1) }"})
    assert [error["message"] for error in null.json()["errors"]] == ["Expected value of type 'str', found null."]
    assert [error["message"] for error in typo.json()["errors"]] == ["Cannot query field 'helo' on type 'Query'."]


async def test_only_allowed_origins_may_read_answers() -> None:
    async with api(allowed_origins="https://board.example.org") as (client, _):
        preflight = {
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type",
        }
        ours = await client.options("/graphql", headers={"origin": "https://board.example.org", **preflight})
        theirs = await client.options("/graphql", headers={"origin": "https://evil.example", **preflight})
    assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (
        200,
        "https://board.example.org",
    )
    assert ours.headers["access-control-max-age"] == "7200"
    assert theirs.status_code == 400
    assert "access-control-allow-origin" not in theirs.headers


SENT = (
    *("accept", "authorization", "content-type", "x-request-id"),
    *("apollographql-client-name", "apollographql-client-version", "apollo-require-preflight"),
    *("x-apollo-operation-id", "x-apollo-operation-name", "x-apollo-operation-type", "graphql-require-preflight"),
    *("traceparent", "tracestate", "baggage", "sentry-trace"),
    *("cache-control", "last-event-id"),
    *("x-csrf-token", "x-requested-with", "x-socket-id"),
)


@pytest.mark.parametrize(
    ("headers", "setting", "status"),
    [
        *((name, "", 200) for name in SENT),
        (",".join(sorted(SENT)), "", 200),
        ("x-tenant", "", 400),
        ("x-tenant", "X-Tenant, DNT", 200),
        ("dnt,traceparent,x-tenant", "X-Tenant, DNT", 200),
        ("x-other", "X-Tenant, DNT", 400),
    ],
)
@pytest.mark.parametrize("path", ["/graphql", "/health/ready"])
async def test_front_ends_on_other_hosts_send_the_headers_of_the_usual_clients_and_those_of_the_setting(
    headers: str, setting: str, status: int, path: str
) -> None:
    asked = {"origin": "https://board.example.org", "access-control-request-method": "POST"}
    async with api(allowed_origins="https://board.example.org", cors_headers=setting) as (client, _):
        preflight = await client.options(path, headers={**asked, "access-control-request-headers": headers})
    assert preflight.status_code == status
    allowed = {name.strip().lower() for name in preflight.headers["access-control-allow-headers"].split(",")}
    assert (set(headers.split(",")) <= allowed) is (status == 200)


async def test_a_front_end_on_another_host_reads_when_to_try_again_and_the_reference() -> None:
    async with api(allowed_origins="https://board.example.org", anonymous_requests_per_minute=1) as (client, _):
        headers = {"origin": "https://board.example.org"}
        answers = [await client.post("/graphql", json={"query": "{ hello }"}, headers=headers) for _ in range(40)]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["access-control-expose-headers"] == "Retry-After, X-Request-ID"
    assert refused.headers["retry-after"] == str(refused.json()["errors"][0]["extensions"]["retryAfter"])


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        ("", "9.9.9.9", "127.0.0.1"),
        ("127.0.0.0/8", "9.9.9.9", "9.9.9.9"),
        ("127.0.0.0/8", "1.1.1.1, 9.9.9.9", "9.9.9.9"),
        ("127.0.0.0/8,10.0.0.0/8", "1.1.1.1, 9.9.9.9, 10.0.0.7", "9.9.9.9"),
        ("127.0.0.0/8", "nonsense", "127.0.0.1"),
        ("127.0.0.0/8", "::ffff:9.9.9.9", "9.9.9.9"),
    ],
)
async def test_only_a_trusted_proxy_names_the_client(trusted: str, forwarded: str, address: str) -> None:
    async with api(trusted_proxies=trusted) as (client, host):
        headers = {"x-forwarded-for": forwarded, "x-request-id": "from-the-proxy"}
        answer = await client.post("/graphql", json={"query": "{ hello }"}, headers=headers)
    assert host.contexts[0].connection.address == address
    assert (answer.headers["x-request-id"] == "from-the-proxy") is bool(trusted)


async def test_health_says_whether_it_is_alive_and_whether_it_is_ready() -> None:
    async with served() as (client, host):
        live = await client.get("/health/live")
        ready = await client.get("/health/ready")
        running = host.is_running
        host.ready = False
        unready = await client.get("/health/ready")
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "database": True})
    assert (unready.status_code, unready.json()) == (503, {"status": "unavailable", "database": False})
    assert (running, host.is_running) == (True, False)


async def test_the_log_has_one_line_for_a_request_and_no_query_string(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with served() as (client, _):
        await client.post("/graphql?token=secret", json={"query": "{ hello }"})
    lines = [record.__dict__ for record in caplog.records if record.name == "memberstaff.request"]
    assert [(line["method"], line["path"], line["status"], line["address"]) for line in lines] == [
        ("POST", "/graphql", 200, "127.0.0.1")
    ]
    assert not [record for record in caplog.records if "secret" in str(record.__dict__) and record.name != "httpx2"]


async def test_a_subscription_comes_as_server_sent_events_framed_with_line_feeds() -> None:
    async with api() as (client, host):
        headers = {"accept": "application/json, text/event-stream"}
        answer = await client.post("/graphql", json={"query": "subscription { count(to: 2) }"}, headers=headers)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store, no-transform"
    retry, events = answer.text.split("\n\n", 1)
    assert re.fullmatch(r"retry: [1-4]\d{3}", retry)
    assert events == (
        'event: next\ndata: {"data":{"count":1}}\n\n'
        'event: next\ndata: {"data":{"count":2}}\n\n'
        "id: complete\nevent: complete\ndata: \n\n"
    )
    assert {context.closed for context in host.contexts} == {1}


async def test_a_subscription_comes_as_multipart() -> None:
    async with served() as (client, _):
        headers = {"accept": "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"}
        answer = await client.post("/graphql", json={"query": "subscription { count(to: 1) }"}, headers=headers)
    parts = [part.partition("\r\n\r\n")[2].strip() for part in answer.text.split("--graphql")]
    assert [json.loads(part) for part in parts if part and part != "{}"] == [{"payload": {"data": {"count": 1}}}]
    assert answer.text.startswith("--graphql\r\n")
    assert answer.text.endswith("\r\n--graphql--\r\n")


async def test_a_stream_that_breaks_off_ends_with_its_code() -> None:
    async with api() as (client, _):
        headers = {"accept": "text/event-stream"}
        answer = await client.post("/graphql", json={"query": "subscription { broken }"}, headers=headers)
    _, event, complete, _ = answer.text.split("\n\n")
    assert json.loads(event.removeprefix("event: next\ndata: "))["errors"][0]["extensions"] == {
        "code": "RESTART_REQUIRED"
    }
    assert complete == "id: complete\nevent: complete\ndata: "  # with the same cursor it would only break off again


async def test_a_stream_whose_client_leaves_closes_its_context() -> None:
    async with served() as (client, host):
        request = {"query": "subscription { forever }"}
        async with client.stream("POST", "/graphql", json=request, headers={"accept": "text/event-stream"}) as answer:
            texts = answer.aiter_text()
            assert (await anext(texts)).startswith("retry: ")
            assert await anext(texts) == 'event: next\ndata: {"data":{"forever":1}}\n\n'
        await asyncio.wait_for(host.closed(1), 5)
    assert [context.closed for context in host.contexts] == [1]


async def test_a_stream_whose_access_ends_is_told_so() -> None:
    async with served() as (client, host):
        request = {"query": "subscription { forever }"}
        async with client.stream("POST", "/graphql", json=request, headers={"accept": "text/event-stream"}) as answer:
            texts = answer.aiter_text()
            await anext(texts)
            await anext(texts)
            host.contexts[0].connection.end(4401, "Your login was revoked.")
            rest = "".join([text async for text in texts])
    assert rest == (
        'event: next\ndata: {"errors":[{"message":"Your login was revoked.",'
        '"extensions":{"code":"UNAUTHENTICATED"}}]}\n\n'
        "event: complete\ndata: \n\n"
    )
