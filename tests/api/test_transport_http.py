"""POST /graphql keeps to GraphQL over HTTP, and answers whatever arrives."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memberstaff.errors import BadRequestReason
from tests.api.clients import GRAPHQL, api, raw
from tests.api.clients import http_served as served
from tests.api.toy import toy
from tests.serving import serving
from tests.web import web_client


async def test_a_query_is_answered_with_json_that_nobody_may_keep_or_frame() -> None:
    async with served() as (client, host):
        answer = await client.post("/graphql", json={"query": "{ hello }"})
    assert (answer.status_code, answer.json()) == (200, {"data": {"hello": "Hello, world!"}})
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "server" not in answer.headers
    assert answer.headers["x-request-id"] == host.contexts[0].connection.request_id
    assert [context.closed for context in host.contexts] == [1]


@pytest.mark.parametrize(("scheme", "header"), [("https", "max-age=31536000"), ("http", None)])
async def test_an_answer_over_tls_asks_for_tls_from_then_on(scheme: str, header: str | None) -> None:
    app, _ = toy()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{scheme}://localhost") as client:
        answer = await client.get("/health/live")
    assert answer.status_code == 200
    assert answer.headers.get("strict-transport-security") == header


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_other_methods_are_refused_and_the_answer_says_which_are_served(method: str) -> None:
    async with api() as (client, host):
        answer = await client.request(method, "/graphql", params={"query": "{ hello }"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert host.contexts == []


async def test_a_query_may_be_asked_for_by_get() -> None:
    parameters = {
        "query": "query A($name: String!) { hello(name: $name) } query B { hello }",
        "operationName": "A",
        "variables": '{"name": "Björn"}',
        "unknown": "ignored",
    }
    async with api() as (client, host):
        answer = await client.get("/graphql", params=parameters, headers={"authorization": "Bearer amina-token"})
    assert (answer.status_code, answer.json()) == (200, {"data": {"hello": "Hello, Björn!"}})
    assert answer.headers["cache-control"] == "no-store"
    assert host.contexts[0].connection.authorization == "amina-token"


@pytest.mark.parametrize("empty", ["operationName", "variables", "extensions"])
async def test_what_is_empty_in_the_address_is_not_given(empty: str) -> None:
    async with api() as (client, _):
        answer = await client.get("/graphql", params={"query": "query A { hello }", empty: ""})
        null = await client.get("/graphql", params={"query": "query null { hello }", "operationName": "null"})
    assert (answer.status_code, answer.json()) == (200, {"data": {"hello": "Hello, world!"}})
    assert (null.status_code, null.json()) == (200, {"data": {"hello": "Hello, world!"}})


EVENTS = "text/event-stream"


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        *(
            ('mutation { login(name: "x") }', accept)
            for accept in ("*/*", GRAPHQL, f"application/json, {EVENTS}", EVENTS)
        ),
        ("subscription { count }", "*/*"),
        ("subscription { count }", "application/json, multipart/mixed;subscriptionSpec=1.0"),
    ],
)
async def test_only_a_query_or_an_event_stream_may_be_asked_for_by_get(query: str, accept: str) -> None:
    async with api() as (client, _):
        answer = await client.get("/graphql", params={"query": query}, headers={"accept": accept})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    why = "Only queries can be sent by GET, and subscriptions with Accept: text/event-stream. Use POST."
    assert answer.json()["errors"][0]["message"] == why


@pytest.mark.parametrize("accept", [EVENTS, f"multipart/mixed;subscriptionSpec=1.0, {EVENTS};q=0.5", f"{EVENTS}, */*"])
async def test_an_event_stream_may_be_asked_for_by_get(accept: str) -> None:
    async with api() as (client, _):
        query = "subscription { count(to: 1) }"
        answer = await client.get("/graphql", params={"query": query}, headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, EVENTS)
    assert 'event: next\ndata: {"data":{"count":1}}\n\n' in answer.text


async def test_a_multipart_answer_is_not_asked_for_by_get() -> None:
    async with api() as (client, host):
        accept = "multipart/mixed;subscriptionSpec=1.0"
        query = "subscription { count }"
        answer = await client.get("/graphql", params={"query": query}, headers={"accept": accept})
    assert answer.status_code == 406
    assert host.contexts == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("", "query must be a string."),
        ("query=%FF", "The query string is not valid UTF-8, or has too many parameters."),
        ("&".join(["x=1"] * 101), "The query string is not valid UTF-8, or has too many parameters."),
        ("query={hello}&query={secret}", "A query parameter is repeated."),
        ("query={hello}&variables=7", "variables must be an object or null."),
        ("query={hello}&variables={", "The request is not valid JSON."),
        ("query={hello}&extensions=[]", "extensions must be an object or null."),
        ("query={hello}%00", "A string in the request contains U+0000 or an unpaired surrogate."),
    ],
)
async def test_an_address_that_is_no_request_is_told_so(parameters: str, message: str) -> None:
    async with api() as (client, host):
        answer = await client.get(f"/graphql?{parameters}")
    assert answer.status_code == 400
    reason = "BAD_USER_INPUT" if "U+0000" in message else "MALFORMED_REQUEST"
    extensions = {"code": "BAD_REQUEST", "reason": reason}
    assert answer.json() == {"errors": [{"message": message, "extensions": extensions}]}
    assert host.contexts == []


async def test_a_query_by_get_has_the_limits_of_any_other() -> None:
    async with api(max_tokens=10) as (client, _):
        answer = await client.get("/graphql", params={"query": "{ hello " * 10}, headers={"accept": GRAPHQL})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST", "reason": "OPERATION_TOO_LARGE"}


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/json; x=y",
        "text/plain; application/json",
        None,
    ],
)
async def test_what_a_form_of_another_site_can_send_is_refused_before_anything_runs(
    content_type: str | None,
) -> None:
    async with api() as (client, host):
        headers = {} if content_type is None else {"content-type": content_type}
        answer = await client.post("/graphql", content=b'{"query":"{ hello }"}', headers=headers)
    assert answer.status_code == 415
    assert host.contexts == []


async def test_json_may_name_its_charset() -> None:
    async with api() as (client, _):
        headers = {"content-type": 'Application/JSON; Charset="UTF-8"'}
        answer = await client.post("/graphql", content=b'{"query":"{ hello }"}', headers=headers)
    assert answer.json() == {"data": {"hello": "Hello, world!"}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The request is not valid JSON."),
        (b"{", "The request is not valid JSON."),
        (b"1", "The request must be a JSON object with a query."),
        (b"null", "The request must be a JSON object with a query."),
        (b'"x"', "The request must be a JSON object with a query."),
        (b"{}", "query must be a string."),
        (b'{"query":1}', "query must be a string."),
        (b'{"query":"{ hello }","variables":[]}', "variables must be an object or null."),
        (b'{"query":"{ hello }","operationName":{}}', "operationName must be a string or null."),
        (b'{"query":"{ hello }","extensions":"x"}', "extensions must be an object or null."),
        (b'{"query":"{ hello }","variables":{"a":NaN}}', "The request is not valid JSON."),
        (b'{"query":"\xff"}', "The request is not valid UTF-8."),
        (b"[" * 90_000, "The request's JSON is nested too deeply."),
        (
            b'{"query":"{ hello }","variables":{"a":' + b"[" * 70 + b"]" * 70 + b"}}",
            "The request's JSON is nested too deeply.",
        ),
        (
            b'{"query":"{ hello }","variables":{"a":["\\u0000"]}}',
            "A string in the request contains U+0000 or an unpaired surrogate.",
        ),
        (
            b'{"query":"{ hello }","variables":{"\\ud800":1}}',
            "A string in the request contains U+0000 or an unpaired surrogate.",
        ),
    ],
)
async def test_a_body_that_is_no_request_is_told_so(body: bytes, message: str) -> None:
    headers = {"content-type": "application/json", "authorization": "Bearer amina-token"}
    async with api() as (client, host):
        answer = await client.post("/graphql", content=body, headers=headers)
    assert answer.status_code == 400
    reason = "BAD_USER_INPUT" if "U+0000" in message else "MALFORMED_REQUEST"
    extensions = {"code": "BAD_REQUEST", "reason": reason}
    assert answer.json() == {"errors": [{"message": message, "extensions": extensions}]}
    assert host.contexts == []


async def test_a_null_character_written_as_an_escape_of_graphql_is_refused_too() -> None:
    async with api() as (client, _):
        answer = await client.post("/graphql", json={"query": '{ hello(name: "a\\u0000") }'})
    assert answer.json()["errors"] == [
        {
            "message": "A string in the document contains U+0000 or an unpaired surrogate.",
            "extensions": {"code": "BAD_REQUEST", "reason": "BAD_USER_INPUT"},
        }
    ]


@pytest.mark.parametrize("sign", ["", "-"])
async def test_a_number_of_thousands_of_digits_is_refused_before_python_raises_for_it(sign: str) -> None:
    async with api() as (client, _):
        answer = await client.post("/graphql", json={"query": f"{{ hello(name: {sign}{'9' * 4_301}) }}"})
        text = await client.post("/graphql", json={"query": '{ hello(name: "' + "9" * 4_301 + '") }'})
    extensions = {"code": "BAD_REQUEST", "reason": "BAD_USER_INPUT"}
    message = "A number in the document has more than 400 digits."
    assert answer.json()["errors"] == [{"message": message, "extensions": extensions}]
    assert "errors" not in text.json()


async def test_a_compressed_body_is_refused() -> None:
    async with api() as (client, _):
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        assert (await client.post("/graphql", content=b"x", headers=headers)).status_code == 415


async def test_a_body_is_not_read_further_than_its_bound() -> None:
    app, host = toy(max_body_bytes=1_000, body_seconds=0.1)
    async with serving(app, host.settings) as address:
        head = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        declared = await raw(address, head + b"content-length: 9000000\r\n\r\n")
        chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
        chunked = await raw(address, head + b"transfer-encoding: chunked\r\n\r\n", chunk)
    assert declared[0] == 413
    assert b"The body is larger than 8,000,000 bytes." in declared[1]
    assert chunked[0] == 413
    assert b"The body is larger than 1,000 bytes." in chunked[1]
    assert b"connection: close" in chunked[1].lower()


async def test_an_import_by_somebody_who_may_import_has_a_bound_of_its_own() -> None:
    async with api(max_body_bytes=1_000) as (client, host):
        query = "mutation ImportStaff($names: [String!]!) { importStaff(names: $names) }"
        body = {"query": query, "variables": {"names": ["Amina"] * 1_000}}
        statuses = [
            (await client.post("/graphql", json=body, headers={"authorization": f"Bearer {token}"})).status_code
            for token in ("amina-token", "victor-token", "nobody")
        ]
        hello = {"query": "{ hello }", "variables": {"x": "importStaff" * 200}}
        other = await client.post("/graphql", json=hello, headers={"authorization": "Bearer amina-token"})
    assert statuses == [200, 413, 413]
    assert other.status_code == 413
    assert len(host.contexts) == 1


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    app, host = toy(body_seconds=0.05)
    async with serving(app, host.settings) as address:
        status, answer = await raw(
            address,
            b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: 50\r\n\r\n{",
        )
    assert status == 408
    assert b"The body did not arrive within 0.05 seconds." in answer


async def test_an_import_may_take_longer_than_another_body() -> None:
    app, host = toy(body_seconds=0.05, max_body_bytes=1_000)
    async with serving(app, host.settings) as address:
        head = (
            b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n"
        )
        begun = b'{"query":"mutation { importStaff }' + b" " * 2_000
        status, answer = await raw(address, head + b"authorization: Bearer amina-token\r\n\r\n", begun)
    assert status == 408
    assert b"The body did not arrive within 0.6 seconds." in answer


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
        ("application/json", "application/json; charset=utf-8"),
        (GRAPHQL, f"{GRAPHQL}; charset=utf-8"),
        (f"{GRAPHQL}, application/json;q=0.9", f"{GRAPHQL}; charset=utf-8"),
        (f"application/json, {GRAPHQL};q=0.5", "application/json; charset=utf-8"),
        (f"{GRAPHQL};q=0, */*", "application/json; charset=utf-8"),
        (f"{GRAPHQL}, application/json, text/event-stream, multipart/mixed", f"{GRAPHQL}; charset=utf-8"),
    ],
)
async def test_the_answer_has_the_form_that_the_client_prefers(accept: str | None, content_type: str) -> None:
    async with api() as (client, _):
        request = client.build_request("POST", "/graphql", json={"query": "{ hello }"})
        del request.headers["accept"]
        if accept:
            request.headers["accept"] = accept
        answer = await client.send(request)
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)


async def test_a_client_that_accepts_none_of_our_forms_is_told_them() -> None:
    async with api() as (client, _):
        answer = await client.post("/graphql", json={"query": "{ hello }"}, headers={"accept": "text/html"})
    assert answer.status_code == 406


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from(["query", "variables", "operationName"]), inner, max_size=4)
    ),
    max_leaves=20,
)

ANY_BODY, _ = toy()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON_VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200))
def test_any_body_at_all_gets_an_answer_of_the_protocol(body: bytes) -> None:
    async def ask() -> tuple[int, Any]:
        endpoint = httpx.ASGITransport(ANY_BODY, raise_app_exceptions=True)
        async with web_client(transport=endpoint, base_url="http://localhost") as client:
            answer = await client.post("/graphql", content=body, headers={"content-type": "application/json"})
        return answer.status_code, answer.json()

    status, answer = asyncio.run(ask())
    assert status in {200, 400}
    assert "data" in answer or answer["errors"][0]["extensions"]["reason"] in set(BadRequestReason)
