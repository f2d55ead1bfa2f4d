"""The schema that is served: prepared documents, errors in our words, nothing kept between events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLOutputType, OperationDefinitionNode
from graphql.execution import Executor
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext, StreamResult
from strawberry.types.execution import ExecutionContext, ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType
from strawberry.utils.aio import aclosing

from memberstaff.engine.documents import Documents
from memberstaff.engine.fast_completion import Complete, FallBack, compiled
from memberstaff.engine.limits import Limits
from memberstaff.engine.masking import NO_REQUEST, present, refusal, told
from memberstaff.errors import RequestErrorCode

EVERY_OPERATION = frozenset(OperationType)

Compiled = dict[tuple[GraphQLOutputType, tuple[int, ...]], Complete | None]
"""Functions by type and nodes; the nodes live as long as their operation does."""

MOST_COMPILED = 100
"""Operations whose functions are kept, some ten kilobytes each; the oldest are compiled again."""

_COMPILED: OrderedDict[int, tuple[OperationDefinitionNode, Compiled]] = OrderedDict()


class Execution(StrawberryGraphQLCoreExecutionContext):
    """Completes plain selections by compiled functions, and forgets a subscription's events.

    graphql-core 3.3.2 shares one dict of collected fields between the executors of a subscription's events,
    keyed by the id() of lists that each event builds anew: 0.8 KB a level, event and subscriber, for ever.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.middleware_manager is not None and not self.middleware_manager.middlewares:
            self.middleware_manager = None  # Strawberry makes one also when no extension resolves anything
        self._compiled = self._shared() if "@" not in _text(self.operation) else {}

    def _shared(self) -> Compiled:
        """What is compiled for this operation, for all who run it: without directives, variables choose no fields."""
        operation, compiled = _COMPILED.get(id(self.operation), (None, {}))
        if operation is not self.operation:
            _COMPILED[id(self.operation)] = (self.operation, compiled := {})
            while len(_COMPILED) > MOST_COMPILED:
                _COMPILED.popitem(last=False)
        return compiled

    def build_per_event_executor(self, payload: Any) -> Executor[Any]:
        """An executor that starts with nothing remembered."""
        executor = super().build_per_event_executor(payload)
        executor._relevant_sub_fields = {}  # noqa: SLF001 - no public name; a test shows what it saves
        return executor

    def complete_list_value(self, return_type: Any, field_details_list: Any, *arguments: Any) -> Any:
        """A list, by a compiled function if its items are plain."""
        return self._complete(return_type, field_details_list, super().complete_list_value, *arguments)

    def complete_object_value(self, return_type: Any, field_details_list: Any, *arguments: Any) -> Any:
        """An object, by a compiled function if it is plain."""
        return self._complete(return_type, field_details_list, super().complete_object_value, *arguments)

    def _complete(
        self,
        type_: Any,
        details: Any,
        otherwise: Callable[..., Any],
        info: Any,
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        key = (type_, tuple(id(each.node) for each in details))
        try:
            complete = self._compiled[key]
        except KeyError:
            plain = self.middleware_manager is None and not any(each.fragment_variable_values for each in details)
            complete = self._compiled[key] = compiled(self, type_, details) if plain else None
        if complete is not None:
            try:
                return complete(result)
            except FallBack:
                pass
        return otherwise(type_, details, info, path, result, position_context)


class UsePrepared(SchemaExtension):
    """Hands Strawberry the document that `Schema` has prepared, in place of parsing and validating it again."""

    def on_parse(self) -> Iterator[None]:
        """Set the document, so that it is not parsed."""
        execution = self.execution_context
        served = execution.schema
        if isinstance(served, Schema) and execution.query:
            execution.graphql_document = served.documents.prepare(execution.query).document
        yield

    def on_validate(self) -> Iterator[None]:
        """Say that nothing was wrong with it, so that it is not validated."""
        execution = self.execution_context
        if execution.graphql_document is not None and isinstance(execution.schema, Schema):
            execution.pre_execution_errors = execution.pre_execution_errors or []
        yield


class Schema(strawberry.Schema):
    """A Strawberry schema whose `execute` and `stream` keep the limits and tell errors as clients may see them.

    The context of an operation has `request_id: str` and `async may_introspect() -> bool`; without the first
    the reference in an error is "none", without the second introspection is refused. A result that is a
    PreExecutionError ends the operation: it never ran, or its source raised.
    """

    def __init__(self, *arguments: Any, limits: Limits, suggestions: bool = False, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.suggestions = suggestions
        self.documents = Documents(self._schema, limits, suggestions=suggestions)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing: Strawberry would log each error with the document; `told` logs those that are our fault."""

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Run a query or a mutation; raises InvalidOperationTypeError for one of a type that is not allowed."""
        if refused := await self._refused(query, operation_name, context_value, allowed_operation_types):
            return refused
        result = await super().execute(
            query,
            variable_values,
            context_value,
            root_value,
            operation_name,
            EVERY_OPERATION,
            operation_extensions,
        )
        return self.told(result, context_value, operation_name)

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
    ) -> StreamResult:
        """Run any operation and yield its results; never raises for what a client did."""
        try:
            refused = await self._refused(query, operation_name, context_value, allowed_operation_types)
        except InvalidOperationTypeError as error:
            refused = PreExecutionError(None, [refusal(f"A {error.operation_type.value} may not run here.")])
        if refused:
            return _only(refused)
        results = await super().stream(
            query,
            variable_values,
            context_value,
            root_value,
            operation_name,
            operation_extensions,
            EVERY_OPERATION,
        )
        return self._telling(results, context_value, operation_name)

    async def _telling(self, results: StreamResult, context: Any, operation: str | None) -> StreamResult:
        async with aclosing(results):
            async for result in results:
                yield (self.told(result, context, operation) if isinstance(result, ExecutionResult) else result)

    def told(self, result: ExecutionResult, context: Any, operation: str | None) -> ExecutionResult:
        """A result as a client may see it; what was not meant for it is logged."""
        return told(result, _reference(context), operation, suggestions=self.suggestions)

    async def _refused(
        self,
        query: str | None,
        operation_name: str | None,
        context: Any,
        allowed: Iterable[OperationType] | None,
    ) -> PreExecutionError | None:
        """Why the operation may not run; None when it may."""
        if not query:
            return PreExecutionError(None, [refusal("The request holds no query.")])
        prepared = self.documents.prepare(query)
        if prepared.errors:
            errors = present(prepared.errors, _reference(context), operation_name, suggestions=self.suggestions)
            return PreExecutionError(None, errors)
        operation = prepared.operation(operation_name)
        if isinstance(operation, GraphQLError):
            return PreExecutionError(None, [operation])
        if allowed is not None and operation not in set(allowed):
            raise InvalidOperationTypeError(operation)
        if prepared.introspects:
            return await self._may_not_introspect(context, operation_name)
        return None

    async def _may_not_introspect(self, context: Any, operation_name: str | None) -> PreExecutionError | None:
        ask = getattr(context, "may_introspect", None)
        try:
            if ask is not None and await ask():
                return None
        except Exception as error:
            failed = GraphQLError(str(error), original_error=error)
            return PreExecutionError(None, present([failed], _reference(context), operation_name))
        return PreExecutionError(
            None,
            [refusal("Introspection is off here; an administrator may use it.", code=RequestErrorCode.FORBIDDEN)],
        )


def build_schema(
    query: type,
    mutation: type | None = None,
    subscription: type | None = None,
    *,
    limits: Limits,
    suggestions: bool = False,
    config: StrawberryConfig | None = None,
    **options: Any,
) -> Schema:
    """The schema to serve; `options` go to strawberry.Schema (types, scalar_overrides, …).

    `suggestions` lets error messages propose names that exist: for demo mode, since they spell out the schema.
    """
    return Schema(
        query,
        mutation,
        subscription,
        limits=limits,
        suggestions=suggestions,
        config=config,
        extensions=[UsePrepared],
        execution_context_class=Execution,
        **options,
    )


def _text(operation: OperationDefinitionNode) -> str:
    return operation.loc.source.body if operation.loc else "@"


def _reference(context: Any) -> str:
    return getattr(context, "request_id", None) or NO_REQUEST


async def _only(result: ExecutionResult) -> AsyncGenerator[ExecutionResult, None]:
    yield result
