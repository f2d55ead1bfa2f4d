"""Subscription deduplication (Apollo Router) or multiplexing (Hasura): equal subscriptions share one rendering.

They are equal if they have the same document, operation, variables (except for the cursor to resume from) and
authorisation scope, whatever their transport. See docs/decisions/0008-rendering-once.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, Protocol, TypeVar

import msgspec
from graphql import ExecutionResult, GraphQLError, create_source_event_stream, execute_subscription_event
from graphql.execution import Executor
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.http import process_result
from strawberry.types.execution import ExecutionResult as Result
from strawberry.types.execution import PreExecutionError

from memberstaff import tracing
from memberstaff.engine.documents import Prepared
from memberstaff.engine.masking import cause_of, graphql_error
from memberstaff.engine.request import OperationRequest, digest
from memberstaff.engine.schema import OperationRefused, Schema
from memberstaff.engine.subscription_plan import CURSOR, plan_for
from memberstaff.errors import BadRequest, RateLimited, Refusal, RequestError, Unavailable
from memberstaff.fanout.event_source import EventSource, Listener
from memberstaff.fanout.retry import until_available
from memberstaff.fanout.subscriber_groups import Membership, SubscriberGroups

Event = TypeVar("Event")


class SharedContext(Protocol):
    """The context of a shared rendering: resolvers see a scope, and no caller."""

    @property
    def request_id(self) -> str:
        """Identifies the group in the log and in errors."""

    def fresh(self) -> SharedContext:
        """A new one for the next batch of events."""

    async def close(self) -> None:
        """Release the database snapshot."""


class SubscriptionContext(Protocol):
    """What `subscribe` needs of an operation's context."""

    @property
    def groups(self) -> SubscriberGroups:
        """The groups of this process."""

    async def authorize(self) -> tuple[Hashable, Hashable]:
        """The subscriber's scope, equal for all who may read the same, and the owner of a group that it creates.

        From now on the connection is closed when its access ends. Raises RequestError.
        """

    @property
    def today(self) -> Hashable:
        """The default of the argument `date`: the same one in a context that `as_scope` makes of this one."""

    def as_scope(self, scope: Any) -> SharedContext:
        """A context that reads with this scope, and no caller."""

    def resume_cursor(self, after: str | None) -> str | None:
        """The cursor to resume from: `after`, unless `connection_init` had another one for this operation."""

    def resumed(self) -> None:
        """The operation has begun, or ended: the connection's cursor is not for a later one with the same id."""


@dataclass(frozen=True, slots=True)
class Rendering(Generic[Event]):
    """Executes and encodes events in one context; not awaitable unless a field has to wait."""

    context: Any
    render: Callable[[Event], bytes | Awaitable[bytes]]


OpenRendering = Callable[[], AbstractAsyncContextManager[Rendering[Event]]]
"""Opens a rendering for one batch of events, which share what they read; closed after the batch."""


class SharedSubscription(ABC, Generic[Event]):
    """What the resolver of a subscription returns. Its events depend only on its arguments and the scope."""

    @abstractmethod
    def source(self, rendering: OpenRendering[Event]) -> EventSource:
        """The source of the events, rendered by `rendering`. Raises RequestError if the scope may not see them."""

    def __aiter__(self) -> NoReturn:
        """Never called, but graphql-core requires an AsyncIterable."""
        raise TypeError("A SharedSubscription is read through `source`, not by iterating.")


async def subscribe(
    schema: Schema,
    context: SubscriptionContext,
    request: OperationRequest,
    listener: Listener,
    *,
    last_event_id: str | None = None,
) -> Membership:
    """Have the events of a subscription sent to a listener, from its cursor on, or from `last_event_id`, which wins.

    `Schema.check` must have accepted the document. Waits while the database is down. Raises OperationRefused if the
    operation is invalid or could return too much, and RequestError if the subscriber may not see it, its cursor cannot
    be resumed from, or there are too many groups or the subscriber's are too costly.
    """
    # Held until the group has begun: the cache may drop it meanwhile.
    prepared = await schema.prepare(request, context)
    name = prepared.name(request.operation_name)
    with tracing.spans.operation("subscription", name) if tracing.on else tracing.OFF:
        return await _join(schema, context, request, prepared, listener, last_event_id)


async def _join(
    schema: Schema,
    context: SubscriptionContext,
    request: OperationRequest,
    prepared: Prepared,
    listener: Listener,
    last_event_id: str | None,
) -> Membership:
    plan = plan_for(schema.core, prepared, request)
    cost = prepared.cost(request.operation_name, request.variables)
    if isinstance(cost, GraphQLError):
        raise _refused(schema, [cost], context, request)
    scope, owner = await until_available(context.authorize)
    after = plan.after(request.variables)
    if not plan.accepts(after):
        _build(schema, prepared, None, request)  # for graphql-core's own error
        raise OperationRefused([graphql_error(BadRequest(f"`{CURSOR}` must be a string."))])
    today = context.today if plan.leaves_out_date(request.variables) else None
    key = digest(plan.key, request.operation_name, request.variables, without=plan.variable), scope, today

    def make_source() -> EventSource:
        return _source(schema, prepared, context.as_scope(scope), request)

    try:
        membership = await context.groups.join(
            key, make_source, listener, owner=owner, after=last_event_id or context.resume_cursor(after), cost=cost
        )
    except (Unavailable, RateLimited):
        raise  # the client tries again, perhaps with the same id and without a cursor of its own
    except BaseException:
        context.resumed()
        raise
    context.resumed()
    return membership


def _build(schema: Schema, prepared: Prepared, context: Any, request: OperationRequest) -> Executor[Any]:
    """The operation's executor; raises OperationRefused if its variables are invalid."""
    assert prepared.document is not None
    executor = schema.execution.build(
        schema.core,
        prepared.document,
        context_value=context,
        raw_variable_values=request.variables,
        operation_name=request.operation_name,
    )
    if isinstance(executor, list):
        raise _refused(schema, executor, context, request)
    return executor


def _refused(schema: Schema, errors: list[GraphQLError], context: Any, request: OperationRequest) -> OperationRefused:
    masked = schema.mask(PreExecutionError(None, errors), context, request.operation_name)
    return OperationRefused(masked.errors or [])


def _source(schema: Schema, prepared: Prepared, context: SharedContext, request: OperationRequest) -> EventSource:
    """The event source for a group of this operation; raises OperationRefused and RequestError."""
    executor = _build(schema, prepared, context, request)
    subscription = create_source_event_stream(executor)
    if isinstance(subscription, ExecutionResult):
        raise _refused(schema, subscription.errors or [], context, request)
    if not isinstance(subscription, SharedSubscription):
        raise TypeError("The resolver of a subscription must return a SharedSubscription.")
    try:
        return subscription.source(_rendering(schema, executor, context, request.operation_name))
    except Refusal as refused:
        error = GraphQLError(refused.message, executor.operation, original_error=refused)
        raise _refused(schema, [error], context, request) from None


def _rendering(
    schema: Schema, executor: Executor[Any], shared: SharedContext, operation_name: str | None
) -> OpenRendering[Any]:
    @asynccontextmanager
    async def rendering() -> AsyncIterator[Rendering[Any]]:
        context = shared.fresh()

        def encoded(result: ExecutionResult) -> bytes:
            _raise_failures(result)
            masked = schema.mask(Result(result.data, result.errors, result.extensions), context, operation_name)
            return msgspec.json.encode(process_result(masked))

        async def later(result: Awaitable[ExecutionResult]) -> bytes:
            return encoded(await result)

        def render(event: Any) -> bytes | Awaitable[bytes]:
            one = executor.build_per_event_executor(event)
            one.context_value = context
            result = execute_subscription_event(one)
            return encoded(result) if isinstance(result, ExecutionResult) else later(result)

        try:
            yield Rendering(context, render)
        finally:
            await context.close()

    return rendering


def _raise_failures(result: ExecutionResult) -> None:
    """Raise an error that is not the request's: the event must be rendered again, rather than sent with it."""
    for error in result.errors or ():
        cause = cause_of(error)
        if isinstance(cause, Unavailable):
            raise cause
        if cause is not None and not isinstance(cause, RequestError | Refusal | StrawberryInputCoercionError):
            raise cause
