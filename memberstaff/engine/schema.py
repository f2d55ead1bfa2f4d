"""The schema that is served: prepared documents, errors in our words, nothing kept between events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLOutputType, GraphQLSchema, OperationDefinitionNode
from graphql.execution import Executor
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.execution import ExecutionContext, ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from memberstaff.engine.documents import Documents
from memberstaff.engine.fast_completion import Complete, FallBack, compiled
from memberstaff.engine.limits import Limits
from memberstaff.engine.masking import NO_REQUEST, present, refusal, told
from memberstaff.errors import RequestErrorCode

EVERY_OPERATION = frozenset(OperationType)

Compiled = dict[tuple[GraphQLOutputType, tuple[int, ...]], Complete | None]
"""Functions by type and nodes; the nodes live as long as their document does."""


class Execution(StrawberryGraphQLCoreExecutionContext):
    """Completes plain selections by compiled functions, and forgets a subscription's events.

    graphql-core 3.3.2 shares one dict of collected fields between the executors of a subscription's events,
    keyed by the id() of lists that each event builds anew: 0.8 KB a level, event and subscriber, for ever.
    """

    documents: Documents
    """Of the schema that is executed; each schema has a subclass of its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.middleware_manager is not None and not self.middleware_manager.middlewares:
            self.middleware_manager = None  # Strawberry makes one also when no extension resolves anything
        self._compiled = self._shared() if "@" not in _text(self.operation) else {}

    def _shared(self) -> Compiled:
        """What is compiled for this operation, for all who run it: without directives, variables choose no fields."""
        prepared = self.documents.of_operation(self.operation)
        compiled: Compiled = {} if prepared is None else prepared.derived.setdefault(Execution, {})
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


class OperationRefused(Exception):
    """The operation may not run, for these reasons."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors


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
    """A Strawberry schema whose operations keep the limits and tell errors as clients may see them.

    Queries and mutations run by `execute`; subscriptions by `shared_subscriptions.subscribe`, which renders each event
    once for all equal ones. The context of an operation has `request_id: str` and `async may_introspect() -> bool`;
    without the first the reference in an error is "none", without the second introspection is refused.
    """

    def __init__(self, *arguments: Any, limits: Limits, suggestions: bool = False, **options: Any) -> None:
        class Bound(Execution):
            """Knows the documents of this schema."""

        super().__init__(*arguments, **{**options, "execution_context_class": Bound})
        self.suggestions = suggestions
        self.execution: type[Execution] = Bound
        self.documents = Bound.documents = Documents(self._schema, limits, suggestions=suggestions)

    @property
    def core(self) -> GraphQLSchema:
        """As graphql-core knows it; Strawberry has no public name for it."""
        return self._schema

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
        """Run a query or a mutation; raises InvalidOperationTypeError for one of a type that is not allowed.

        A result that is a PreExecutionError says that the operation never ran.
        """
        try:
            await self.check(query, operation_name, context_value, allowed_operation_types)
        except OperationRefused as refused:
            return PreExecutionError(None, refused.errors)
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

    def told(self, result: ExecutionResult, context: Any, operation: str | None) -> ExecutionResult:
        """A result as a client may see it; what was not meant for it is logged."""
        return told(result, _reference(context), operation, suggestions=self.suggestions)

    async def check(
        self,
        query: str | None,
        operation_name: str | None,
        context: Any,
        allowed: Iterable[OperationType] | None = None,
    ) -> OperationType:
        """The type of the operation that would run.

        Raises OperationRefused when it may not, and InvalidOperationTypeError when its type is not among `allowed`.
        """
        if not query:
            raise OperationRefused([refusal("The request holds no query.")])
        prepared = self.documents.prepare(query)
        if prepared.errors:
            errors = present(prepared.errors, _reference(context), operation_name, suggestions=self.suggestions)
            raise OperationRefused(errors)
        operation = prepared.operation(operation_name)
        if isinstance(operation, GraphQLError):
            raise OperationRefused([operation])
        if allowed is not None and operation not in set(allowed):
            raise InvalidOperationTypeError(operation)
        if prepared.introspects:
            await self._require_introspection(context, operation_name)
        return operation

    async def _require_introspection(self, context: Any, operation_name: str | None) -> None:
        ask = getattr(context, "may_introspect", None)
        try:
            if ask is not None and await ask():
                return
        except Exception as error:
            failed = GraphQLError(str(error), original_error=error)
            raise OperationRefused(present([failed], _reference(context), operation_name)) from error
        raise OperationRefused(
            [refusal("Introspection is off here; an administrator may use it.", code=RequestErrorCode.FORBIDDEN)]
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
        **options,
    )


def _text(operation: OperationDefinitionNode) -> str:
    return operation.loc.source.body if operation.loc else "@"


def _reference(context: Any) -> str:
    return getattr(context, "request_id", None) or NO_REQUEST
