"""The interface between the server and the application that it serves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from prometheus_client import Gauge

from memberstaff.access import Caller
from memberstaff.engine.limits import STRANGER_TOKENS, Limits
from memberstaff.engine.request import OperationRequest
from memberstaff.engine.response_cache import CachedResponse, ContentCoding
from memberstaff.engine.shared_subscriptions import SubscriptionContext
from memberstaff.errors import RequestError, Unavailable
from memberstaff.server.connection import Connection
from memberstaff.settings import Settings

log = logging.getLogger("memberstaff.server")


STRANGER_INTROSPECTION = 250
"""Tokens of a stranger's document where anybody may introspect: clients' introspection queries have up to 190."""


class OperationContext(SubscriptionContext, Protocol):
    """The context of one operation."""

    async def may_introspect(self) -> bool:
        """Whether the caller may read the schema. Raises RequestError."""

    async def close(self) -> None:
        """Release what the operation holds, before its result is sent, however it ended; again, it does nothing."""


async def close(context: OperationContext) -> None:
    """Close a context. A failure is logged: the operation has its result, which does not depend on it."""
    try:
        await context.close()
    except Unavailable as error:
        log.warning("The database did not answer when an operation ended", extra={"reason": str(error)})
    except Exception:
        log.exception("Failed to close an operation's context")


class Host(Protocol):
    """The application, as the server uses it."""

    @property
    def settings(self) -> Settings:
        """The installation's settings."""

    def context(self, connection: Connection, operation_id: str | None) -> OperationContext:
        """A new context for one operation; the id is None over HTTP."""

    async def cached_response(
        self, context: Any, request: OperationRequest, coding: ContentCoding | None
    ) -> CachedResponse | None:
        """A cached response; None if the request has to be executed. Never raises RequestError."""

    async def authenticate(self, connection: Connection) -> Caller:
        """The holder of the connection's token; the connection ends with their access. Raises RequestError."""

    def admission(self, connection: Connection) -> AbstractAsyncContextManager[None]:
        """A turn to let a connection in, or to answer it; strangers, for whom little is done, need not wait.

        Raises Unavailable if it would come too late.
        """

    async def stranger(self, connection: Connection) -> RequestError | None:
        """Why the connection's token gives no access; None for a valid one. Asks no database whether it still does."""

    def session_of(self, token: str) -> str | None:
        """The session of a token that we signed, to refresh or for access, expired or not; None for any other string.

        Asks no database.
        """

    def device_of(self, cookie: str | None) -> str | None:
        """The id of a device in which somebody has logged in; None for a cookie that is not ours."""

    async def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether requests can be served, and details for /health/ready."""

    def gauges(self) -> Mapping[Gauge, float]:
        """Value and help text of each gauge, by name; of a counter, if the name ends in `_total`."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Run background services for as long as the process serves."""


def limits_of(settings: Settings) -> Limits:
    """The limits in the settings."""
    return Limits(
        depth=settings.max_depth,
        aliases=settings.max_aliases,
        directives=settings.max_directives,
        tokens=settings.max_tokens,
        stranger_tokens=STRANGER_INTROSPECTION if settings.introspects_to_anybody else STRANGER_TOKENS,
        characters=settings.max_characters,
        root_fields=settings.max_root_fields,
        cost=settings.max_cost,
        subscription_cost=settings.max_subscription_cost,
        cache_bytes=settings.document_cache_bytes,
    )
