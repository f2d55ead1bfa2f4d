"""What is wrong with a request has a reason beside its code, the same over every transport."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.clients import GRAPHQL, api


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "{ hello(name: 7) }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query ($name: String!) { hello(name: $name) }", "variables": {"name": 7}}, "BAD_USER_INPUT"),
        ({"query": "query A { hello } query B { hello }"}, "MALFORMED_REQUEST"),
        ({"query": "query A { hello }", "operationName": "B"}, "MALFORMED_REQUEST"),
        ({"query": "fragment A on Query { hello }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": ""}, "MALFORMED_REQUEST"),
        ({"query": "{ hello " * 501}, "OPERATION_TOO_LARGE"),
        ({"query": "{ hello }" + " " * 10_000}, "OPERATION_TOO_LARGE"),
        ({"query": "{" + "hello @skip(if: true) " * 10 + "}"}, "OPERATION_TOO_LARGE"),
        ({"query": "{ __schema { queryType { name } } }"}, None),
        ({"query": "subscription { count }"}, "MALFORMED_REQUEST"),
    ],
)
async def test_a_request_that_never_ran_has_no_data_a_reason_and_the_status_of_its_form(
    request_: dict[str, Any], reason: str | None
) -> None:
    async with api() as (client, _):
        client.headers["authorization"] = "Bearer victor-token"
        plain = await client.post("/graphql", json=request_)
        graphql = await client.post("/graphql", json=request_, headers={"accept": GRAPHQL})
        stream = await client.post("/graphql", json=request_, headers={"accept": "text/event-stream"})
    assert graphql.status_code == (400 if reason else 403)
    assert plain.status_code == (400 if "subscription" in str(request_) else 200)
    assert plain.json() == graphql.json()
    assert list(plain.json()) == ["errors"]
    expected = {"code": "BAD_REQUEST", "reason": reason} if reason else {"code": "FORBIDDEN"}
    assert plain.json()["errors"][0]["extensions"] == expected
    if "subscription" not in str(request_):
        [event] = [line for line in stream.text.splitlines() if line.startswith("data: {")]
        assert json.loads(event.removeprefix("data: ")) == plain.json()
