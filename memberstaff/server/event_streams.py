"""Subscriptions over HTTP: server-sent events and multipart, with a heartbeat, while the client is there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import Any

from starlette.types import Receive, Send
from strawberry.http import GraphQLHTTPResponse, process_result
from strawberry.http.streaming import (
    HTTPStreamTransport,
    MultipartSubscriptionTransport,
    SSETransport,
    merge_stream_with_heartbeat,
)
from strawberry.types.execution import PreExecutionError

from memberstaff.errors import RequestErrorCode
from memberstaff.server.negotiate import MULTIPART, SSE


class LineFeedEvents(SSETransport):
    """Server-sent events with LF: urql looks for two of them between events, and with CRLF reads nothing."""

    def encode_event(self, event: str, data: str | None = None) -> str:
        """One event."""
        return super().encode_event(event, data).replace("\r\n", "\n")

    def encode_comment(self, comment: str) -> str:
        """A comment, which only keeps the connection busy."""
        return super().encode_comment(comment).replace("\r\n", "\n")


class Parts(MultipartSubscriptionTransport):
    """Multipart as RFC 2046 has it, with the end that Apollo waits for."""

    def encode_complete(self) -> str:
        """What makes the boundary that stands already the last one."""
        return "--\r\n"


TRANSPORTS: dict[str, type[HTTPStreamTransport]] = {SSE: LineFeedEvents, MULTIPART: Parts}


def encode(value: object) -> str:
    """A message as JSON text, ASCII only: no line break or lone surrogate can be in it."""
    return json.dumps(value, separators=(",", ":"))


def formatted(result: Any) -> GraphQLHTTPResponse:
    """A result as a client sees it; an operation that never ran has no `data`."""
    answer = process_result(result)
    if isinstance(result, PreExecutionError):
        answer.pop("data", None)
    return answer


async def send_stream(
    results: Any, form: str, receive: Receive, send: Send, *, deadline: float, stop: asyncio.Future[str]
) -> None:
    """Send an operation's results as they come, until they end, the client leaves, or `stop` says why it must end.

    `deadline` is in seconds, for each chunk; raises TimeoutError when it passes: the client stopped reading.
    """
    transport = TRANSPORTS[form]()

    async def chunks() -> AsyncGenerator[str, None]:
        async with aclosing(results):
            async for result in results:
                yield transport.encode_next(formatted(result), encode)
        yield transport.encode_complete()

    merged = merge_stream_with_heartbeat(
        chunks,
        lambda: transport.heartbeat_message(encode),
        interval=transport.heartbeat_interval,
        send_initial_heartbeat=transport.send_initial_heartbeat,
    )

    async def write(text: str, *, more: bool = True) -> None:
        async with asyncio.timeout(deadline):
            await send({"type": "http.response.body", "body": text.encode(), "more_body": more})

    async def pump() -> None:
        async with aclosing(merged()) as texts:
            async for text in texts:
                await write(text)
        await write("", more=False)

    headers = [(name.lower().encode(), value.encode()) for name, value in transport.headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if isinstance(transport, Parts):
        await write(f"--{transport.separator}")
    await _until(pump(), asyncio.ensure_future(_gone(receive)), stop)
    if stop.done() and not stop.cancelled():
        error = {"message": stop.result(), "extensions": {"code": RequestErrorCode.UNAUTHENTICATED.value}}
        last: Any = {"errors": [error]}
        await write(transport.encode_next(last, encode) + transport.encode_complete(), more=False)


async def _until(work: Coroutine[Any, Any, None], *others: asyncio.Future[Any]) -> None:
    """Await the work, or cancel it as soon as one of the others is done; the work's own exception is raised."""
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait({working, *others}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        others[0].cancel()
        if not working.done():
            working.cancel()
        with suppress(asyncio.CancelledError):
            await working


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
