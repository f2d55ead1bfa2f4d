"""The schema: all queries, mutations and subscriptions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import strawberry
from strawberry.schema.config import StrawberryConfig

from memberstaff.access import Right
from memberstaff.accounts import directory
from memberstaff.attendance import queries, reasons
from memberstaff.db import audit
from memberstaff.engine.limits import Limits
from memberstaff.engine.schema import Schema, build_schema
from memberstaff.errors import Refusal

from .accounts import Account, AccountsMutation, AccountsQuery
from .attendance import AttendanceMutation, AttendanceQuery, ClockAheadError, VersionConflictError, find_attendance
from .audit import AuditQuery, audit_entries
from .context import Info
from .counts import DaySummary, StatusCounts
from .days import DaysMutation, DaysQuery
from .entities import AttendanceDay
from .ids import day, number, read
from .payloads import InputError
from .people import Staff
from .reasons import Reason, ReasonsMutation, ReasonsQuery
from .relay import Node
from .reports import ReportsQuery
from .revisions import NEWEST, AttendanceRevision
from .scalars import SCALARS
from .sessions import SessionsMutation, SessionsQuery, Viewer
from .staff import StaffMutation, StaffQuery
from .subscriptions import Subscription


@strawberry.type
class NodeQuery:
    """Root fields about ids."""

    @strawberry.field(description="The object with this id; null if there is none.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Of any object that implements Node.")],
    ) -> Node | None:
        await info.context.caller()
        try:
            type_name, key = read(id)
            find = NODES.get(type_name)
            return await find(info, key) if find else None
        except Refusal:
            return None


async def _staff(info: Info, key: list[str]) -> Node | None:
    person = await info.context.load.person.load(number(key))
    return Staff.of(person) if person is not None and person.name is not None else None


async def _attendance(info: Info, key: list[str]) -> Node | None:
    return await find_attendance(info, number(key[:1]), day(key[1:]))


async def _day(info: Info, key: list[str]) -> Node | None:
    return AttendanceDay.of(await info.context.load.day.load(day(key)))


async def _summary(info: Info, key: list[str]) -> Node | None:
    load, date = info.context.load, day(key)
    return DaySummary.of(await load.summary.load(date), await load.day.load(date))


async def _revision(info: Info, key: list[str]) -> Node | None:
    if len(key) != 3 or (version := number(key[2:])) >= NEWEST:
        return None
    found = await queries.revision(await info.context.snapshot(), number(key[:1]), day(key[1:2]), version)
    return AttendanceRevision.of(found) if found else None


async def _account(info: Info, key: list[str]) -> Node | None:
    snapshot = await info.context.snapshot()
    if not snapshot.reader.may(Right.MANAGE_ACCOUNTS):
        return None
    found = await directory.by_id(snapshot, number(key))
    return Account.of(found) if found else None


async def _audit_entry(info: Info, key: list[str]) -> Node | None:
    snapshot = await info.context.snapshot()
    if not snapshot.reader.may(Right.READ_AUDIT):
        return None
    found = await audit.by_id(snapshot, number(key))
    return (await audit_entries(snapshot, [found]))[0] if found else None


async def _reason(info: Info, key: list[str]) -> Node | None:
    wanted = number(key)
    found = await reasons.all_reasons(await info.context.snapshot())
    return next((Reason.of(each) for each in found if each.id == wanted), None)


async def _viewer(info: Info, key: list[str]) -> Node | None:
    caller = await info.context.caller()
    return Viewer.of(info, caller) if caller.account_id == number(key) else None


NODES: dict[str, Callable[[Info, list[str]], Awaitable[Node | None]]] = {
    "Staff": _staff,
    "Attendance": _attendance,
    "AttendanceDay": _day,
    "DaySummary": _summary,
    "AttendanceRevision": _revision,
    "Reason": _reason,
    "Viewer": _viewer,
    "Account": _account,
    "AuditEntry": _audit_entry,
}


DESCRIPTION = """Staff attendance, shown live.

Query a day with `attendanceDay`, then subscribe to `attendanceUpdated` with `after` set to the `feedCursor` in the
answer: every later change arrives once, in order, also over lost connections. What is not live says so, and what tells
when to refetch it.

A field of Query or Mutation is null where it has failed, and the error has its name in `path`; the other fields are not
affected. `extensions.code` of an error says why: UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED, RESTART_REQUIRED,
UNAVAILABLE, BAD_REQUEST, PERSISTED_QUERY_NOT_SUPPORTED or INTERNAL. What is wrong with the input of a mutation is in
the `errors` of its payload.

Inputs keep what they leave out. Ids and cursors are opaque."""


@strawberry.type(description="All queries. A field that fails is null, beside an error; the others are not affected.")
class Query(
    SessionsQuery,
    AccountsQuery,
    AuditQuery,
    DaysQuery,
    AttendanceQuery,
    ReportsQuery,
    StaffQuery,
    ReasonsQuery,
    NodeQuery,
):
    """Root fields by subject."""


@strawberry.type(
    description=(
        "All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an "
        "error, and takes nothing back that another has done."
    )
)
class Mutation(SessionsMutation, AccountsMutation, DaysMutation, AttendanceMutation, StaffMutation, ReasonsMutation):
    """Root fields by subject."""


def make_schema(limits: Limits, *, suggestions: bool = False) -> Schema:
    """The schema with these limits; `suggestions` is as in `build_schema`."""
    return build_schema(
        Query,
        Mutation,
        Subscription,
        limits=limits,
        suggestions=suggestions,
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=not suggestions),
        types=[InputError, VersionConflictError, ClockAheadError, StatusCounts],
        description=DESCRIPTION,
    )
