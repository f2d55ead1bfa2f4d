"""A small schema and host to serve in tests of the shell: nothing of attendance, every kind of trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any, cast

import strawberry
from fastapi import FastAPI
from prometheus_client import Gauge
from strawberry.types import Info

from memberstaff.access import Caller, Role
from memberstaff.engine.limits import Limits
from memberstaff.engine.request import OperationRequest
from memberstaff.engine.schema import Schema, build_schema
from memberstaff.engine.shared_subscriptions import OpenRendering, SharedSubscription
from memberstaff.errors import RequestError, RestartRequired, Unauthenticated, Unavailable
from memberstaff.fanout.admission_control import AdmissionControl
from memberstaff.fanout.event_source import Batch, EndOfEvents, EventSource
from memberstaff.fanout.subscriber_groups import SubscriberGroups
from memberstaff.server.app import create_app
from memberstaff.server.connection import Connection
from memberstaff.server.host import limits_of
from memberstaff.settings import Settings

TOKENS = {
    "amina-token": Caller(1, "s1", "Amina", Role.ADMIN),
    "victor-token": Caller(2, "s2", "Victor", Role.VIEWER),
}


@dataclass
class ToyContext:
    """One operation's context; it remembers whether it was closed."""

    host: ToyHost
    connection: Connection
    operation_id: str | None
    closed: int = 0
    today: date = date(2026, 1, 12)

    @property
    def request_id(self) -> str:
        return self.connection.request_id

    @property
    def stranger(self) -> RequestError | None:
        return self.connection.stranger

    async def may_introspect(self) -> bool:
        if self.connection.authorization == "broken-token":
            raise RuntimeError("the database is away")
        return self.connection.authorization == "amina-token"

    @property
    def groups(self) -> SubscriberGroups:
        return self.host.groups

    async def authorize(self) -> tuple[object, int | None]:
        """A scope that nobody else has: each subscription is a group of one."""
        if self.connection.authorization == "broken-token":
            raise RuntimeError("the database is away")
        caller = TOKENS.get(self.connection.authorization or "")
        return object(), caller.account_id if caller else None

    def as_scope(self, scope: object) -> ToyContext:
        return self.host.shared_context(self.connection)

    def fresh(self) -> ToyContext:
        return self.host.shared_context(self.connection)

    def resume_cursor(self, after: str | None) -> str | None:
        return after

    def resumed(self) -> None:
        """There is nothing to forget."""

    async def close(self) -> None:
        self.closed = 1
        self.host.changed.set()


@dataclass
class ToyHost:
    """A host whose tests can look at what it was asked."""

    settings: Settings
    contexts: list[ToyContext] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    groups: SubscriberGroups = field(
        default_factory=lambda: SubscriberGroups(limit=100, limit_per_owner=100, cost_per_owner=100)
    )
    queue: AdmissionControl = field(default_factory=lambda: AdmissionControl(16))
    ready: bool = True
    is_running: bool = False

    def context(self, connection: Connection, operation_id: str | None) -> ToyContext:
        self.contexts.append(ToyContext(self, connection, operation_id))
        self.changed.set()
        return self.contexts[-1]

    def shared_context(self, connection: Connection) -> ToyContext:
        """Of a rendering, not of an operation: tests do not look at it."""
        return ToyContext(self, connection, None)

    async def cached_response(self, context: ToyContext, request: OperationRequest, coding: Any) -> None:
        """Nothing is cached here."""

    async def authenticate(self, connection: Connection) -> Caller:
        self.connections.append(connection)
        if connection.authorization == "broken-token":
            raise RuntimeError("the database is away")
        if (caller := TOKENS.get(connection.authorization or "")) is None:
            raise Unauthenticated
        return caller

    def admission(self, connection: Connection) -> AbstractAsyncContextManager[None]:
        return self.queue.turn(connection.authorization)

    async def stranger(self, connection: Connection) -> RequestError | None:
        if connection.authorization == "puzzling-token":
            raise RuntimeError("no key fits")
        known = (connection.authorization or "") in {*TOKENS, "broken-token"}
        return None if known else Unauthenticated()

    def session_of(self, refresh_token: str) -> str | None:
        return refresh_token if refresh_token.startswith("signed-by-us.") else None

    def device_of(self, cookie: str | None) -> str | None:
        return cookie if cookie is not None and cookie.startswith("known-") else None

    async def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        return self.ready, {"database": self.ready}

    def gauges(self) -> Mapping[Gauge, float]:
        return {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.is_running = True
        yield
        self.is_running = False

    async def closed(self, count: int) -> None:
        """Wait until so many contexts have been closed."""
        while sum(context.closed for context in self.contexts) < count:
            self.changed.clear()
            await self.changed.wait()


@strawberry.input
class Greeting:
    name: strawberry.Maybe[str]


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"Hello, {name}!"

    @strawberry.field
    def greet(self, greeting: Greeting) -> str:
        return "Hello, you!"

    @strawberry.field
    def large(self, size: int = 60_000) -> str:
        return "x" * size

    @strawberry.field
    def secret(self) -> str:
        raise RuntimeError("password=hunter2")

    @strawberry.field
    def private(self) -> str:
        raise Unauthenticated

    @strawberry.field
    def busy(self, seconds: float) -> str | None:
        raise Unavailable("The database is away.", seconds)

    @strawberry.field
    async def waiting(self, info: Info[ToyContext, None]) -> str:
        await info.context.host.gate.wait()
        return "done"


@strawberry.type
class Mutation:
    @strawberry.mutation
    def login(self, name: str) -> str:
        return f"token of {name}"

    @strawberry.mutation
    def import_staff(self, names: list[str]) -> int:
        return len(names)


class Events(EventSource):
    """What `at` gives for positions 1, 2, 3 …; it raises to end them."""

    def __init__(self, at: Callable[[int], Awaitable[Any]], rendering: OpenRendering[Any]) -> None:
        self.at = at
        self.rendering = rendering

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        yield 0

    async def start(self, after: str | None) -> int:
        return 0

    async def after(self, position: int) -> tuple[int, Batch]:
        event = await self.at(position + 1)
        async with self.rendering() as opened:
            payload = opened.render(event)
            return position + 1, Batch([payload if isinstance(payload, bytes) else await payload])

    def count(self, members: int) -> None:
        """Nobody asks."""


class Stream(SharedSubscription[Any]):
    def __init__(self, at: Callable[[int], Awaitable[Any]]) -> None:
        self.at = at

    def source(self, rendering: OpenRendering[Any]) -> Events:
        return Events(self.at, rendering)


@strawberry.type
class Subscription:
    @strawberry.subscription
    def count(self, to: int = 3) -> AsyncIterable[int]:
        async def at(number: int) -> int:
            if number > to:
                raise EndOfEvents
            return number

        return cast("AsyncIterable[int]", Stream(at))

    @strawberry.subscription
    def broken(self, after_events: int = 0) -> AsyncIterable[int]:
        async def at(number: int) -> int:
            if number > after_events:
                raise RestartRequired("The cursor is too old.")
            return number

        return cast("AsyncIterable[int]", Stream(at))

    @strawberry.subscription
    def forever(self, info: Info[ToyContext, None]) -> AsyncIterable[int]:
        host = info.context.host

        async def at(number: int) -> int:
            if number > 1:
                await host.gate.wait()
            if number > 2:
                raise EndOfEvents
            return number

        return cast("AsyncIterable[int]", Stream(at))

    @strawberry.subscription
    def flood(self, size: int = 60_000) -> AsyncIterable[str]:
        async def at(number: int) -> str:
            await asyncio.sleep(0)
            return "x" * size

        return cast("AsyncIterable[str]", Stream(at))


@cache
def toy_schema(limits: Limits | None = None, *, suggestions: bool = False) -> Schema:
    return build_schema(Query, Mutation, Subscription, limits=limits or Limits(), suggestions=suggestions)


def toy(**settings: Any) -> tuple[FastAPI, ToyHost]:
    """An application to serve, and the host behind it."""
    host = ToyHost(Settings(**settings))
    return create_app(toy_schema(limits_of(host.settings)), host), host
