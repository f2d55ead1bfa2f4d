"""How requests travel: over an event loop, or blocking.

The protocol is written once, as coroutines over a `Transport`. `Blocking` does its work at once, so a coroutine over it
never suspends: its first step is its last, and `run` takes it without an event loop.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from threading import Lock
from typing import Any, Protocol, TypeVar

import httpx2

from memberstaff_client.errors import Unavailable

Result = TypeVar("Result")
Body = Mapping[str, Any]

EVENT_STREAM = "text/event-stream"
SILENCE_SECONDS = 45.0
"""Without a byte of an event stream, after which it is broken: the server sends a comment every 15 seconds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """What the protocol needs. `post` and `stream` raise Unavailable when the connection fails."""

    async def post(self, body: Body, token: str | None) -> Answer:
        """The answer to a query or a mutation."""

    def stream(self, body: Body, token: str) -> AsyncGenerator[httpx2.ServerSentEvent | Answer]:
        """The events of a subscription; or an answer that is no event stream, and nothing else."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """A new lock."""

    async def close(self) -> None:
        """Close the connections."""


def _request(body: Body, token: str | None, accept: str) -> dict[str, Any]:
    headers = {"Accept": accept, "Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return {"url": "graphql", "content": json.dumps(body, default=_date), "headers": headers}


def _date(value: object) -> str:
    """For JSON, which has no dates."""
    if isinstance(value, dt.date):
        return value.isoformat()
    raise TypeError(f"A variable cannot be a {type(value).__name__}.")


def _options(address: str, timeout: float) -> dict[str, Any]:
    agent = f"memberstaff-client/{version('memberstaff-client')}"
    return {"base_url": address, "headers": {"User-Agent": agent}, "timeout": timeout}


def _stream_options(timeout: float) -> dict[str, Any]:
    return {"timeout": httpx2.Timeout(timeout, read=SILENCE_SECONDS)}


def _is_stream(response: httpx2.Response) -> bool:
    media, _, _ = response.headers.get("content-type", "").partition(";")
    return response.status_code == httpx2.codes.OK and media.strip().lower() == EVENT_STREAM


def _answer(response: httpx2.Response) -> Answer:
    return Answer(response.status_code, response.headers, response.content)


@contextmanager
def _failures() -> Iterator[None]:
    """Turn what a connection can raise into Unavailable."""
    try:
        yield
    except httpx2.RequestError as error:
        not_sent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
        why = str(error) or type(error).__name__
        extensions = {"applied": False} if not_sent else {}
        raise Unavailable(f"The connection failed: {why}", "UNAVAILABLE", extensions=extensions) from error


class OverEventLoop:
    """With asyncio."""

    def __init__(self, address: str, timeout: float) -> None:
        self._http = httpx2.AsyncClient(**_options(address, timeout))
        self._timeout = timeout

    async def post(self, body: Body, token: str | None) -> Answer:
        with _failures():
            return _answer(await self._http.post(**_request(body, token, "application/json")))

    async def stream(self, body: Body, token: str) -> AsyncGenerator[httpx2.ServerSentEvent | Answer]:
        with _failures():
            request = _request(body, token, EVENT_STREAM) | _stream_options(self._timeout)
            async with self._http.stream("POST", **request) as response:
                if not _is_stream(response):
                    await response.aread()
                    yield _answer(response)
                    return
                async for event in httpx2.EventSource(response):
                    yield event

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def lock(self) -> AbstractAsyncContextManager[Any]:
        return asyncio.Lock()

    async def close(self) -> None:
        await self._http.aclose()


class Blocking:
    """Without an event loop; several threads may use it."""

    def __init__(self, address: str, timeout: float) -> None:
        self._http = httpx2.Client(**_options(address, timeout))
        self._timeout = timeout

    async def post(self, body: Body, token: str | None) -> Answer:
        with _failures():
            return _answer(self._http.post(**_request(body, token, "application/json")))

    async def stream(self, body: Body, token: str) -> AsyncGenerator[httpx2.ServerSentEvent | Answer]:
        with _failures():
            request = _request(body, token, EVENT_STREAM) | _stream_options(self._timeout)
            with self._http.stream("POST", **request) as response:
                if not _is_stream(response):
                    response.read()
                    yield _answer(response)
                    return
                for event in httpx2.EventSource(response):
                    yield event

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - there is no event loop

    def lock(self) -> AbstractAsyncContextManager[Any]:
        lock = Lock()

        class Held:
            async def __aenter__(self) -> None:
                lock.acquire()

            async def __aexit__(self, *_: object) -> None:
                lock.release()

        return Held()

    async def close(self) -> None:
        self._http.close()


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine over `Blocking`."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    raise AssertionError("A coroutine over `Blocking` does not suspend.")


def iterate(source: AsyncGenerator[Result]) -> Generator[Result]:
    """What an asynchronous generator over `Blocking` yields."""

    async def following() -> Result:
        return await anext(source)

    try:
        while True:
            try:
                result = run(following())
            except StopAsyncIteration:
                return
            yield result
    finally:
        run(source.aclose())
