"""Subscription deduplication (Apollo Router) or multiplexing (Hasura): equal subscriptions share one rendering.

They are equal if they have the same document, operation, variables (except for the cursor to resume from) and
authorisation scope, whatever their transport. See docs/decisions/0008-rendering-once.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, Protocol, TypeVar

import msgspec
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    Visitor,
    create_source_event_stream,
    execute_subscription_event,
    visit,
)
from graphql.execution import Executor
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.http import process_result
from strawberry.types.execution import ExecutionResult as Result
from strawberry.types.execution import PreExecutionError

from memberstaff.engine.documents import Prepared
from memberstaff.engine.masking import cause_of, graphql_error
from memberstaff.engine.request import OperationRequest, digest
from memberstaff.engine.schema import OperationRefused, Schema
from memberstaff.errors import RateLimited, Refusal, RequestError, Unavailable
from memberstaff.fanout.event_source import EventSource, Listener
from memberstaff.fanout.retry import until_available
from memberstaff.fanout.subscriber_groups import SubscriberGroups

CURSOR = "after"
"""The argument with the cursor to resume from."""

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
    schema: Schema, context: SubscriptionContext, request: OperationRequest, listener: Listener
) -> Callable[[], None]:
    """Have the events of a subscription sent to a listener, from its cursor on; returns how to leave.

    `Schema.check` must have accepted the document. Waits while the database is down. Raises OperationRefused if the
    operation is invalid, and RequestError if the subscriber may not see it, its cursor cannot be resumed from, or there
    are too many groups or the subscriber's are too costly.
    """
    # Held until the group has begun: the cache may drop it meanwhile.
    prepared = await schema.prepare(request.query, context)
    plan = _plan_of(prepared, request)
    cost = prepared.cost(request.operation_name)
    scope, owner = await until_available(context.authorize)
    after = plan.after(request.variables)
    if not plan.accepts(after):
        _build(schema, prepared, None, request)  # for graphql-core's own error
        raise OperationRefused([graphql_error(f"`{CURSOR}` must be a string.")])
    key = digest(plan.key, request.operation_name, request.variables, without=plan.variable), scope

    def make_source() -> EventSource:
        return _source(schema, prepared, context.as_scope(scope), request)

    try:
        leave = await context.groups.join(
            key, make_source, listener, owner=owner, after=context.resume_cursor(after), cost=cost
        )
    except (Unavailable, RateLimited):
        raise  # the client tries again, perhaps with the same id and without a cursor of its own
    except BaseException:
        context.resumed()
        raise
    context.resumed()
    return leave


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a document has the cursor, and its text without the cursor."""

    key: str
    """The document's text, with literal cursors blanked."""
    variable: str | None
    """The variable with the cursor, if it is used for nothing else."""
    given: str | None
    """The variable with the cursor."""
    literal: str | None
    """The cursor if the variable is omitted, or there is none."""
    required: bool
    """Whether the variable is required."""

    def after(self, variables: Mapping[str, Any] | None) -> Any:
        """The cursor, of any JSON type."""
        return (variables or {}).get(self.given, self.literal) if self.given is not None else self.literal

    def accepts(self, after: Any) -> bool:
        """Whether the cursor has the argument's type."""
        return isinstance(after, str) or (after is None and not self.required)


def _plan_of(prepared: Prepared, request: OperationRequest) -> Plan:
    assert prepared.document is not None
    plan: Plan | None = prepared.derived.get((Plan, request.operation_name))
    if plan is None:
        plan = plan_of(prepared.document, request.query, request.operation_name)
        prepared.derived[Plan, request.operation_name] = plan
    return plan


def plan_of(document: DocumentNode, text: str, operation_name: str | None) -> Plan:
    """The plan for a valid subscription."""
    operation = _operation(document, operation_name)
    roots = _root_fields(operation, document)
    cursors = [each.value for root in roots for each in root.arguments or () if each.name.value == CURSOR]
    literals: list[ValueNode] = [value for value in cursors if isinstance(value, StringValueNode)]
    literal = next((value.value for value in literals if isinstance(value, StringValueNode)), None)
    names = {value.name.value for value in cursors if isinstance(value, VariableNode)}
    given = next(iter(names), None)
    variable, required = None, False
    if given is not None:
        definition = next(each for each in operation.variable_definitions or () if each.variable.name.value == given)
        default = definition.default_value
        literal = default.value if isinstance(default, StringValueNode) else None
        required = isinstance(definition.type, NonNullTypeNode) and default is None
        if len(names) == 1 and _uses(document, given) == 1 + len(cursors):  # its definition and these
            variable = given
            literals += [default] if isinstance(default, StringValueNode) else []
    return Plan(_without(text, literals), variable, given, literal, required)


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


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    return next(
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode) and (name is None or (node.name and node.name.value == name))
    )


def _root_fields(operation: OperationDefinitionNode, document: DocumentNode) -> list[FieldNode]:
    """The root fields, including those in fragments; each fragment is visited once."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    found: list[FieldNode] = []
    waiting = [operation.selection_set]
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                found.append(node)
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and (spread := fragments.pop(node.name.value, None)) is not None:
                waiting.append(spread.selection_set)
    return found


def _without(text: str, values: list[ValueNode]) -> str:
    """The document's text with these values replaced by empty strings."""
    spans = sorted({(value.loc.start, value.loc.end) for value in values if value.loc is not None}, reverse=True)
    for start, end in spans:
        text = f'{text[:start]}""{text[end:]}'
    return text


class _Uses(Visitor):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.number = 0

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.number += node.name.value == self.name


def _uses(document: DocumentNode, name: str) -> int:
    uses = _Uses(name)
    visit(document, uses)
    return uses.number
