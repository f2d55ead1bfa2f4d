"""Operations whose response is a stream: see docs/decisions/0025-event-streams-and-compression.md."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from math import ceil
from typing import Any

from graphql import GraphQLError
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from memberstaff.engine.masking import internal_error
from memberstaff.engine.request import OperationRequest
from memberstaff.engine.schema import OperationRefused, Schema
from memberstaff.engine.shared_subscriptions import subscribe
from memberstaff.errors import RequestError, RequestErrorCode, Unauthenticated, Unavailable
from memberstaff.fanout.event_source import EndOfEvents
from memberstaff.fanout.retry import until_available
from memberstaff.fanout.subscriber_groups import Membership
from memberstaff.server.connection import Connection
from memberstaff.server.connection_limiter import ConnectionLimits
from memberstaff.server.event_streams import (
    EVENTS,
    FAULT_SECONDS,
    FRAMINGS,
    OVER,
    EventStream,
    error_body,
    json_bytes,
    response_body,
)
from memberstaff.server.host import Host, OperationContext, close
from memberstaff.server.negotiate import SSE, Accepted
from memberstaff.server.request_context import connection_of
from memberstaff.server.uvicorn_http import protocol_of
from memberstaff.server.websocket import Disconnected

log = logging.getLogger("memberstaff.server")

BY_GET = frozenset({OperationType.QUERY, OperationType.SUBSCRIPTION})
"""Neither changes anything, so it may be sent by what another site can make a browser send."""
ANY = frozenset(OperationType)

PATIENCE_SECONDS = 10.0
"""For a subscription to begin, before anything is sent: a proxy waits longer, and ends its waiting with a status."""


class StreamEndpoint:
    """Streams a subscription's events, or a single result. An operation that is refused is one event, with the errors.

    A resume (a request with Last-Event-ID) is refused by a status, on which an EventSource stops, and so is whatever is
    refused for now; `come_back` is for an EventSource.
    """

    def __init__(self, schema: Schema, host: Host, limits: ConnectionLimits) -> None:
        self.schema = schema
        self.host = host
        self.limits = limits

    async def __call__(
        self, request: OperationRequest, accepted: Accepted, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Respond.

        Raises before the response has begun: OperationRefused, RequestError and InvalidOperationTypeError.
        """
        form = accepted.stream or SSE
        last_event_id = last_event_id_of(scope) if form == SSE else None
        if last_event_id == OVER:
            await Response(status_code=204)(scope, receive, send)
            return
        allowed = BY_GET if scope["method"] == "GET" else ANY
        connection = connection_of(scope)
        connection.cookie = connection.device = None  # the headers are sent before an operation could set it
        context = self.host.context(connection, None)
        protocol = protocol_of(scope)
        stream = EventStream(
            FRAMINGS[form],
            protocol,
            receive,
            send,
            deadline=self.host.settings.silence_seconds,
            reference=connection.request_id,
        )
        with ExitStack() as stack:
            stack.callback(stream.close)
            if protocol is not None:
                stack.enter_context(protocol.streaming())
            begun: bytes | Membership | None
            try:
                begun = await stream.unless_disconnected(
                    self.begin(stream, context, request, connection, stack, allowed, last_event_id)
                )
                if last_event_id is not None and stream.error is not None:  # access has ended meanwhile
                    raise stream.error
            except Disconnected:
                return
            except EndOfEvents:
                begun = stream.framing.begin(last_event_id) + stream.framing.complete(is_over=True)
            except OperationRefused as refused:
                if last_event_id is not None or is_for_now(refused.errors):
                    raise
                begun = stream.framing.whole(json_bytes(response_body(PreExecutionError(None, refused.errors))))
            except RequestError as error:
                if last_event_id is not None or is_for_now([error]):
                    raise
                begun = stream.framing.whole(json_bytes(error_body(error)))
            except InvalidOperationTypeError:
                raise
            except Exception as error:
                if not is_event_source(accepted, scope):
                    raise
                raise fault(error, connection) from None
            finally:
                await close(context)
            if isinstance(begun, bytes):
                await stream.send_whole(begun)
                return
            try:
                await stream.serve(begun.start if begun is not None else None)
            except TimeoutError:
                log.info("Client stopped reading its stream")

    async def begin(
        self,
        stream: EventStream,
        context: OperationContext,
        request: OperationRequest,
        connection: Connection,
        stack: ExitStack,
        allowed: frozenset[OperationType],
        last_event_id: str | None,
    ) -> bytes | Membership:
        """Start the operation: the whole stream of a single result, or a membership, which lasts as long as `stack`.

        Raises OperationRefused, RequestError, InvalidOperationTypeError and EndOfEvents.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS) as patience:
                kind = await self.schema.check(request, context, allowed)
                if kind is OperationType.SUBSCRIPTION:
                    patience.reschedule(None)  # the queue has a bound of its own
                    async with self.host.admission(connection):
                        patience.reschedule(asyncio.get_running_loop().time() + PATIENCE_SECONDS)
                        return await self.join(stream, context, request, connection, stack, last_event_id)
        except TimeoutError:
            if patience.expired():
                raise Unavailable("This subscription cannot begin just now. Try again in a moment.") from None
            raise
        result = await self.schema.answer(request, context, allowed)
        later = [error for error in result.errors or () if "retryAfter" in (error.extensions or {})]
        if allowed is BY_GET and later:
            raise OperationRefused(later)  # an EventSource would not ask again
        return stream.framing.whole(json_bytes(response_body(result)))

    async def join(
        self,
        stream: EventStream,
        context: OperationContext,
        request: OperationRequest,
        connection: Connection,
        stack: ExitStack,
        last_event_id: str | None,
    ) -> Membership:
        """Have a subscription's events sent to the stream. Raises OperationRefused, RequestError and EndOfEvents."""
        if isinstance(connection.stranger, Unavailable):
            raise connection.stranger  # it says when; what is waited for here comes back sooner
        stack.enter_context(self.limits.addresses.counted(connection.network, "this address"))
        stack.callback(connection.set_on_end(lambda _, reason: stream.end(Unauthenticated(reason))))
        _, account_id = await until_available(context.authorize)
        stack.enter_context(self.limits.accounts.counted(account_id, "this account"))
        membership = await subscribe(self.schema, context, request, stream.listener, last_event_id=last_event_id)
        stack.callback(membership.leave)
        stream.joined(membership.leave)
        return membership


def is_event_source(accepted: Accepted, scope: Scope) -> bool:
    """Whether the client may be an EventSource, which accepts nothing else, and stops at any status but 200."""
    return scope["method"] == "GET" and accepted.single is None


def last_event_id_of(scope: Scope) -> str | None:
    """The id of the last event that a client has seen, from which it resumes."""
    return Headers(scope=scope).get("last-event-id") or None


def is_for_now(errors: Iterable[RequestError | GraphQLError]) -> bool:
    """Whether the client may be accepted later."""
    return any(passes_in(error.formatted.get("extensions", {})) is not None for error in errors)


def passes_in(extensions: Mapping[str, Any]) -> float | None:
    """After how many seconds to try again; None if an error with these extensions stays."""
    if extensions.get("code") == RequestErrorCode.INTERNAL:
        return FAULT_SECONDS
    seconds: float | None = extensions.get("retryAfter")
    return seconds


def fault(error: Exception, connection: Connection) -> RequestError:
    """What an EventSource is told of an exception, which is logged."""
    log.error("Request failed", exc_info=error)
    return internal_error(connection.request_id)


def come_back(body: dict[str, Any], scope: Scope) -> Response | None:
    """The response to an EventSource that is refused for now; None if it is refused for good."""
    passing = [(passes_in(error.get("extensions", {})), error["message"]) for error in body["errors"]]
    seconds, why = max(((seconds, why) for seconds, why in passing if seconds is not None), default=(None, ""))
    if seconds is None:
        return None
    text = EVENTS.come_back(why, seconds, last_event_id_of(scope))
    headers = {name.decode(): value.decode() for name, value in EVENTS.headers}
    return Response(text, headers={**headers, "Retry-After": str(ceil(seconds))})
