"""How requests travel: over an event loop, or blocking.

The protocol is written once, as coroutines over a `Transport`. `Blocking` does its work at once, so a coroutine over it
never suspends: its first step is its last, and `run` takes it without an event loop.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from threading import Event, Lock, Thread
from typing import Any, Protocol, TypeVar, cast

import httpx2

from memberstaff_client.errors import Unavailable

Result = TypeVar("Result")
Body = Mapping[str, Any]

EVENT_STREAM = "text/event-stream"
HIGHEST_PORT = 65_535
IDLE_SECONDS = 2.0
"""After which a connection is not used again: servers close theirs after five, and a mark that meets that is lost."""
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

    def stream(self, body: Body, token: str, last_event_id: str) -> AsyncGenerator[httpx2.ServerSentEvent | Answer]:
        """The events of a subscription; or an answer that is no event stream, and nothing else."""

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""

    async def sleep(self, seconds: float) -> None:
        """Wait so long, or until it is closed."""

    async def briefly(self, doing: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> None:
        """Do what raises nothing, and give up after so long, whatever it waits for."""

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """A new lock."""

    async def close(self) -> None:
        """Close the connections."""


def _request(body: Body, token: str | None, accept: str) -> dict[str, Any]:
    headers = {"Accept": accept, "Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return {"url": "graphql", "content": json.dumps(body, default=_date), "headers": headers}


def _subscription(body: Body, token: str, last_event_id: str, timeout: float) -> dict[str, Any]:
    request = _request(body, token, EVENT_STREAM)
    if last_event_id:
        request["headers"]["Last-Event-ID"] = last_event_id.encode()
    return {"method": "POST", **request, "timeout": httpx2.Timeout(timeout, read=SILENCE_SECONDS)}


def _date(value: object) -> str:
    """For JSON, which has no dates."""
    if isinstance(value, dt.date):
        return value.isoformat()
    raise TypeError(f"A variable cannot be a {type(value).__name__}.")


def _options(address: str, timeout: float) -> dict[str, Any]:
    return {
        "base_url": server_at(address),
        "headers": {"User-Agent": f"memberstaff-client/{version('memberstaff-client')}"},
        "timeout": timeout,
        # Each day that is followed has one; the server knows its limits.
        "limits": httpx2.Limits(max_connections=None, keepalive_expiry=IDLE_SECONDS),
    }


def server_at(address: str) -> httpx2.URL:
    """Where a server's paths begin. Raises ValueError."""
    try:
        url = httpx2.URL(address.strip().removesuffix("/").removesuffix("/graphql"))
    except httpx2.InvalidURL as error:
        raise ValueError("The address is no URL.") from error
    if url.scheme not in {"https", "http"} or not url.host:
        raise ValueError("The address begins with https://, or http://, and a host.")
    if url.port is not None and not 0 < url.port <= HIGHEST_PORT:
        raise ValueError("The address has a port that does not exist.")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("The address is one without a user, a query and a fragment.")
    return url


def _is_stream(response: httpx2.Response) -> bool:
    media, _, _ = response.headers.get("content-type", "").partition(";")
    return response.status_code == httpx2.codes.OK and media.strip().lower() == EVENT_STREAM


def _answer(response: httpx2.Response) -> Answer:
    return Answer(response.status_code, response.headers, response.content)


@contextmanager
def _failures(transport: Transport) -> Iterator[None]:
    """Turn what a connection can raise into Unavailable."""
    try:
        yield
    except Exception as error:
        if transport.closed:
            raise Unavailable("This client was closed.", "UNAVAILABLE") from error
        if not isinstance(error, httpx2.RequestError):
            raise
        not_sent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
        why = str(error) or type(error).__name__
        extensions = {"applied": False} if not_sent else {}
        raise Unavailable(f"The connection failed: {why}", "UNAVAILABLE", extensions=extensions) from error


class OverEventLoop:
    """With asyncio."""

    def __init__(self, address: str, timeout: float) -> None:
        self._http = httpx2.AsyncClient(**_options(address, timeout))
        self._timeout = timeout
        self._closing = asyncio.Event()

    async def post(self, body: Body, token: str | None) -> Answer:
        with _failures(self):
            return _answer(await self._http.post(**_request(body, token, "application/json")))

    async def stream(
        self, body: Body, token: str, last_event_id: str
    ) -> AsyncGenerator[httpx2.ServerSentEvent | Answer]:
        with _failures(self):
            request = _subscription(body, token, last_event_id, self._timeout)
            async with self._http.stream(**request) as response:
                if not _is_stream(response):
                    await response.aread()
                    yield _answer(response)
                    return
                source = cast("AsyncGenerator[httpx2.ServerSentEvent]", aiter(httpx2.EventSource(response)))
                async with aclosing(source) as events:
                    async for event in events:
                        yield event

    @property
    def closed(self) -> bool:
        return self._closing.is_set()

    async def sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def briefly(self, doing: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await doing()

    def lock(self) -> AbstractAsyncContextManager[Any]:
        return asyncio.Lock()

    async def close(self) -> None:
        self._closing.set()
        await self._http.aclose()


class Blocking:
    """Without an event loop; several threads may use it."""

    def __init__(self, address: str, timeout: float) -> None:
        self._http = httpx2.Client(**_options(address, timeout))
        self._timeout = timeout
        self._closing = Event()
        self._streams: set[socket.socket] = set()

    async def post(self, body: Body, token: str | None) -> Answer:
        with _failures(self):
            return _answer(self._http.post(**_request(body, token, "application/json")))

    async def stream(
        self, body: Body, token: str, last_event_id: str
    ) -> AsyncGenerator[httpx2.ServerSentEvent | Answer]:
        with _failures(self):
            request = _subscription(body, token, last_event_id, self._timeout)
            with self._http.stream(**request) as response:
                if not _is_stream(response):
                    response.read()
                    yield _answer(response)
                    return
                with self._until_closed(response):
                    for event in httpx2.EventSource(response):
                        yield event

    @property
    def closed(self) -> bool:
        return self._closing.is_set()

    async def sleep(self, seconds: float) -> None:
        self._closing.wait(seconds)

    async def briefly(self, doing: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> None:
        # A thread, since a lookup of a name, a lock and an answer that trickles know no common deadline.
        thread = Thread(target=lambda: run(doing()), daemon=True)
        with suppress(RuntimeError):  # Python is ending, and begins no thread
            thread.start()
            thread.join(seconds)

    def lock(self) -> AbstractAsyncContextManager[Any]:
        lock = Lock()

        class Held:
            async def __aenter__(self) -> None:
                lock.acquire()

            async def __aexit__(self, *_: object) -> None:
                lock.release()

        return Held()

    async def close(self) -> None:
        self._closing.set()
        for stream in [*self._streams]:
            with suppress(OSError):  # it has just broken off
                socket.socket.shutdown(stream, socket.SHUT_RDWR)
        self._http.close()

    @contextmanager
    def _until_closed(self, response: httpx2.Response) -> Iterator[None]:
        """While events are read: closing a socket wakes nobody who reads from it, shutting it down does."""
        stream = response.extensions["network_stream"].get_extra_info("socket")
        self._streams.add(stream)
        try:
            yield
        finally:
            self._streams.discard(stream)


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
