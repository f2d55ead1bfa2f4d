"""The subscriptions: each change of a day once and in order, and the day's state."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator

import strawberry

from memberstaff.access import Right
from memberstaff.events import Change
from schema.context import Info
from schema.nodes import Attendance, AttendanceDay, StaffScope


@strawberry.type
class Subscription:
    """What a board listens to."""

    @strawberry.subscription(
        description=(
            "Replays what changed after the cursor (without one: from now), then streams: each change once, in order. "
            "A cursor that cannot be honoured ends in RESTART_REQUIRED."
        )
    )
    async def attendance_updated(
        self, info: Info, date: dt.date, scope: StaffScope | None = None, after: str | None = None
    ) -> AsyncGenerator[Attendance, None]:
        """Changes of one day, those of the sender included."""
        context = info.context
        caller = await context.admitted()
        caller.require(Right.READ)
        wanted = _InScope(scope)
        async for cursor, change in context.application.feed.changes(date, context.resumed(after)):
            # Filtered after the feed: a change that this subscriber does not see must still count.
            if wanted(change):
                yield Attendance.of_change(change, cursor, caller)
                await context.renew()

    @strawberry.subscription(
        description=(
            "The day's state at once, then on each change of counters, lock, label or roster: "
            "a state, so it may be coalesced."
        )
    )
    async def attendance_day_updated(self, info: Info, date: dt.date) -> AsyncGenerator[AttendanceDay, None]:
        """The latest, whenever there is a later one."""
        context = info.context
        (await context.admitted()).require(Right.READ)
        async for _ in context.application.feed.states(date):
            await context.renew()
            yield AttendanceDay.of(await context.load.day.load(date))
            await context.renew()


class _InScope:
    """Whether a change is about somebody in the scope; raises Refusal for an id that names nobody."""

    def __init__(self, scope: StaffScope | None) -> None:
        self._staff_ids = scope.numbers() if scope else None
        self._categories = scope.categories if scope else None

    def __call__(self, change: Change) -> bool:
        return (self._staff_ids is None or change.staff_id in self._staff_ids) and (
            self._categories is None or change.staff_category in self._categories
        )
