"""A small schema and host to serve in tests of the shell: nothing of attendance, every kind of trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import strawberry
from fastapi import FastAPI
from strawberry.types import Info

from memberstaff.access import Caller, Role
from memberstaff.engine.limits import Limits
from memberstaff.engine.request import OperationRequest
from memberstaff.engine.schema import Schema, build_schema
from memberstaff.errors import RestartRequired, Unauthenticated
from memberstaff.fanout.subscriber_group import Listener
from memberstaff.server.app import create_app
from memberstaff.server.connection import Connection
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

    @property
    def request_id(self) -> str:
        return self.connection.request_id

    async def may_introspect(self) -> bool:
        return self.connection.authorization == "amina-token"

    async def close(self) -> None:
        self.closed += 1
        self.host.changed.set()


@dataclass
class ToyHost:
    """A host whose tests can look at what it was asked."""

    settings: Settings
    contexts: list[ToyContext] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    ready: bool = True
    is_running: bool = False

    def context(self, connection: Connection, operation_id: str | None) -> ToyContext:
        self.contexts.append(ToyContext(self, connection, operation_id))
        self.changed.set()
        return self.contexts[-1]

    async def answer(self, context: ToyContext, request: OperationRequest) -> None:
        """Nothing is kept here."""

    async def join(self, context: ToyContext, request: OperationRequest, listener: Listener) -> None:
        """Nothing is shared here."""

    async def authenticate(self, connection: Connection) -> Caller:
        self.connections.append(connection)
        if connection.authorization == "broken-token":
            raise RuntimeError("the database is away")
        if (caller := TOKENS.get(connection.authorization or "")) is None:
            raise Unauthenticated
        return caller

    async def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        return self.ready, {"database": self.ready}

    def measures(self) -> Mapping[str, tuple[float, str]]:
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
    def secret(self) -> str:
        raise RuntimeError("password=hunter2")

    @strawberry.field
    def private(self) -> str:
        raise Unauthenticated

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


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int = 3) -> AsyncGenerator[int, None]:
        for number in range(1, to + 1):
            yield number

    @strawberry.subscription
    async def broken(self, after: int = 0) -> AsyncGenerator[int, None]:
        for number in range(1, after + 1):
            yield number
        raise RestartRequired("The cursor is too old.")

    @strawberry.subscription
    async def forever(self, info: Info[ToyContext, None]) -> AsyncGenerator[int, None]:
        yield 1
        await info.context.host.gate.wait()
        yield 2

    @strawberry.subscription
    async def flood(self, size: int = 60_000) -> AsyncGenerator[str, None]:
        while True:
            yield "x" * size
            await asyncio.sleep(0)


def toy_schema(limits: Limits | None = None, *, suggestions: bool = False) -> Schema:
    return build_schema(Query, Mutation, Subscription, limits=limits or Limits(), suggestions=suggestions)


def toy(**settings: Any) -> tuple[FastAPI, ToyHost]:
    """An application to serve, and the host behind it."""
    host = ToyHost(Settings(**settings))
    return create_app(toy_schema(Limits.of(host.settings)), host), host
