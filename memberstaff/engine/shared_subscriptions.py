"""Which subscriptions are equal, so that their events are executed and encoded once for all of them.

Equal are those with the same document, operation, variables (but for the cursor to resume from) and role. That is
enough, because what a source offers to groups depends on nothing else: see docs/decisions/0008-rendering-once.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    create_source_event_stream,
    execute_subscription_event,
    visit,
)
from graphql.execution import Executor
from strawberry.http import process_result
from strawberry.types.execution import ExecutionResult as Told

from memberstaff.engine.request import OperationRequest
from memberstaff.engine.schema import Execution, Schema
from memberstaff.errors import Refusal
from memberstaff.fanout.subscriber_group import EventSource, Listener
from schema.context import Context

CURSOR = "after"
"""The argument that says where a subscription resumes."""


class NotShared(Exception):
    """The operation is to be served alone."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """Executes and encodes events, all with one context."""

    context: Context
    render: Callable[[Any], bytes | Awaitable[bytes]]


Renderer = Callable[[], AbstractAsyncContextManager[Rendering]]
"""Opens a rendering for a few events: what they read is read once, and let go at the end."""


@runtime_checkable
class Shareable(Protocol):
    """A subscription's source whose events depend on nothing but its arguments and the caller's role."""

    def rendered(self, renderer: Renderer) -> EventSource:
        """The events as groups are shown them; raises RequestError when the role may not see them."""


def cursor_variable(document: DocumentNode, operation_name: str | None) -> str | None:
    """The variable that holds the cursor and does nothing else; None when there is no cursor.

    Raises NotShared for anything but a subscription of one plain field, and for a cursor that is written out, has a
    default or is used elsewhere as well: it would then be part of what makes subscriptions equal.
    """
    operation = _operation(document, operation_name)
    fields = operation.selection_set.selections
    if operation.operation is not OperationType.SUBSCRIPTION or len(fields) != 1:
        raise NotShared
    [field] = fields
    if not isinstance(field, FieldNode) or field.directives or operation.directives:
        raise NotShared
    given = next((argument.value for argument in field.arguments or () if argument.name.value == CURSOR), None)
    if given is None:
        return None
    if not isinstance(given, VariableNode):
        raise NotShared
    name = given.name.value
    defaults = {each.variable.name.value: each.default_value for each in operation.variable_definitions or ()}
    if defaults.get(name) is not None or _uses(document, name) != 2:  # its definition, and here
        raise NotShared
    return name


def canonical(variables: Mapping[str, Any] | None, without: str | None) -> bytes:
    """Variables as text that is the same for equal ones; raises NotShared when there is no such text."""
    try:
        kept = {name: value for name, value in (variables or {}).items() if name != without}
        return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):
        raise NotShared from None


async def join(schema: Schema, context: Context, request: OperationRequest, listener: Listener) -> Callable[[], None]:
    """Let a subscriber listen to the group of its equals; answers how it leaves.

    Raises NotShared when it has none, and RequestError when it may not, or its cursor cannot be honoured.
    """
    prepared = schema.documents.prepare(request.query)
    if prepared.document is None or prepared.introspects:
        raise NotShared
    variable = cursor_variable(prepared.document, request.operation_name)
    after = (request.variables or {}).get(variable) if variable else None
    if after is not None and not isinstance(after, str):
        raise NotShared
    variables = canonical(request.variables, without=variable)
    caller = await context.admitted()
    key = (request.query, request.operation_name, variables, caller.role)
    groups = context.application.groups
    group = groups.find(key)
    if group is None:
        if not groups.has_room(caller.account_id):
            raise NotShared
        events = _events(schema, context.of_group(caller.role), prepared.document, request)
        group = groups.begin(key, events, caller.account_id)
    member = await group.join(listener, context.resumed(after))
    return partial(group.leave, member)


def _events(schema: Schema, context: Context, document: DocumentNode, request: OperationRequest) -> EventSource:
    """What a group of this operation is shown; raises NotShared when the operation cannot run."""
    executor = Execution.build(
        schema._schema,  # noqa: SLF001 - Strawberry has no public name for it
        document,
        context_value=context,
        raw_variable_values=request.variables,
        operation_name=request.operation_name,
    )
    if isinstance(executor, list):
        raise NotShared
    source = create_source_event_stream(executor)
    if not isinstance(source, Shareable):
        raise NotShared
    try:
        return source.rendered(_renderer(schema, executor, context, request.operation_name))
    except Refusal:
        raise NotShared from None  # its own run says what is wrong with it


def _renderer(schema: Schema, executor: Executor[Any], model: Context, operation_name: str | None) -> Renderer:
    @asynccontextmanager
    async def rendering() -> AsyncIterator[Rendering]:
        context = model.fresh()

        def encoded(result: ExecutionResult) -> bytes:
            told = schema.told(Told(result.data, result.errors, result.extensions), context, operation_name)
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


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation that would run; raises NotShared when the name does not decide that."""
    found = [
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode) and (name is None or (node.name and node.name.value == name))
    ]
    if len(found) != 1:
        raise NotShared
    return found[0]


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
