"""Days: boards, settings, and locking."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import strawberry
from strawberry import Maybe

from memberstaff.errors import Refusal

from .context import Info
from .entities import AttendanceDay, DayState
from .optional import value_or_unset
from .payloads import ONE_ERROR, InputError, UserError

DAY_SETTINGS = "Settings of a day. Omitted fields are not changed."


@strawberry.input(description=DAY_SETTINGS)
class UpdateAttendanceDayInput:
    """See `Calendar.update`."""

    date: dt.date = strawberry.field(description="The day.")
    is_working_day: Maybe[bool | None] = strawberry.field(
        description="Whether people are expected; null for what the organisation's week says."
    )
    label: Maybe[str | None] = strawberry.field(
        description='Such as "Sports day"; one line, up to 200 characters. Null or blank for none.'
    )


@strawberry.input(description=DAY_SETTINGS)
class OpenAttendanceDayInput(UpdateAttendanceDayInput):
    """The same, under its old name."""


@strawberry.input(description="Lock or unlock a day.")
class SetAttendanceDayStateInput:
    """See `Calendar.set_locked`."""

    date: dt.date = strawberry.field(description="The day.")
    state: DayState = strawberry.field(description="LOCKED, not for a day in the future, or OPEN.")
    reason: str | None = strawberry.field(
        default=None, description="Recorded in the audit log if the state changes; up to 500 characters."
    )


@strawberry.type(description="The day, or why it was not changed.")
class AttendanceDayPayload:
    """Returned by updateAttendanceDay and setAttendanceDayState."""

    errors: list[UserError] = strawberry.field(description="Empty on success.", metadata=ONE_ERROR)
    date: strawberry.Private[dt.date | None]

    @strawberry.field(description="The day as it is now; null if refused, or beside an error.")
    async def day(self, info: Info) -> AttendanceDay | None:
        # In a snapshot of its own: within the transaction, what others change meanwhile is seen in part.
        return AttendanceDay.of(await info.context.load.day.load(self.date)) if self.date is not None else None


@strawberry.type
class DaysQuery:
    """Root fields about days."""

    @strawberry.field(description="A day's board. Every date has one: null only beside an error.")
    async def attendance_day(
        self,
        info: Info,
        date: Annotated[
            dt.date | None,
            strawberry.argument(description="The day. Default: today in the organisation's time zone."),
        ] = None,
    ) -> AttendanceDay | None:
        snapshot = await info.context.snapshot()
        return AttendanceDay.of(await info.context.load.day.load(date or snapshot.today))


@strawberry.type
class DaysMutation:
    """Root fields about days."""

    @strawberry.mutation(
        description=(
            "Set whether a day is a working day, and its label. Whether it takes marks is another matter: see "
            "setAttendanceDayState. Requires ADMIN."
        )
    )
    async def update_attendance_day(
        self,
        info: Info,
        input: Annotated[UpdateAttendanceDayInput, strawberry.argument(description="The day, and what to change.")],
    ) -> AttendanceDayPayload | None:
        return await _update_day(info, input)

    @strawberry.mutation(
        description="The old name of updateAttendanceDay. It opens nothing: a locked day stays locked. Requires ADMIN.",
        deprecation_reason="Use updateAttendanceDay, which takes the same input.",
    )
    async def open_attendance_day(
        self,
        info: Info,
        input: Annotated[OpenAttendanceDayInput, strawberry.argument(description="The day, and what to change.")],
    ) -> AttendanceDayPayload | None:
        return await _update_day(info, input)

    @strawberry.mutation(description="Lock a day, so that it cannot be marked, or unlock it. Requires ADMIN.")
    async def set_attendance_day_state(
        self,
        info: Info,
        input: Annotated[SetAttendanceDayStateInput, strawberry.argument(description="The day, and its new state.")],
    ) -> AttendanceDayPayload | None:
        calendar = info.context.application.calendar
        try:
            async with info.context.work() as work:
                await calendar.set_locked(work, input.date, locked=input.state is DayState.LOCKED, reason=input.reason)
        except Refusal as refusal:
            return AttendanceDayPayload(errors=[InputError.of(refusal)], date=None)
        return AttendanceDayPayload(errors=[], date=input.date)


async def _update_day(info: Info, input: UpdateAttendanceDayInput) -> AttendanceDayPayload:
    try:
        async with info.context.work() as work:
            await info.context.application.calendar.update(
                work, input.date, working=value_or_unset(input.is_working_day), label=value_or_unset(input.label)
            )
    except Refusal as refusal:
        return AttendanceDayPayload(errors=[InputError.of(refusal)], date=None)
    return AttendanceDayPayload(errors=[], date=input.date)
