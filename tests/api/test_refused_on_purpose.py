"""What is refused on purpose (decision 29) is refused before anything runs, in words that say what to do instead."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.clients import GRAPHQL, api

HELLO = {"query": "{ hello }"}
BATCH = "Batches are not supported: send each operation as a request of its own."
DOCUMENT_ID = "documentId is not supported: send the document itself as query."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], BATCH),
        ([HELLO], BATCH),
        ([{"query": 'mutation { login(name: "Amina") }'}] * 50, BATCH),
        ({"documentId": "sha256:ecf4edb4"}, DOCUMENT_ID),
        ({"documentId": "sha256:ecf4edb4", "query": None}, DOCUMENT_ID),
    ],
    ids=["no operation", "one", "many", "a trusted document", "one without its text"],
)
async def test_a_request_is_one_operation_with_its_document(body: Any, message: str) -> None:
    async with api() as (client, host):
        answer = await client.post("/graphql", json=body, headers={"accept": GRAPHQL})
    error = {"message": message, "extensions": {"code": "BAD_REQUEST", "reason": "MALFORMED_REQUEST"}}
    assert (answer.status_code, answer.json()) == (400, {"errors": [error]})
    assert host.contexts == []


async def test_a_document_that_is_sent_beside_its_id_is_run() -> None:
    async with api() as (client, _):
        answer = await client.post("/graphql", json={**HELLO, "documentId": "sha256:ecf4edb4"})
    assert answer.json() == {"data": {"hello": "Hello, world!"}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{ hello ... @defer { hello } }", "Unknown directive '@defer'."),
        ("{ __schema { types @stream { name } } }", "Unknown directive '@stream'."),
        ("query @live { hello }", "Unknown directive '@live'."),
        ("{ _service { sdl } }", "Cannot query field '_service' on type 'Query'."),
        ("{ _entities(representations: []) { id } }", "Cannot query field '_entities' on type 'Query'."),
    ],
)
@pytest.mark.parametrize("accept", [GRAPHQL, f"{GRAPHQL}, multipart/mixed; deferSpec=20220824"])
async def test_what_the_schema_does_not_have_is_a_validation_error(document: str, message: str, accept: str) -> None:
    async with api() as (client, host):
        answer = await client.post("/graphql", json={"query": document}, headers={"accept": accept})
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["message"] == message
    assert error["extensions"] == {"code": "BAD_REQUEST", "reason": "GRAPHQL_VALIDATION_FAILED"}
    assert {context.closed for context in host.contexts} == {1}


async def test_whoever_takes_deferred_parts_alone_is_told_what_there_is() -> None:
    async with api() as (client, host):
        answer = await client.post("/graphql", json=HELLO, headers={"accept": "multipart/mixed; deferSpec=20220824"})
    assert answer.status_code == 406
    told = "Accept application/json, application/graphql-response+json, text/event-stream or multipart/mixed with "
    assert answer.json()["errors"][0]["message"] == f"{told}subscriptionSpec=1.0."
    assert host.contexts == []
