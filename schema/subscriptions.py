"""Subscriptions: each change of a day, once and in order; and the day's state."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Annotated, cast

import strawberry

from memberstaff.access import Right
from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import Change
from memberstaff.engine.shared_subscriptions import OpenRendering, SharedSubscription
from memberstaff.live.sources import DayChanges, DayStates, RenderChange

from .context import Context, Info
from .entities import Attendance, AttendanceDay
from .scope import StaffScope

Date = Annotated[
    dt.date | None,
    strawberry.argument(
        description=(
            "The day. Default: today in the organisation's time zone, when it begins; it stays with that day after "
            "midnight."
        )
    ),
]
"""The argument of every subscription."""


@strawberry.type(description="All subscriptions.")
class Subscription:
    """Root fields about a day."""

    @strawberry.subscription(
        description=(
            "The changes of a day's records after the cursor, or without one from now on: each once, in order. "
            "RESTART_REQUIRED if the cursor cannot be resumed from, such as that of another day: query the day again, "
            "and subscribe from its feedCursor. An event is the record as this change left it; its `staff`, `day` and "
            "`history` may be newer."
        )
    )
    def attendance_updated(
        self,
        info: Info,
        date: Date = None,
        scope: Annotated[
            StaffScope | None, strawberry.argument(description="Only changes of these people. Default: of everybody.")
        ] = None,
        after: Annotated[  # noqa: ARG002 - differs by subscriber: `subscribe` passes it to the group
            str | None,
            strawberry.argument(
                description=(
                    "The `feedCursor` of the board or of the last event: what came after it is sent first. Default: "
                    "only what comes from now on."
                )
            ),
        ] = None,
    ) -> AsyncIterable[Attendance]:
        on = date or info.context.today
        return cast("AsyncIterable[Attendance]", AttendanceUpdated(info.context, on, scope))

    @strawberry.subscription(
        description=(
            "The day's state, now and after each change of its counts, lock, label, working day or roster. Changes "
            "in quick succession may be coalesced: the last one is always sent."
        )
    )
    def attendance_day_updated(self, info: Info, date: Date = None) -> AsyncIterable[AttendanceDay]:
        return cast("AsyncIterable[AttendanceDay]", AttendanceDayUpdated(info.context, date or info.context.today))


class _InScope:
    """Whether a change is in the scope; raises Refusal for an invalid id."""

    def __init__(self, scope: StaffScope | None) -> None:
        self._staff_ids = scope.numbers() if scope else None
        self._categories = scope.categories if scope else None

    def __call__(self, change: Change) -> bool:
        return (self._staff_ids is None or change.staff_id in self._staff_ids) and (
            self._categories is None or change.staff_category in self._categories
        )


class AttendanceUpdated(SharedSubscription[Attendance]):
    """The changes of a day in the scope."""

    def __init__(self, context: Context, date: dt.date, scope: StaffScope | None) -> None:
        self._context = context
        self._date = date
        self._scope = scope

    def source(self, rendering: OpenRendering[Attendance]) -> DayChanges:
        """The day's changes, filtered after the feed, since positions count every change."""
        self._context.reader.require(Right.READ)
        hidden = self._context.hidden
        in_scope = _InScope(self._scope)

        @asynccontextmanager
        async def render_changes() -> AsyncIterator[RenderChange]:
            async with rendering() as opened:

                def render(cursor: Cursor, change: Change) -> bytes | Awaitable[bytes] | None:
                    return opened.render(Attendance.of_change(change, cursor, hidden)) if in_scope(change) else None

                yield render

        application = self._context.application
        return DayChanges(application.feed, self._date, render_changes, application.renderings)


class AttendanceDayUpdated(SharedSubscription[AttendanceDay]):
    """The state of a day."""

    def __init__(self, context: Context, date: dt.date) -> None:
        self._context = context
        self._date = date

    def source(self, rendering: OpenRendering[AttendanceDay]) -> DayStates:
        """The day's states, read again after each change."""
        self._context.reader.require(Right.READ)

        async def render() -> bytes:
            async with rendering() as opened:
                payload = opened.render(AttendanceDay.of(await opened.context.load.day.load(self._date)))
                return payload if isinstance(payload, bytes) else await payload

        return DayStates(self._context.application.feed, self._date, render)
