"""Changes as they happen, over each transport: none missed, none repeated, and none for whoever has logged out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import websockets
from websockets.exceptions import ConnectionClosed

from tests.blackbox.site import LOGOUT, MULTIPART, SSE, Site, Stream, change, today
from tests.front_ends import WATCH, Client, Socket
from tests.waiting import WAIT_SECONDS

Read = Callable[[], Awaitable[dict[str, Any]]]
NOWHERE = "MS4yMDIwLTAxLTEzLjE"
"""A cursor of an epoch that never was."""


@asynccontextmanager
async def watching(site: Site, transport: str, token: str, date: str, after: str) -> AsyncIterator[Read]:
    """What reads the next change."""
    async with AsyncExitStack() as stack:
        if transport == "websocket":
            socket = await stack.enter_async_context(site.socket(token))
            await socket.subscribe("1", WATCH, date=date, after=after)
            yield socket.change
        else:
            stream = await stack.enter_async_context(site.stream(token, WATCH, transport, date=date, after=after))
            assert stream.response.status_code == 200
            yield stream.change


async def tokens(site: Site) -> tuple[str, str]:
    """The viewer's and the marker's."""
    async with site.http() as http:
        return await site.token(http, "VIEWER"), await site.token(http, "MARKER")


@pytest.mark.parametrize("transport", ["websocket", SSE, MULTIPART])
async def test_a_change_arrives_at_once_and_whoever_comes_back_gets_the_rest(site: Site, transport: str) -> None:
    viewer, _ = await tokens(site)
    async with site.client("MARKER") as marker, asyncio.timeout(WAIT_SECONDS):
        date, cursor, people = await today(marker)
        async with watching(site, transport, viewer, date, cursor) as read:
            first = await change(marker, people[0], date, f"first over {transport}, after {cursor}")
            seen = await read()
            assert (seen["feedCursor"], seen["version"], seen["note"]) == (first["feedCursor"], first["version"], None)
        missed = [await change(marker, person, date, f"missed, after {cursor}") for person in people]
        async with watching(site, transport, viewer, date, seen["feedCursor"]) as read:
            assert [(await read())["feedCursor"] for _ in missed] == [each["feedCursor"] for each in missed]
            last = await change(marker, people[0], date, f"last over {transport}, after {cursor}")
            assert (await read())["feedCursor"] == last["feedCursor"]


async def test_an_event_stream_goes_on_after_the_last_id(site: Site, note: str) -> None:
    viewer, _ = await tokens(site)
    async with site.client("MARKER") as marker, asyncio.timeout(WAIT_SECONDS):
        date, cursor, [person, *_] = await today(marker)
        async with site.stream(viewer, WATCH, date=date) as stream:
            assert stream.response.headers["content-type"] == SSE
            assert stream.response.headers["cache-control"] == "no-store, no-transform"
            assert await stream.begun() == cursor
        marked = await change(marker, person, date, note)
        async with site.stream(viewer, WATCH, last=cursor, date=date) as stream:
            event = await stream.event()
            assert event.last_event_id == marked["feedCursor"]
        async with site.stream(viewer, WATCH, last=NOWHERE, date=date) as stream:
            assert stream.response.status_code == 409


async def test_a_cursor_of_another_history_means_to_start_again(site: Site) -> None:
    viewer, _ = await tokens(site)
    async with site.client("VIEWER") as client, site.socket(viewer) as socket:
        date, _, _ = await today(client)
        await socket.subscribe("1", WATCH, date=date, after=NOWHERE)
        message = await socket.receive()
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    assert errors[0]["extensions"]["code"] == "RESTART_REQUIRED"


async def test_a_burst_arrives_whole_and_in_order(site: Site, note: str) -> None:
    viewer, _ = await tokens(site)
    async with site.client("MARKER") as marker, asyncio.timeout(WAIT_SECONDS):
        date, cursor, people = await today(marker, people=20)
        async with watching(site, "websocket", viewer, date, cursor) as one:
            async with watching(site, SSE, viewer, date, cursor) as other:
                marks = [change(marker, person, date, note) for person in people]
                made = sorted([each["feedCursor"] for each in await asyncio.gather(*marks)])
                seen = [[(await read())["feedCursor"] for _ in people] for read in (one, other)]
    assert seen[0] == seen[1]
    assert sorted(seen[0]) == made


async def test_a_quiet_stream_and_socket_stay_open(site: Site, note: str) -> None:
    viewer, _ = await tokens(site)
    async with site.client("MARKER") as marker:
        date, cursor, [person, *_] = await today(marker)
        async with watching(site, "websocket", viewer, date, cursor) as read:
            async with site.stream(viewer, WATCH, date=date, after=cursor) as stream:
                while stream.heartbeats < site.heartbeats:
                    assert stream.interpreter.feed(await stream.piece()) == []
                    stream.heartbeats += 1
                marked = await change(marker, person, date, note)
                async with asyncio.timeout(WAIT_SECONDS):
                    assert (await stream.change())["feedCursor"] == marked["feedCursor"]
                    assert (await read())["feedCursor"] == marked["feedCursor"]


async def test_a_logout_ends_what_is_open(site: Site) -> None:
    async with site.http() as http, asyncio.timeout(WAIT_SECONDS):
        token = (await site.log_in(http, "VIEWER"))["accessToken"]
        client = Client(http, token)
        date, cursor, _ = await today(client)
        async with site.socket(token) as socket, site.stream(token, WATCH, date=date, after=cursor) as stream:
            await socket.subscribe("1", WATCH, date=date, after=cursor)
            assert await stream.begun() == cursor
            assert await client.ask(LOGOUT) == {"logout": {"errors": []}}
            assert await closed(socket) == 4401
            ended = (await stream.event()).json()
            assert ended["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            await until_over(stream)


async def closed(socket: Socket) -> int | None:
    """The code with which a socket is closed."""
    try:
        while True:
            await socket.connection.recv()
    except ConnectionClosed as error:
        return error.rcvd.code if error.rcvd else None


async def until_over(stream: Stream) -> None:
    while await stream.piece():
        pass


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"type": "connection_init", "payload": {"authorization": "Bearer x"}}, 4403),
        ({"type": "subscribe", "id": "1", "payload": {"query": WATCH}}, 4401),
        ({"type": "nothing"}, 4400),
        ([], 4400),
    ],
)
async def test_a_socket_that_begins_wrongly_is_closed_with_the_protocols_code(
    site: Site, first: Any, code: int
) -> None:
    async with site.connected() as socket, asyncio.timeout(WAIT_SECONDS):
        await socket.connection.send(json.dumps(first))
        assert await closed(socket) == code


async def test_a_socket_of_another_protocol_is_not_served(site: Site) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        try:
            async with site.connected(websockets.Subprotocol("graphql-ws")) as socket:
                assert await closed(socket) == 4406
        except websockets.InvalidStatus as refused:
            assert 400 <= refused.response.status_code < 500


async def test_a_socket_answers_queries_and_pings(site: Site) -> None:
    viewer, _ = await tokens(site)
    async with site.socket(viewer) as socket:
        await socket.subscribe("a", "{ viewer { role } }")
        assert await socket.event("a") == {"viewer": {"role": "VIEWER"}}
        assert await socket.receive() == {"id": "a", "type": "complete"}
        await socket.send(type="ping")
        assert await socket.receive() == {"type": "pong"}
