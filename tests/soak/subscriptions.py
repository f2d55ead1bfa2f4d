"""A subscription as an iterator of its results, alike over WebSockets, server-sent events and multipart."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import httpx2
import websockets
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.soak.cluster import Node
from tests.web import web_client

Result = dict[str, Any]
"""An execution result: `data`, `errors` or both."""

Subscribe = Callable[[Node, str, Result], AsyncGenerator[Result, None]]
"""Subscribes at a server with a token and a request's body. Raises Ended, and BROKEN when the connection breaks."""

BROKEN = (OSError, TimeoutError, WebSocketException, httpx2.HTTPError)

FATAL = frozenset({4400, 4401, 4403, 4406, 4409, 4429, 4500, 1011})
"""Close codes that refuse access, or after which graphql-ws does not come back."""

OPEN_SECONDS = 5.0
SILENCE_SECONDS = 40.0
"""More than between two heartbeats of any transport."""


class Ended(Exception):
    """The server has ended the operation with an error, whose code this is."""

    def __init__(self, code: str, retry_after: float = 0) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after

    @classmethod
    def by(cls, errors: Sequence[Mapping[str, Any]]) -> Ended:
        """By GraphQL errors, the first of which counts."""
        return cls(code_of(errors), errors[0].get("extensions", {}).get("retryAfter", 0))


def code_of(errors: Sequence[Mapping[str, Any]]) -> str:
    """The code of the first error, or its message if it has none."""
    return str(errors[0].get("extensions", {}).get("code", errors[0]["message"]))


async def websocket(node: Node, token: str, body: Result) -> AsyncGenerator[Result, None]:
    """One operation on a connection of its own, by graphql-transport-ws."""
    protocol = websockets.Subprotocol("graphql-transport-ws")
    try:
        async with websockets.connect(
            node.ws, subprotocols=[protocol], max_queue=4, open_timeout=OPEN_SECONDS
        ) as socket:
            await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": body}))
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "error":
                    raise Ended.by(message["payload"])
                if message["type"] == "complete":
                    return
                yield message["payload"]
    except ConnectionClosed as closed:
        if closed.rcvd is not None and closed.rcvd.code in FATAL:
            raise Ended(f"close code {closed.rcvd.code}") from closed
        raise


async def over_http(
    accept: str,
    framing: Callable[[httpx2.Response], AsyncGenerator[Result, None]],
    node: Node,
    token: str,
    body: Result,
) -> AsyncGenerator[Result, None]:
    """One operation in a response that goes on."""
    headers = {"Authorization": f"Bearer {token}", "Accept": accept}
    timeout = httpx2.Timeout(OPEN_SECONDS, read=SILENCE_SECONDS)
    async with (
        web_client(timeout=timeout) as client,
        client.stream("POST", f"{node.http}/graphql", json=body, headers=headers) as response,
    ):
        if not response.headers["content-type"].startswith(accept.partition(";")[0]):
            raise Ended.by(json.loads(await response.aread())["errors"])
        async for result in until_error(framing(response)):
            yield result


async def until_error(results: AsyncIterator[Result]) -> AsyncGenerator[Result, None]:
    """Tell an event with an error from an error that ends the operation, for which HTTP has no message of its own.

    It is a result without data and with nothing after it.
    """
    perhaps_last: Result | None = None
    async for result in results:
        if perhaps_last is not None:
            yield perhaps_last
        perhaps_last = result if result.get("data") is None else None
        if perhaps_last is None:
            yield result
    if perhaps_last is not None:
        raise Ended.by(perhaps_last["errors"])


async def events(response: httpx2.Response) -> AsyncGenerator[Result, None]:
    """The results in server-sent events, until `complete`."""
    async for event in httpx2.EventSource(response):
        if event.event == "complete":
            return
        if event.event == "next":  # httpx2 shows an id or a retry without data as an event, too
            yield json.loads(event.data)


async def parts(response: httpx2.Response) -> AsyncGenerator[Result, None]:
    """The results in the parts of a multipart body, until its last boundary; `{}` is a heartbeat."""
    rest = b"\r\n"  # belongs to each boundary, and is left out before the first
    async for chunk in response.aiter_bytes():
        *complete, rest = (rest + chunk).split(b"\r\n--graphql")
        for part in complete:
            _, _, text = part.partition(b"\r\n\r\n")
            if text and (message := json.loads(text)):
                yield message.get("payload") or message
        if rest.startswith(b"--"):
            return


TRANSPORTS: dict[str, Subscribe] = {
    "WebSocket": websocket,
    "event stream": partial(over_http, "text/event-stream", events),
    "multipart": partial(over_http, "multipart/mixed;subscriptionSpec=1.0", parts),
}
