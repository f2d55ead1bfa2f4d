"""What the server asks of the application that it serves."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from memberstaff.access import Caller
from memberstaff.engine.limits import Limits
from memberstaff.engine.request import OperationRequest
from memberstaff.engine.shared_subscriptions import SubscriptionContext
from memberstaff.server.connection import Connection
from memberstaff.settings import Settings


class OperationContext(SubscriptionContext, Protocol):
    """What one operation runs with."""

    async def close(self) -> None:
        """Give back what the operation held; awaited once, before its result is sent, however it ended."""


class Host(Protocol):
    """What the server serves."""

    @property
    def settings(self) -> Settings:
        """How this installation runs."""

    def context(self, connection: Connection, operation_id: str | None) -> OperationContext:
        """A fresh context for one operation; the id is None for a request over HTTP."""

    async def cached_response(self, context: Any, request: OperationRequest) -> bytes | None:
        """The answer to a query whose answers are cached, as JSON; None for what has to be executed.

        Never raises RequestError.
        """

    async def authenticate(self, connection: Connection) -> Caller:
        """Who holds the connection's token; raises Unauthenticated."""

    async def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether requests can be served, and what that rests on."""

    def measures(self) -> Mapping[str, tuple[float, str]]:
        """What this process does at this moment: value and meaning by name."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Everything that lives as long as the process."""


def limits_of(settings: Settings) -> Limits:
    """What a document may ask for in this installation."""
    return Limits(
        depth=settings.max_depth,
        aliases=settings.max_aliases,
        directives=settings.max_directives,
        tokens=settings.max_tokens,
        characters=settings.max_characters,
        root_fields=settings.max_root_fields,
        cost=settings.max_cost,
        cache_bytes=settings.document_cache_bytes,
    )
