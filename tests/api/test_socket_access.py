"""Who may open a socket, how much they may do on it, and how it ends."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.exceptions import InvalidStatus

from tests.api.clients import INIT, SECONDS, client
from tests.api.clients import socket_served as served
from tests.api.toy import toy
from tests.serving import serving


@pytest.mark.parametrize("subprotocols", [[], ["graphql-ws"]])
async def test_another_subprotocol_is_closed_with_4406(subprotocols: list[str]) -> None:
    app, host = toy()
    async with (
        serving(app, host.settings) as address,
        client(address, subprotocols=subprotocols or None) as someone,
    ):
        assert await someone.closing() == (4406, "Unsupported subprotocol; use graphql-transport-ws")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "http://127.0.0.1:1"])
async def test_a_page_of_another_origin_cannot_open_a_socket(origin: str) -> None:
    app, host = toy(allowed_origins="https://board.example.org")
    async with serving(app, host.settings) as address:
        with pytest.raises(InvalidStatus) as refused:
            async with client(address, origin=origin):
                pass
        assert refused.value.response.status_code == 403
        for allowed in ("https://board.example.org", address.http):
            async with client(address, origin=allowed) as someone:
                await someone.begin()


@pytest.mark.parametrize(
    ("payload", "headers", "code"),
    [
        ({}, {}, 4403),
        ({"authorization": "Bearer wrong"}, {}, 4403),
        ({"authorization": "amina-token"}, {}, 4403),
        ({"AUTHORIZATION": "bearer amina-token"}, {}, None),
        ({}, {"Authorization": "Bearer amina-token"}, None),
        ({"authorization": "Bearer wrong"}, {"Authorization": "Bearer amina-token"}, 4403),
        ({"authorization": "Bearer broken-token"}, {}, 1013),
    ],
)
async def test_a_token_is_taken_from_the_payload_or_the_header(
    payload: dict[str, str], headers: dict[str, str], code: int | None
) -> None:
    app, host = toy()
    async with serving(app, host.settings) as address, client(address, additional_headers=headers) as someone:
        await someone.say({"type": "connection_init", "payload": payload})
        if code is None:
            assert await someone.hear() == {"type": "connection_ack"}
        else:
            assert (await someone.closing())[0] == code


async def test_a_client_says_where_its_operations_resume() -> None:
    async with served() as (someone, host):
        await someone.say({**INIT, "payload": {**INIT["payload"], "resume": {"a": "cursor-7"}}})
        await someone.hear()
        await someone.subscribe("a", "{ hello }")
        await someone.hear()
    assert host.contexts[0].connection.resume == {"a": "cursor-7"}
    assert host.contexts[0].connection is host.connections[0]


async def test_more_operations_than_allowed_are_refused_one_by_one() -> None:
    async with served(max_operations_per_socket=1) as (someone, host):
        await someone.begin()
        await someone.subscribe("a", "subscription { forever }")
        await someone.hear()
        await someone.subscribe("b", "{ hello }")
        assert await someone.hear() == {
            "type": "error",
            "id": "b",
            "payload": [
                {
                    "message": "Too many operations on this socket; the limit is 1. Complete one first.",
                    "extensions": {"code": "RATE_LIMITED"},
                }
            ],
        }
        await someone.say({"type": "complete", "id": "a"})
        await someone.subscribe("b", "{ hello }")
        assert (await someone.hear())["type"] == "next"
    assert [context.operation_id for context in host.contexts] == ["a", "b"]


async def test_a_client_that_talks_too_fast_is_told_to_come_back_later() -> None:
    async with served(message_burst=3, messages_per_second=0.001) as (someone, _):
        await someone.begin()
        await someone.say(*[{"type": "ping"}] * 3)
        assert await someone.closing() == (1013, "Too many messages; slow down and reconnect. Retry-After: 5")


async def test_a_message_above_the_bound_is_not_read() -> None:
    async with served(max_frame_bytes=1_024) as (someone, _):
        await someone.say("x" * 1_025)
        assert (await someone.closing())[0] == 1009


async def test_a_client_that_vanishes_leaves_nothing_running() -> None:
    async with served() as (someone, host):
        await someone.begin()
        await someone.subscribe("a", "subscription { forever }")
        await someone.subscribe("b", "{ waiting }")
        await someone.hear()
        someone.socket.transport.abort()
        await asyncio.wait_for(host.closed(2), SECONDS)
    assert [context.closed for context in host.contexts] == [1, 1]


async def test_the_application_can_end_a_socket_from_outside() -> None:
    async with served() as (someone, host):
        await someone.begin()
        await someone.subscribe("a", "subscription { forever }")
        await someone.hear()
        host.contexts[0].connection.end(4401, "Your login was revoked. " + "é" * 200)
        code, reason = await someone.closing()
        await asyncio.wait_for(host.closed(1), SECONDS)
    assert (code, len(reason.encode())) == (4401, 122)


async def test_an_error_inside_is_told_as_a_reference(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as (someone, host):
        await someone.begin()
        await someone.subscribe("a", "{ secret }")
        answer = await someone.hear()
    reference = host.contexts[0].request_id
    assert [error["message"] for error in answer["payload"]["errors"]] == [
        f"Internal server error. If you report it, quote reference {reference}."
    ]
    assert "hunter2" not in json.dumps(answer)
    assert [record.__dict__["request_id"] for record in caplog.records if record.name == "memberstaff.schema"] == [
        reference
    ]
