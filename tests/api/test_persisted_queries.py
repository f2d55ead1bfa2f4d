"""A client that sends a document's hash in its place is told, in words that it knows, to send the document."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.api.clients import GRAPHQL, api
from tests.api.clients import socket_served as served

HASH = "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"
REFUSED = {
    "errors": [{"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}]
}
EXTENSIONS = f'{{"persistedQuery":{{"version":1,"sha256Hash":"{HASH}"}}}}'
URQL = f"{GRAPHQL}, application/graphql+json, application/json, text/event-stream, multipart/mixed"
APOLLO = f"{GRAPHQL},application/json;q=0.9"
BODIES = [
    f'{{"operationName":"Hello","variables":{{}},"extensions":{EXTENSIONS}}}',  # Apollo Client 4
    f'{{"extensions":{EXTENSIONS},"operationName":"Hello","variables":{{}}}}',  # urql 6
    f'{{"query":null,"extensions":{EXTENSIONS}}}',
    f'{{"query":"","extensions":{EXTENSIONS}}}',
]


@pytest.mark.parametrize(("accept", "status"), [("*/*", 200), ("application/json", 200), (APOLLO, 400), (URQL, 400)])
@pytest.mark.parametrize("token", ["Bearer victor-token", ""])
async def test_a_hash_without_its_document_is_not_supported(accept: str, status: int, token: str) -> None:
    headers = {"accept": accept, "content-type": "application/json", "authorization": token}
    query = f"operationName=Hello&variables=%7B%7D&extensions={quote(EXTENSIONS)}"
    async with api() as (client, host):
        answers = [await client.post("/graphql", content=body.encode(), headers=headers) for body in BODIES]
        answers += [await client.get(f"/graphql?{query}{more}", headers=headers) for more in ("", "&query=")]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(status, REFUSED)] * 6
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert {answer.headers.get("connection") for answer in answers} == {None}
    assert host.contexts == []


async def test_a_document_is_run_whatever_its_hash() -> None:
    body: dict[str, Any] = {"query": "query Hello { hello }", "extensions": {"persistedQuery": {"sha256Hash": HASH}}}
    async with api() as (client, _):
        answer = await client.post("/graphql", json=body)
        other = await client.post("/graphql", json={"extensions": {"persistedQuery": None}})
    assert answer.json() == {"data": {"hello": "Hello, world!"}}
    assert other.json()["errors"][0]["message"] == "query must be a string."


async def test_a_hash_on_a_socket_is_that_operations_error() -> None:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": HASH}}
    async with served() as (someone, _):
        await someone.begin()
        await someone.say({"type": "subscribe", "id": "a", "payload": {"extensions": extensions}})
        assert await someone.hear() == {"type": "error", "id": "a", "payload": REFUSED["errors"]}
        await someone.subscribe("a", "{ hello }", extensions=extensions)
        assert (await someone.hear())["payload"] == {"data": {"hello": "Hello, world!"}}
