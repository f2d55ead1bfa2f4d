"""Subscriptions that are rendered once for all that are equal, on whatever transport.

Equal are those with the same document, operation, variables (but for the cursor to resume from) and authorisation
scope: a `SharedSubscription` depends on nothing else. Apollo's router calls this deduplication, Hasura multiplexing.
See docs/decisions/0008-rendering-once.md.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, Protocol, TypeVar

import orjson
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

from memberstaff.engine.masking import cause_of, refusal
from memberstaff.engine.request import OperationRequest
from memberstaff.engine.schema import OperationRefused, Schema
from memberstaff.errors import Refusal, RequestError, Unavailable
from memberstaff.fanout.retry import until_available
from memberstaff.fanout.subscriber_group import EventSource, Listener, SubscriberGroups

CURSOR = "after"
"""The argument that says where a subscription resumes."""

Event = TypeVar("Event")


class SharedContext(Protocol):
    """What the resolvers of a shared rendering see: a scope, and nobody in particular."""

    @property
    def request_id(self) -> str:
        """Names the group in the log and in error messages."""

    def fresh(self) -> SharedContext:
        """One for the next few events."""

    async def close(self) -> None:
        """Give back what the rendering held."""


class SubscriptionContext(Protocol):
    """What `subscribe` asks of the context of a subscriber's operation."""

    @property
    def groups(self) -> SubscriberGroups:
        """Of this process."""

    async def authorize(self) -> tuple[Hashable, Hashable]:
        """The subscriber's scope, equal for all who may read the same, and whose limits a new group counts against.

        The subscription ends when this access does. Raises RequestError.
        """

    def as_scope(self, scope: Any) -> SharedContext:
        """A context that reads as anybody with this scope."""

    def resumed(self, after: str | None) -> str | None:
        """The cursor to resume from: `after`, unless the connection has another one for this operation."""


@dataclass(frozen=True, slots=True)
class Rendering(Generic[Event]):
    """Executes and encodes events, all with one context: bytes at once when no field had to wait for anything."""

    context: Any
    render: Callable[[Event], bytes | Awaitable[bytes]]


OpenRendering = Callable[[], AbstractAsyncContextManager[Rendering[Event]]]
"""Opens a rendering for a few events: what they read is read once, and let go at the end."""


class SharedSubscription(ABC, Generic[Event]):
    """What the resolver of a subscription returns: its events depend on its arguments and the scope alone."""

    @abstractmethod
    def source(self, rendering: OpenRendering[Event]) -> EventSource:
        """The events, each rendered by `rendering`. Raises RequestError when the scope may not see them."""

    def __aiter__(self) -> NoReturn:
        """Never called: graphql-core wants to see an AsyncIterable."""
        raise TypeError("A SharedSubscription is read by its group.")


async def subscribe(
    schema: Schema, context: SubscriptionContext, request: OperationRequest, listener: Listener
) -> Callable[[], None]:
    """Have the events of a subscription sent to a listener, from its cursor on; answers how it leaves.

    The document is one that `Schema.check` has let pass. Waits while the database is away. Raises OperationRefused when
    the operation cannot begin, and RequestError when the subscriber may not see it, the cursor cannot be honoured, or
    there are too many groups.
    """
    plan = _plan_of(schema, request)
    scope, owner = await until_available(context.authorize)
    after = plan.after(request.variables)
    if not plan.takes(after):
        _build(schema, None, request)  # which says what is wrong with it
        raise OperationRefused([refusal(f"`{CURSOR}` must be a string.")])
    key = (plan.key, request.operation_name, canonical(request.variables, without=plan.variable), scope)

    def make_source() -> EventSource:
        return _source(schema, context.as_scope(scope), request)

    return await context.groups.join(key, make_source, listener, owner=owner, after=context.resumed(after))


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a document says from which cursor its subscription resumes, and the text that is alike without it."""

    key: str
    """The document, cursors that are written into it cut out."""
    variable: str | None
    """The variable that holds the cursor and nothing else."""
    given: str | None
    """The name of any variable that holds the cursor."""
    literal: str | None
    """The cursor when no variable holds one."""
    required: bool
    """Whether the variable must be given."""

    def after(self, variables: Mapping[str, Any] | None) -> Any:
        """The cursor, unchecked."""
        return (variables or {}).get(self.given, self.literal) if self.given is not None else self.literal

    def takes(self, after: Any) -> bool:
        """Whether this can be the value of the argument."""
        return isinstance(after, str) or (after is None and not self.required)


def _plan_of(schema: Schema, request: OperationRequest) -> Plan:
    prepared = schema.documents.prepare(request.query)
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
        if len(names) == 1 and _uses(document, given) == 1 + len(cursors):  # its definition, and here
            variable = given
            literals += [default] if isinstance(default, StringValueNode) else []
    return Plan(_without(text, literals), variable, given, literal, required)


def canonical(variables: Mapping[str, Any] | None, *, without: str | None = None) -> bytes:
    """Variables as text that is the same for equal ones."""
    kept = {name: value for name, value in (variables or {}).items() if name != without}
    try:
        return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a number of more than 64 bits
        return json.dumps(kept, sort_keys=True).encode()


def _build(schema: Schema, context: Any, request: OperationRequest) -> Executor[Any]:
    """What runs the operation; raises OperationRefused when its variables are wrong."""
    document = schema.documents.prepare(request.query).document
    assert document is not None
    executor = schema.execution.build(
        schema.core,
        document,
        context_value=context,
        raw_variable_values=request.variables,
        operation_name=request.operation_name,
    )
    if isinstance(executor, list):
        raise _refused(schema, executor, context, request)
    return executor


def _refused(schema: Schema, errors: list[GraphQLError], context: Any, request: OperationRequest) -> OperationRefused:
    told = schema.told(PreExecutionError(None, errors), context, request.operation_name)
    return OperationRefused(told.errors or [])


def _source(schema: Schema, context: SharedContext, request: OperationRequest) -> EventSource:
    """What a group of this operation is sent; raises OperationRefused."""
    executor = _build(schema, context, request)
    subscription = create_source_event_stream(executor)
    if isinstance(subscription, ExecutionResult):
        raise _refused(schema, subscription.errors or [], context, request)
    if not isinstance(subscription, SharedSubscription):
        raise TypeError("The resolver of a subscription returns a SharedSubscription.")
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
            told = schema.told(Result(result.data, result.errors, result.extensions), context, operation_name)
            return orjson.dumps(process_result(told))

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
    """Raise what says nothing about the document: an event that could not be rendered must not be taken for one."""
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
    """The fields at the top, those in fragments included; each fragment is looked at once."""
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
    """The document's text with these values blanked."""
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
