"""Caches whole responses to queries whose result depends only on the version of one object and on a scope.

Each request reads the current version from the database, so a client always reads its own writes: see
docs/decisions/0009-response-cache.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import msgspec
from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    NullValueNode,
    OperationDefinitionNode,
    OperationType,
    StringValueNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    get_named_type,
    visit,
)
from strawberry.http import process_result
from strawberry.types.execution import ExecutionResult, PreExecutionError

from memberstaff import metrics, tracing
from memberstaff.engine.documents import Prepared
from memberstaff.engine.request import OperationRequest, digest
from memberstaff.engine.schema import Schema, turn_of
from memberstaff.errors import RequestErrorCode
from memberstaff.fanout.byte_lru import ByteLRU

Key = tuple[bytes, Hashable, Hashable, str]
"""Digest of the request, scope, version, content coding: empty for none."""


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Which queries are cached: those of one root field, with fields that depend only on its argument and the scope."""

    field: str
    argument: str
    """The root field's argument, which identifies the versioned object."""
    types: frozenset[str]
    """Types whose fields depend on nothing but that version and the scope, except those in `excluded`."""
    excluded: frozenset[tuple[str, str]]
    """Pairs of type and field."""


class ScopeContext(Protocol):
    """The context of a shared rendering: resolvers see a scope, and no caller."""

    async def rendered_version(self, version: Any, argument: str | None) -> Hashable | None:
        """The version of the same object that was rendered; None if another object was."""

    async def close(self) -> None:
        """Give back what the rendering held."""


class CacheContext(Protocol):
    """What the cache needs of a request's context."""

    async def version(self, argument: str | None) -> tuple[Hashable, Hashable, Hashable] | None:
        """The caller's scope, the owner that the response counts against, and the object's current version.

        `argument` is the root field's, as the client sent it. None if there is no such object. Raises RequestError.
        """

    def as_scope(self, scope: Any) -> ScopeContext:
        """A context that reads with this scope, and no caller."""


class ContentCoding(Protocol):
    """How a client wants large responses to be encoded, such as compressed."""

    @property
    def name(self) -> str:
        """As in the header Content-Encoding."""

    async def encode(self, body: bytes, owner: Hashable) -> bytes | None:
        """The encoded body; None if it is to be sent as it is."""


class CachedResponse(NamedTuple):
    """A response as JSON."""

    body: bytes
    coding: str | None
    """The content coding of the body."""


class _Rendered(NamedTuple):
    body: bytes
    key: Key | None
    """Under which it is cached; None if it is not."""


class NotCacheable(Exception):
    """The query may depend on more than the version of one object."""


class ResponseCache:
    """Returns cached responses; equal requests that miss at the same time share one rendering, and one encoding.

    An encoded response is an entry of its own, and counts like any other.
    """

    def __init__(self, schema: Schema, cache: ByteLRU[Any], policy: CachePolicy) -> None:
        self.cache = cache
        self._schema = schema
        self._policy = policy
        self._rendering: dict[Key, asyncio.Future[_Rendered | None]] = {}
        self._encoding: dict[Key, asyncio.Future[bytes | None]] = {}

    async def response(
        self, context: CacheContext, request: OperationRequest, coding: ContentCoding | None = None
    ) -> CachedResponse | None:
        """The response; None if the request has to be executed for its caller. Raises RequestError."""
        prepared = await self._schema.prepare(request, context)
        argument = self._argument(request, prepared)
        if isinstance(argument, NotCacheable):
            return None
        name = prepared.name(request.operation_name)
        with tracing.spans.operation("query", name) if tracing.on else tracing.OFF:
            return await self._response(context, request, prepared, argument, coding)

    async def _response(
        self,
        context: CacheContext,
        request: OperationRequest,
        prepared: Prepared,
        argument: Argument,
        coding: ContentCoding | None,
    ) -> CachedResponse | None:
        found = await context.version(argument.value)
        if found is None:
            return None
        scope, owner, version = found
        key = (digest(request.query, request.operation_name, request.variables, without=None), scope, version, "")
        if coding is not None and (encoded := self.cache.get(_encoded_key(key, coding))) is not None:
            metrics.RESPONSE_CACHE.labels("hit").inc()
            return CachedResponse(encoded, coding.name)
        rendered = await self._rendered(key, owner, context, request, prepared, argument.value)
        if rendered is None:
            return None
        encoded = await self._encoded(rendered, owner, coding) if coding is not None else None
        if coding is None or encoded is None:
            return CachedResponse(rendered.body, None)
        return CachedResponse(encoded, coding.name)

    async def _rendered(
        self,
        key: Key,
        owner: Hashable,
        context: CacheContext,
        request: OperationRequest,
        prepared: Prepared,
        argument: str | None,
    ) -> _Rendered | None:
        if (cached := self.cache.get(key)) is not None:
            metrics.RESPONSE_CACHE.labels("hit").inc()
            return _Rendered(cached, key)
        if (other := self._rendering.get(key)) is None:
            async with turn_of(context):
                if (cached := self.cache.get(key)) is not None:
                    metrics.RESPONSE_CACHE.labels("hit").inc()
                    return _Rendered(cached, key)
                # Looked up again: whoever waits for a rendering must not wait for somebody else's turn as well.
                if (other := self._rendering.get(key)) is None:
                    metrics.RESPONSE_CACHE.labels("miss").inc()
                    return await self._render(key, owner, context.as_scope(key[1]), request, prepared, argument)
        metrics.RESPONSE_CACHE.labels("shared").inc()
        await asyncio.wait({other})
        return None if other.cancelled() else other.result()

    async def _encoded(self, rendered: _Rendered, owner: Hashable, coding: ContentCoding) -> bytes | None:
        """The encoded response; None if it is to be sent as it is."""
        if rendered.key is None:
            return await coding.encode(rendered.body, owner)
        key = _encoded_key(rendered.key, coding)
        if (cached := self.cache.get(key)) is not None:
            return cached
        if (other := self._encoding.get(key)) is not None:
            await asyncio.wait({other})
            return other.result()
        encoded = None
        future = self._encoding[key] = asyncio.get_running_loop().create_future()
        try:
            encoded = await coding.encode(rendered.body, owner)
            if encoded is not None:
                self.cache.put(key, encoded, owner)
        finally:
            del self._encoding[key]
            future.set_result(encoded)
        return encoded

    async def _render(
        self,
        key: Key,
        owner: Hashable,
        context: ScopeContext,
        request: OperationRequest,
        prepared: Prepared,
        argument: str | None,
    ) -> _Rendered | None:
        """Render with the scope, never as the caller: a field that needs a caller fails, and nothing is cached."""
        request_digest, scope, version, _ = key
        response = None
        future = self._rendering[key] = asyncio.get_running_loop().create_future()
        try:
            result = await self._schema.run(prepared, request.variables, context, operation_name=request.operation_name)
            shown = await context.rendered_version(version, argument) if _is_same_for_everybody(result) else None
            if shown is not None:
                # Under the version that was rendered, which may be newer than the current one was.
                kept = None if result.errors else (request_digest, scope, shown, "")
                response = _Rendered(msgspec.json.encode(process_result(result)), kept)
                if kept is not None:
                    self.cache.put(kept, response.body, owner)
        finally:
            del self._rendering[key]
            future.set_result(response)
            await context.close()
        return response

    def _argument(self, request: OperationRequest, prepared: Prepared) -> Argument | NotCacheable:
        if prepared.document is None or prepared.introspects:
            return NotCacheable()
        if isinstance(prepared.operation(request.operation_name), GraphQLError):
            return NotCacheable()  # and nothing is derived for a name that the document does not hold
        plan: Plan | NotCacheable | None = prepared.derived.get((ResponseCache, request.operation_name))
        if plan is None:
            try:
                plan = plan_of(self._schema.core, prepared.document, request.operation_name, self._policy)
            except NotCacheable as not_cacheable:
                plan = not_cacheable.with_traceback(None)
            prepared.derived[ResponseCache, request.operation_name] = plan
        return plan if isinstance(plan, NotCacheable) else plan.argument(request.variables)


def _encoded_key(key: Key, coding: ContentCoding) -> Key:
    return (*key[:3], coding.name)


def _is_same_for_everybody(result: ExecutionResult) -> bool:
    """Whether the result is the same for every caller: the operation ran, with no error that is ours."""
    return not isinstance(result, PreExecutionError) and all(
        (error.extensions or {}).get("code") not in {RequestErrorCode.INTERNAL, RequestErrorCode.UNAVAILABLE}
        for error in result.errors or ()
    )


@dataclass(frozen=True, slots=True)
class Argument:
    """The policy's argument in one request; None when omitted or null."""

    value: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a query has the policy's argument: in a variable, in a literal, or nowhere."""

    variable: str | None
    literal: str | None

    def argument(self, variables: Mapping[str, Any] | None) -> Argument | NotCacheable:
        """The argument, given these variables."""
        value = (variables or {}).get(self.variable) if self.variable else self.literal
        return Argument(value) if value is None or isinstance(value, str) else NotCacheable()


def plan_of(schema: GraphQLSchema, document: DocumentNode, operation_name: str | None, policy: CachePolicy) -> Plan:
    """The plan for a document; raises NotCacheable unless it is one query of the policy's field only."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation is not OperationType.QUERY:
        raise NotCacheable
    [operation] = operations
    if operation_name is not None and (operation.name is None or operation.name.value != operation_name):
        raise NotCacheable
    info = TypeInfo(schema)
    seen = _Fields(info, policy)
    visit(document, TypeInfoVisitor(info, seen))
    fields = operation.selection_set.selections
    if not seen.are_covered or len(fields) != 1 or not isinstance(fields[0], FieldNode):
        raise NotCacheable
    given = next((each for each in fields[0].arguments or () if each.name.value == policy.argument), None)
    defaults = {each.variable.name.value for each in operation.variable_definitions or () if each.default_value}
    return _plan(given, defaults)


def _plan(given: ArgumentNode | None, defaults: set[str]) -> Plan:
    value = given.value if given is not None else None
    if value is None or isinstance(value, NullValueNode):
        return Plan(None, None)
    if isinstance(value, StringValueNode):
        return Plan(None, value.value)
    if isinstance(value, VariableNode) and value.name.value not in defaults:
        return Plan(value.name.value, None)
    raise NotCacheable


class _Fields(Visitor):
    """Checks every field of a document against the policy, including those in fragments."""

    def __init__(self, info: TypeInfo, policy: CachePolicy) -> None:
        super().__init__()
        self._info = info
        self._policy = policy
        self.are_covered = True

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent = self._info.get_parent_type()
        owner, name = get_named_type(parent).name if parent else "", node.name.value
        if owner == "Query":
            self.are_covered &= name == self._policy.field
        else:
            self.are_covered &= owner in self._policy.types and (owner, name) not in self._policy.excluded
