"""The schema that is served: prepared documents, compiled selections, masked errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import strawberry
from graphql import ExecutionResult as CoreResult
from graphql import (
    GraphQLError,
    GraphQLOneOfDirective,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    execute,
    lexicographic_sort_schema,
    print_directive,
    print_schema,
)
from graphql.execution import Executor
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from memberstaff import tracing
from memberstaff.engine.documents import Documents, Prepared
from memberstaff.engine.fast_completion import Complete, FallBack, compile_selection
from memberstaff.engine.limits import Limits
from memberstaff.engine.masking import NO_REQUEST, graphql_error, mask, mask_errors
from memberstaff.engine.one_of import mark_one_of
from memberstaff.engine.request import OperationRequest
from memberstaff.errors import BadRequest, BadRequestReason, Forbidden, RequestError, Unavailable

DEAR_MUTATION = 100
"""Objects; a mutation whose payload may have more, such as a whole day, takes a turn, as a query does."""

Compiled = dict[tuple[GraphQLOutputType, tuple[int, ...]], Complete | None]
"""Compiled selections by type and node ids; the ids are unique as long as the document is cached."""


class Execution(StrawberryGraphQLCoreExecutionContext):
    """Executes compiled selections, and works around a memory leak of subscriptions.

    graphql-core 3.3.2 shares one dict of collected fields between the executors of a subscription's events, keyed by
    the id() of lists that each event makes anew: 0.8 KB a level, event and subscriber are never freed.
    """

    documents: Documents
    """Of the schema that is executed; each schema sets it on a subclass of its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._compiled = self._shared() if "@" not in _text(self.operation) else {}

    def _shared(self) -> Compiled:
        """The compiled selections of the operation, valid for all requests: no directive makes them vary."""
        prepared = self.documents.of_operation(self.operation)
        compiled: Compiled = {} if prepared is None else prepared.derived.setdefault(Execution, {})
        return compiled

    def build_per_event_executor(self, payload: Any) -> Executor[Any]:
        executor = super().build_per_event_executor(payload)
        executor._relevant_sub_fields = {}  # noqa: SLF001 - no public name; a test shows the leak
        return executor

    def complete_list_value(self, return_type: Any, field_details_list: Any, *arguments: Any) -> Any:
        return self._complete(return_type, field_details_list, super().complete_list_value, *arguments)

    def complete_object_value(self, return_type: Any, field_details_list: Any, *arguments: Any) -> Any:
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
            can_compile = not any(each.fragment_variable_values for each in details)
            complete = self._compiled[key] = compile_selection(self, type_, details) if can_compile else None
        if complete is not None:
            try:
                return complete(result)
            except FallBack:
                pass
        return otherwise(type_, details, info, path, result, position_context)


class OperationRefused(Exception):
    """The operation may not run; `errors` are masked."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors


class Schema(strawberry.Schema):
    """A Strawberry schema that enforces the limits and masks errors.

    `execute` runs queries and mutations; `shared_subscriptions.subscribe` runs subscriptions, rendering each event once
    for all that are equal. A context has `request_id: str`, the reference in errors ("none" without it),
    `async may_introspect() -> bool` (introspection is refused without it), `stranger: RequestError | None`, the
    reason why its sender may send small documents only, which are not cached (none without it), and `turn(ahead)` and
    `turn_to_prepare()`, context managers to run a query in, which may raise Unavailable, and to prepare a document.
    """

    def __init__(
        self, *arguments: Any, limits: Limits, suggestions: bool = False, description: str | None = None, **options: Any
    ) -> None:
        class Bound(Execution):
            """Bound to the documents of this schema."""

        super().__init__(*arguments, **{**options, "execution_context_class": Bound})
        self._schema.description = description
        mark_one_of(self._schema)
        self.suggestions = suggestions
        self.execution: type[Execution] = Bound
        self.documents = Bound.documents = Documents(self._schema, limits, suggestions=suggestions)

    @property
    def core(self) -> GraphQLSchema:
        """The graphql-core schema, for which Strawberry has no public name."""
        return self._schema

    def as_str(self) -> str:
        """The schema in SDL, sorted; with the definition of @oneOf, which tools before September 2025 do not know."""
        types = print_schema(lexicographic_sort_schema(self.core))
        return f"{types}\n\n{print_directive(GraphQLOneOfDirective)}\n"

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
        """Run a query or mutation; raises InvalidOperationTypeError for a type that is not allowed.

        The result is a PreExecutionError if the operation did not run.
        """
        request = OperationRequest(query or "", variable_values, operation_name, operation_extensions)
        return await self.answer(request, context_value, allowed_operation_types, root_value)

    async def answer(
        self,
        request: OperationRequest,
        context: Any,
        allowed: Iterable[OperationType] | None = None,
        root_value: Any | None = None,
    ) -> ExecutionResult:
        """`execute` what a client has sent."""
        try:
            prepared, kind = await self._check(request, context, allowed)
        except OperationRefused as refused:
            return PreExecutionError(None, refused.errors)
        operation = request.operation_name
        with tracing.spans.operation(kind.value, prepared.name(operation)) if tracing.on else tracing.OFF as span:
            result = await self.run(prepared, request.variables, context, root_value, operation)
            if span is not None:
                tracing.spans.answered(span, result.errors or ())
        return result

    async def run(
        self,
        prepared: Prepared,
        variable_values: dict[str, Any] | None,
        context_value: Any | None,
        root_value: Any | None = None,
        operation_name: str | None = None,
    ) -> ExecutionResult:
        """Run an operation that `check` has accepted, of a document that may have left the cache meanwhile.

        With these variables it may be too expensive; the result is then a PreExecutionError.
        """
        cost = prepared.cost(operation_name, variable_values)
        if isinstance(cost, GraphQLError):
            return self.mask(PreExecutionError(None, [cost]), context_value, operation_name)
        is_query = prepared.operation(operation_name) is OperationType.QUERY
        try:
            takes_turn = is_query or cost > DEAR_MUTATION
            async with turn_of(context_value, ahead=not is_query) if takes_turn else nullcontext():
                result = await self._execute(prepared, variable_values, context_value, root_value, operation_name)
        except Unavailable as late:  # its turn did not come
            applied = {} if is_query else {"applied": False}
            error = RequestError(late.code, late.message, **late.extensions, **applied)
            return PreExecutionError(None, [graphql_error(error)])
        return self.mask(result, context_value, operation_name)

    async def _execute(
        self,
        prepared: Prepared,
        variables: dict[str, Any] | None,
        context: Any,
        root_value: Any | None,
        operation_name: str | None,
    ) -> ExecutionResult:
        """Execute what is prepared. Strawberry would run its extensions, of which there are none, around each step."""
        assert prepared.document is not None
        try:
            executed = execute(
                self.core,
                prepared.document,
                root_value,
                context,
                variables,
                operation_name,
                executor_class=self.execution,
            )
            result = executed if isinstance(executed, CoreResult) else await executed
        except Exception as error:  # of graphql-core itself: those of resolvers are in the result
            return PreExecutionError(None, [GraphQLError(str(error), original_error=error)])
        return ExecutionResult(result.data, result.errors)

    def mask(self, result: ExecutionResult, context: Any, operation: str | None) -> ExecutionResult:
        """The result with its errors masked, and internal ones logged."""
        return mask(result, _reference(context), operation, suggestions=self.suggestions)

    async def prepare(self, request: OperationRequest, context: Any) -> Prepared:
        """The request's document, prepared once, in the caller's turn unless it is cached: that may hold the loop."""
        if request.prepared is None:
            query, stranger = request.query, getattr(context, "stranger", None) is not None
            async with nullcontext() if self.documents.is_prepared(query) else _turn_to_prepare(context):
                request.prepared = self.documents.prepare(query, stranger=stranger)
        return request.prepared

    async def check(
        self, request: OperationRequest, context: Any, allowed: Iterable[OperationType] | None = None
    ) -> OperationType:
        """The type of the operation to run.

        Raises OperationRefused if it may not run, and InvalidOperationTypeError if its type is not among `allowed`.
        """
        _, operation = await self._check(request, context, allowed)
        return operation

    async def _check(
        self, request: OperationRequest, context: Any, allowed: Iterable[OperationType] | None
    ) -> tuple[Prepared, OperationType]:
        operation_name = request.operation_name
        if not request.query:
            raise OperationRefused(
                [graphql_error(BadRequest("The request has no query.", BadRequestReason.MALFORMED_REQUEST))]
            )
        stranger: RequestError | None = getattr(context, "stranger", None)
        prepared = await self.prepare(request, context)
        if prepared.needs_login and stranger is not None:
            raise OperationRefused([graphql_error(stranger)])
        if prepared.errors:
            errors = mask_errors(prepared.errors, _reference(context), operation_name, suggestions=self.suggestions)
            raise OperationRefused(errors)
        operation = prepared.operation(operation_name)
        if isinstance(operation, GraphQLError):
            raise OperationRefused([operation])
        if allowed is not None and operation not in set(allowed):
            raise InvalidOperationTypeError(operation)
        if prepared.introspects:
            await self._require_introspection(context, operation_name)
        return prepared, operation

    async def _require_introspection(self, context: Any, operation_name: str | None) -> None:
        ask = getattr(context, "may_introspect", None)
        try:
            if ask is not None and await ask():
                return
        except Exception as error:
            failed = GraphQLError(str(error), original_error=error)
            raise OperationRefused(mask_errors([failed], _reference(context), operation_name)) from error
        message = "Introspection is disabled for your account; administrators may use it."
        raise OperationRefused([graphql_error(Forbidden(message))])


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

    `suggestions` lets error messages suggest existing names ("Did you mean …"), which reveals the schema.
    """
    return Schema(
        query,
        mutation,
        subscription,
        limits=limits,
        suggestions=suggestions,
        config=config,
        **options,
    )


def _text(operation: OperationDefinitionNode) -> str:
    return operation.loc.source.body if operation.loc else "@"


def turn_of(context: Any, *, ahead: bool = False) -> AbstractAsyncContextManager[None]:
    """The turn of an operation's caller; none for whoever renders for others. A mutation's is `ahead` of queries'."""
    turn: Callable[..., AbstractAsyncContextManager[None]] | None = getattr(context, "turn", None)
    return nullcontext() if turn is None else turn(ahead=ahead)


def _turn_to_prepare(context: Any) -> AbstractAsyncContextManager[None]:
    turn: AbstractAsyncContextManager[None] = getattr(context, "turn_to_prepare", nullcontext)()
    return turn


def _reference(context: Any) -> str:
    return getattr(context, "request_id", None) or NO_REQUEST
