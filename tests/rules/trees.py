"""A small schema with a subscription, for tests of what equal subscriptions share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

import strawberry

from memberstaff.engine.request import OperationRequest
from memberstaff.engine.schema import Schema
from memberstaff.engine.shared_subscriptions import OpenRendering, SharedSubscription, subscribe
from memberstaff.errors import Forbidden, Refusal, Unavailable
from memberstaff.fanout.event_source import Batch, EventSource
from memberstaff.fanout.subscriber_groups import SubscriberGroups


@strawberry.type
class Leaf:
    name: str = "leaf"


@strawberry.type
class Tree:
    number: int

    @strawberry.field
    async def leaves(self) -> list[Leaf]:
        return [Leaf(), Leaf()]

    @strawberry.field
    def upto(self, after: str | None = None) -> str | None:
        return after

    @strawberry.field
    def forbidden(self) -> str | None:
        raise Forbidden("Not for you.")

    @strawberry.field
    def failing(self, info: strawberry.Info[Context, None]) -> str | None:
        if info.context.failures:
            raise info.context.failures.pop(0)
        return "mended"


class Trees(EventSource):
    """Tree 1, 2, 3 … as far as `last`; a cursor is a number."""

    def __init__(self, context: Context, rendering: OpenRendering[Tree]) -> None:
        self.context = context
        self.rendering = rendering

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        yield self.context.last

    async def start(self, after: str | None) -> int:
        return self.context.last if after is None else int(after)

    async def after(self, position: int) -> tuple[int, Batch]:
        while position == self.context.last:
            await asyncio.sleep(0)
        async with self.rendering() as opened:
            payload = opened.render(Tree(number=position + 1))
            return position + 1, Batch([payload if isinstance(payload, bytes) else await payload])

    def count(self, members: int) -> None:
        """Nobody asks."""


class TreeSubscription(SharedSubscription[Tree]):
    def __init__(self, context: Context, kind: str | None) -> None:
        self.context = context
        self.kind = kind

    def source(self, rendering: OpenRendering[Tree]) -> Trees:
        if self.kind == "unknown":
            raise Refusal(cast("Any", "NOT_FOUND"), "There is no such kind.")
        return Trees(self.context, rendering)


@dataclass
class Context:
    """A subscriber's, a group's and a rendering's context in one."""

    scope: str = "MARKER"
    groups: SubscriberGroups = field(
        default_factory=lambda: SubscriberGroups(limit=100, limit_per_owner=100, cost_per_owner=100)
    )
    last: int = 0
    failures: list[Exception] = field(default_factory=list)
    away: int = 0
    """How often authorisation is unavailable."""
    opened: int = 0
    request_id: str = "none"
    today: date = date(2026, 1, 12)

    async def authorize(self) -> tuple[str, int]:
        if self.away:
            self.away -= 1
            raise Unavailable("The database does not answer.")
        return self.scope, 1

    def as_scope(self, scope: object) -> Context:
        return self

    def resume_cursor(self, after: str | None) -> str | None:
        return after

    def resumed(self) -> None:
        """There is nothing to forget."""

    def fresh(self) -> Context:
        self.opened += 1
        return self

    async def close(self) -> None:
        self.opened -= 1


@strawberry.type
class Query:
    @strawberry.field
    def hello(self) -> str:
        return "world"


@strawberry.type
class Subscription:
    @strawberry.subscription
    def trees(
        self, info: strawberry.Info[Context, None], kind: str | None = None, after: str | None = None
    ) -> AsyncIterable[Tree]:
        return cast("AsyncIterable[Tree]", TreeSubscription(info.context, kind))


class Listener:
    """Reads everything at once."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.ends: list[Exception | None] = []

    @property
    def blocked(self) -> bool:
        return False

    def send(self, batch: Batch) -> None:
        self.payloads += batch.payloads

    async def drain(self) -> None:
        """At once."""

    def end(self, error: Exception | None) -> None:
        self.ends.append(error)

    @property
    def results(self) -> list[Any]:
        return [json.loads(payload) for payload in self.payloads]


LEAVING: list[Callable[[], None]] = []


async def settled() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


async def listen(schema: Schema, context: Context, query: str, **variables: Any) -> Listener:
    listener = Listener()
    operation_name = variables.pop("operation_name", None)
    request = OperationRequest(query, variables or None, operation_name, None)
    await schema.check(request, context)
    LEAVING.append((await subscribe(schema, context, request, listener)).leave)
    return listener
