"""Responses that stream results as server-sent events or multipart, with heartbeats."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Coroutine, Iterable
from itertools import zip_longest
from typing import Any, TypeVar

import msgspec
from starlette.types import Receive, Send
from strawberry.http import process_result
from strawberry.types.execution import ExecutionResult, PreExecutionError

from memberstaff import metrics
from memberstaff.engine.masking import internal_error
from memberstaff.errors import RequestError, RequestErrorCode
from memberstaff.fanout.event_source import Batch
from memberstaff.server.listeners import ASGIListener, Framing, StreamListener, framed
from memberstaff.server.negotiate import MULTIPART, SSE
from memberstaff.server.uvicorn_http import HttpProtocol
from memberstaff.server.websocket import Disconnected

Result = TypeVar("Result")


RETRY_SECONDS = (1.0, 4.0)
"""Within which clients come back to a server that has gone: not all in one instant."""

OVER = "complete"
"""The id of the last event of a stream that is over: an EventSource comes back with it, and is told to stop."""

MAY_GO_ON = frozenset(
    {
        RequestErrorCode.UNAUTHENTICATED,
        RequestErrorCode.UNAVAILABLE,
        RequestErrorCode.RATE_LIMITED,
        RequestErrorCode.INTERNAL,
    }
)
"""Errors of a stream that are not the end of it: the client may come back, with another token or later."""

FAULT_SECONDS = 5.0
"""After which an EventSource comes back to a server in which something went wrong: it may pass."""


class ServerSentEvents(Framing):
    """The distinct connections mode of graphql-sse's PROTOCOL.md, with ids by which an EventSource resumes.

    An id without data moves a client on past what its scope leaves out. Lines end in LF, since urql splits events at
    two of them.
    """

    key = SSE
    headers = (
        (b"content-type", SSE.encode()),
        (b"cache-control", b"no-store, no-transform"),
        (b"x-accel-buffering", b"no"),
    )
    heartbeat = b": ping\n\n"
    heartbeat_seconds = 15.0

    def begin(self, cursor: str | None) -> bytes:
        return b"retry: %d\n" % _milliseconds(*RETRY_SECONDS) + self._event(cursor, b"")

    def event(self, payload: bytes) -> bytes:
        return self._event(None, self._next(payload))

    def events(self, batch: Batch) -> bytes:
        return b"".join(
            self._event(cursor, b"" if payload is None else self._next(payload))
            for cursor, payload in zip_longest(batch.cursors, batch.payloads)
        )

    def complete(self, *, is_over: bool) -> bytes:
        return self._event(OVER if is_over else None, b"event: complete\ndata: \n")

    def come_back(self, why: str, seconds: float, last_event_id: str | None) -> bytes:
        """The whole stream of a client that is refused for now, with a comment that says why.

        It has the id that the client came with, which a stream without one would take away.
        """
        comment = b": %b\nretry: %d\n" % (" ".join(why.split()).encode(), _milliseconds(seconds, seconds + 1))
        return comment + self._event(last_event_id, b"")

    def _next(self, payload: bytes) -> bytes:
        """The JSON must contain no line break."""
        return b"event: next\ndata: %b\n" % payload

    def _event(self, cursor: str | None, fields: bytes) -> bytes:
        """An event. The cursor is ours, or what a header said, in Latin-1 as headers are read."""
        return fields + b"\n" if cursor is None else b"id: %b\n%b\n" % (cursor.encode("latin-1"), fields)


class Multipart(Framing):
    """Apollo's multipart subscriptions (subscriptionSpec=1.0, RFC 2046), with the final delimiter that it needs."""

    key = MULTIPART
    headers = ((b"content-type", b"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"),)
    heartbeat_seconds = 5.0

    def __init__(self) -> None:
        self.heartbeat = self._part(b"{}")

    def begin(self, cursor: str | None) -> bytes:  # noqa: ARG002 - has no place for it
        return b"--graphql" + self.heartbeat

    def event(self, payload: bytes) -> bytes:
        return self._part(b'{"payload":%b}' % payload)

    def complete(self, *, is_over: bool) -> bytes:  # noqa: ARG002 - either way
        return b"--\r\n"

    def _part(self, body: bytes) -> bytes:
        head = b"\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % len(body)
        return head + body + b"\r\n--graphql"


EVENTS = ServerSentEvents()
FRAMINGS: dict[str, Framing] = {SSE: EVENTS, MULTIPART: Multipart()}


def _milliseconds(least: float, most: float) -> int:
    return round(1_000 * random.uniform(least, most))  # noqa: S311 - spreads load, guards nothing


def json_bytes(body: Any) -> bytes:
    """JSON in ASCII, so that it contains no line break and no unpaired surrogate."""
    return json.dumps(body, separators=(",", ":")).encode()


def response_body(result: ExecutionResult) -> Any:
    """The response of a result; without `data` if the operation did not run."""
    body = process_result(result)
    count_errors(body.get("errors"))
    if isinstance(result, PreExecutionError):
        body.pop("data", None)
    return body


def error_body(error: RequestError) -> dict[str, Any]:
    """The response for an error that ended the operation."""
    errors = [error.formatted]
    count_errors(errors)
    return {"errors": errors}


def count_errors(errors: Iterable[Any] | None) -> None:
    """Count GraphQL errors that a client is sent, by their code."""
    for error in errors or ():
        metrics.ERRORS.labels(error["extensions"]["code"]).inc()


class EventStream:
    """A streamed response, until its events are complete, the client disconnects, or `end` is called."""

    def __init__(
        self,
        framing: Framing,
        protocol: HttpProtocol | None,
        receive: Receive,
        send: Send,
        *,
        deadline: float,
        reference: str,
    ) -> None:
        self.framing = framing
        self.reference = reference
        """The request id, for internal errors."""
        self.deadline = deadline
        """Write timeout of a chunk, in seconds, under another server than ours."""
        self._protocol = protocol
        self._receive = receive
        self._send = send
        self._ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._leave: Callable[[], None] | None = None
        self._disconnect = asyncio.ensure_future(self._wait_for_disconnect())
        self.listener: StreamListener | ASGIListener = (
            StreamListener(protocol, framing, self.end) if protocol else ASGIListener(self._send_batch, self.end)
        )

    def end(self, error: Exception | None) -> None:
        """End the response with an error, or because its events are complete; no event is sent after this call."""
        if not self._ended.done():
            self._ended.set_result(error)
        if self._leave is not None:
            self._leave()

    @property
    def error(self) -> Exception | None:
        """What has ended it."""
        return self._ended.result() if self._ended.done() else None

    def joined(self, leave: Callable[[], None]) -> None:
        """The listener is a member of a group, which it leaves as soon as the stream ends."""
        self._leave = leave
        if self._ended.done():
            leave()

    async def unless_disconnected(self, work: Coroutine[Any, Any, Result | None]) -> Result | None:
        """The result of work to be done before the stream starts; None if the stream is ended first.

        Raises Disconnected if the client leaves first.
        """
        working = asyncio.ensure_future(work)
        try:
            waiting: set[asyncio.Future[Any]] = {working, self._disconnect, self._ended}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if self._disconnect.done() and not working.done():
                raise Disconnected
            return working.result() if working.done() else None
        finally:
            if not working.done():
                working.cancel()
                await asyncio.wait({working})

    def close(self) -> None:
        """Stop watching for a disconnect."""
        self._disconnect.cancel()

    async def serve(self, cursor: str | None) -> None:
        """Stream what follows a cursor, to the end.

        Raises TimeoutError when a client under another server stops reading.
        """
        await self._start()
        await self._write(self.framing.begin(cursor))
        self.listener.begin()
        while True:
            seconds = self.framing.heartbeat_seconds
            waiting: set[asyncio.Future[Any]] = {self._disconnect, self._ended}
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if self._disconnect.done():
                return
            if self._ended.done():
                await self._finish(self._ended.result())
                return
            if not self.listener.blocked:
                self.listener.send(self._heartbeat())

    async def send_whole(self, events: bytes) -> None:
        """Send the whole stream."""
        await self._start()
        await self._write(events, more=False)

    def _heartbeat(self) -> Batch:
        batch = Batch(())
        batch.frames[self.framing.key] = [self.framing.heartbeat]
        return batch

    async def _start(self) -> None:
        await self._send({"type": "http.response.start", "status": 200, "headers": [*self.framing.headers]})

    async def _finish(self, error: Exception | None) -> None:
        last = b""
        if isinstance(error, TimeoutError):
            raise error
        if self._protocol is None:  # a batch may still be on its way
            async with asyncio.timeout(self.deadline):
                await self.listener.drain()
        if error is not None:
            if not isinstance(error, RequestError):
                error = internal_error(self.reference)
            last = self.framing.event(msgspec.json.encode(error_body(error)))
        is_over = error is None or error.code not in MAY_GO_ON
        await self._write(last + self.framing.complete(is_over=is_over), more=False)

    async def _send_batch(self, batch: Batch) -> None:
        if body := framed(batch, self.framing):
            await self._write(body)

    async def _write(self, body: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(self.deadline):
            await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
