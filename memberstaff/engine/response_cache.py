"""Answers to the question that everybody asks in the morning, the board of a day, kept while the day has not changed.

A query is kept when all that it shows depends on one day, its arguments and the caller's role. Each request is checked
against the database, so a client always reads its own writes: see docs/decisions/0009-kept-answers.md.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
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

from memberstaff.access import Role
from memberstaff.attendance.day_version import Version
from memberstaff.engine.request import OperationRequest
from memberstaff.engine.schema import Schema
from memberstaff.engine.shared_subscriptions import NotShared, canonical
from memberstaff.fanout.byte_lru import ByteLRU
from schema.context import Context

FIELD = "attendanceDay"
OF_A_DAY = {
    "AttendanceDay",
    "DaySummary",
    "AttendanceConnection",
    "AttendanceEdge",
    "Attendance",
    "AttendanceRevisionConnection",
    "AttendanceRevisionEdge",
    "AttendanceRevision",
    "PageInfo",
    "Staff",
}
"""Types all of whose fields depend on the day, the roster and the caller's role, but for `OF_MORE`."""
OF_MORE = {("Staff", "attendance")}

Key = tuple[str, str | None, bytes, Role, Version]


class ResponseCache:
    """Whole answers as they are sent, by everything that they depend on."""

    def __init__(self, schema: Schema, kept: ByteLRU[Any]) -> None:
        self._schema = schema
        self.kept = kept
        self._under_way: dict[Key, asyncio.Future[bytes | None]] = {}
        self._plan = lru_cache(1_000)(self._make_plan)

    async def answer(self, context: Context, request: OperationRequest) -> bytes | None:
        """The answer to a query that is kept, rendered now if need be; None for what has to be executed."""
        prepared = self._schema.documents.prepare(request.query)
        if prepared.document is None or prepared.introspects:
            return None
        try:
            day = self._plan(request.query, request.operation_name).day(request.variables)
            variables = canonical(request.variables, without=None)
        except NotShared:
            return None
        application = context.application
        claims = await application.accounts.claims(context.connection.authorization)
        caller, version = await application.day_versions.ask(claims, day)
        context.admit(caller)
        key = (request.query, request.operation_name, variables, caller.role, version)
        while True:
            if (kept := self.kept.get(key)) is not None:
                return kept
            if (other := self._under_way.get(key)) is None:
                return await self._render(key, caller.account_id, context, request, named=day is not None)
            await asyncio.wait({other})  # whoever asked the same has begun to render it
            if (answer := other.result()) is not None:
                return answer

    async def _render(
        self, key: Key, account_id: int | None, context: Context, request: OperationRequest, *, named: bool
    ) -> bytes | None:
        version, answer = key[-1], None
        future = self._under_way[key] = asyncio.get_running_loop().create_future()
        try:
            result = await self._schema.execute(
                request.query,
                variable_values=request.variables,
                context_value=context,
                operation_name=request.operation_name,
            )
            # Midnight may have passed since the question; whoever asks for today then asks about another day.
            if not result.errors and (named or (await context.snapshot()).today == version.date):
                body = orjson.dumps(process_result(result))
                # Kept under what this very answer shows, which may be newer than what was asked for.
                day = await context.load.day.load(version.date)
                shown = Version(day.epoch, day.date, day.position, day.day_version, day.roster_version)
                self.kept.put((*key[:-1], shown), body, account_id)
                answer = body
        finally:
            del self._under_way[key]
            future.set_result(answer)
        return answer

    def _make_plan(self, query: str, operation_name: str | None) -> Plan:
        """How a document's day is found; raises NotShared when it shows more than a day."""
        document = self._schema.documents.prepare(query).document
        assert document is not None
        return plan(self._schema.documents.schema, document, operation_name)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a query says which day it is about: in a variable, in a literal, or nowhere, which is today."""

    variable: str | None
    literal: str | None

    def day(self, variables: Mapping[str, Any] | None) -> dt.date | None:
        """The day; None is today. Raises NotShared for what is no date: running it says so."""
        text = (variables or {}).get(self.variable) if self.variable else self.literal
        if text is None:
            return None
        try:
            return dt.date.fromisoformat(text)
        except (TypeError, ValueError):
            raise NotShared from None


def plan(schema: GraphQLSchema, document: DocumentNode, operation_name: str | None) -> Plan:
    """The plan for a document; raises NotShared unless it is one query of one day and shows nothing else."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation is not OperationType.QUERY:
        raise NotShared
    [operation] = operations
    if operation_name is not None and (operation.name is None or operation.name.value != operation_name):
        raise NotShared
    info = TypeInfo(schema)
    seen = _Fields(info)
    visit(document, TypeInfoVisitor(info, seen))
    fields = operation.selection_set.selections
    if not seen.of_a_day or len(fields) != 1 or not isinstance(fields[0], FieldNode):
        raise NotShared
    date = next((argument for argument in fields[0].arguments or () if argument.name.value == "date"), None)
    return _plan(
        date, {each.variable.name.value for each in operation.variable_definitions or () if each.default_value}
    )


def _plan(date: ArgumentNode | None, defaults: set[str]) -> Plan:
    value = date.value if date is not None else None
    if value is None or isinstance(value, NullValueNode):
        return Plan(None, None)
    if isinstance(value, StringValueNode):
        return Plan(None, value.value)
    if isinstance(value, VariableNode) and value.name.value not in defaults:
        return Plan(value.name.value, None)
    raise NotShared


class _Fields(Visitor):
    """Looks at every field of a document, in fragments too."""

    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info
        self.of_a_day = True

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent = self._info.get_parent_type()
        owner, name = get_named_type(parent).name if parent else "", node.name.value
        if owner == "Query":
            self.of_a_day &= name == FIELD
        else:
            self.of_a_day &= owner in OF_A_DAY and (owner, name) not in OF_MORE
