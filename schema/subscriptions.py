"""The subscriptions: each change of a day once and in order, and the day's state."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import strawberry

from memberstaff.access import Right
from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import Change
from memberstaff.engine.shared_subscriptions import Renderer
from memberstaff.live.sources import DayChanges, DayStates, RenderChange
from schema.context import Context, Info
from schema.entities import Attendance, AttendanceDay
from schema.scope import StaffScope


@strawberry.type
class Subscription:
    """What a board listens to."""

    @strawberry.subscription(
        description=(
            "Replays what changed after the cursor (without one: from now), then streams: each change once, in order. "
            "A cursor that cannot be honoured ends in RESTART_REQUIRED."
        )
    )
    def attendance_updated(
        self, info: Info, date: dt.date, scope: StaffScope | None = None, after: str | None = None
    ) -> AsyncIterable[Attendance]:
        """Changes of one day, those of the sender included."""
        return Changes(info.context, date, scope, after)

    @strawberry.subscription(
        description=(
            "The day's state at once, then on each change of counters, lock, label or roster: "
            "a state, so it may be coalesced."
        )
    )
    def attendance_day_updated(self, info: Info, date: dt.date) -> AsyncIterable[AttendanceDay]:
        """The latest, whenever there is a later one."""
        return States(info.context, date)


class _InScope:
    """Whether a change is about somebody in the scope; raises Refusal for an id that names nobody."""

    def __init__(self, scope: StaffScope | None) -> None:
        self._staff_ids = scope.numbers() if scope else None
        self._categories = scope.categories if scope else None

    def __call__(self, change: Change) -> bool:
        return (self._staff_ids is None or change.staff_id in self._staff_ids) and (
            self._categories is None or change.staff_category in self._categories
        )


class Changes:
    """The source of attendanceUpdated, for one subscriber or rendered for a group."""

    def __init__(self, context: Context, date: dt.date, scope: StaffScope | None, after: str | None) -> None:
        self._context = context
        self._date = date
        self._scope = scope
        self._after = after

    async def __aiter__(self) -> AsyncGenerator[Attendance, None]:
        context = self._context
        caller = await context.admitted()
        caller.require(Right.READ)
        wanted = _InScope(self._scope)
        async for cursor, change in context.application.feed.changes(self._date, context.resumed(self._after)):
            # Filtered after the feed: a change that this subscriber does not see must still count.
            if wanted(change):
                yield Attendance.of_change(change, cursor, caller)
                await context.renew()

    def rendered(self, renderer: Renderer) -> DayChanges:
        """The same for all members of a group."""
        caller = self._context.member
        caller.require(Right.READ)
        wanted = _InScope(self._scope)

        @asynccontextmanager
        async def rendering() -> AsyncIterator[RenderChange]:
            async with renderer() as opened:

                def render(cursor: Cursor, change: Change) -> bytes | Awaitable[bytes] | None:
                    if not wanted(change):
                        return None
                    return opened.render(Attendance.of_change(change, cursor, caller))

                yield render

        application = self._context.application
        return DayChanges(application.feed, self._date, rendering, application.renderings)


class States:
    """The source of attendanceDayUpdated, for one subscriber or rendered for a group."""

    def __init__(self, context: Context, date: dt.date) -> None:
        self._context = context
        self._date = date

    async def __aiter__(self) -> AsyncGenerator[AttendanceDay, None]:
        context = self._context
        (await context.admitted()).require(Right.READ)
        async for _ in context.application.feed.states(self._date):
            await context.renew()
            yield AttendanceDay.of(await context.load.day.load(self._date))
            await context.renew()

    def rendered(self, renderer: Renderer) -> DayStates:
        """The same for all members of a group."""
        self._context.member.require(Right.READ)

        async def render() -> bytes:
            async with renderer() as opened:
                state = AttendanceDay.of(await opened.context.load.day.load(self._date))
                payload = opened.render(state)
                return payload if isinstance(payload, bytes) else await payload

        return DayStates(self._context.application.feed, self._date, render)
