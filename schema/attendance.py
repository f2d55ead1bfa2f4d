"""Attendance: records, and marking one or many."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import strawberry

from memberstaff.attendance import commands, queries
from memberstaff.attendance.commands import BulkOutcome
from memberstaff.attendance.queries import BoardFilter
from memberstaff.attendance.rules import ClockAhead, VersionConflict
from memberstaff.db import idempotency
from memberstaff.engine.limits import SIZED_BY
from memberstaff.errors import ErrorCode, Refusal, Refusals, TooExpensive

from .context import Info
from .entities import Attendance, AttendanceDay
from .mark_inputs import AttendanceTarget, BulkUpdateAttendanceInput, UpdateAttendanceInput
from .payloads import ERROR_FOR_EACH, MOST_LISTED, ONE_ERROR, InputError, UserError, listed
from .scope import staff_filter


@strawberry.type(description="Somebody else changed the record first; `current` lets the client show it and retry.")
class VersionConflictError(UserError):
    """From `VersionConflict`."""

    current: Attendance | None = strawberry.field(description="The record as stored; null only beside an error.")


@strawberry.type(description="The clock where a mark was made is ahead of the server's; it can be set by `serverTime`.")
class ClockAheadError(UserError):
    """From `ClockAhead`."""

    server_time: dt.datetime = strawberry.field(description="When the server judged the mark.")


@strawberry.type(description="The record, or why it was not changed.")
class UpdateAttendancePayload:
    """Returned by updateAttendance."""

    attendance: Attendance | None = strawberry.field(description="The record as stored; null if refused.")
    errors: list[UserError] = strawberry.field(description="Empty on success.", metadata=ONE_ERROR)
    client_mutation_id: str | None = strawberry.field(description="From the input.")


@strawberry.type(description="The day after a bulk change, or why it was refused.")
class BulkUpdateAttendancePayload:
    """Returned by bulkUpdateAttendance. What is read after the commit may fail, which must not hide the commit."""

    errors: list[UserError] = strawberry.field(description=f"Empty if everything succeeded. {ERROR_FOR_EACH}")
    client_mutation_id: str | None = strawberry.field(description="From the input.")
    outcome: strawberry.Private[BulkOutcome | None]

    @strawberry.field(description="The day as it is now; null if everything was refused, or beside an error.")
    async def day(self, info: Info) -> AttendanceDay | None:
        return AttendanceDay.of(await info.context.load.day.load(self.outcome.date)) if self.outcome else None

    @strawberry.field(
        description=(
            "The records changed by this request, by name. Null only beside an error, as when there are more than "
            f"{MOST_LISTED:,}: the changes are made all the same."
        )
    )
    async def attendances(self, info: Info) -> list[Attendance] | None:
        if self.outcome is None or self.outcome.before == self.outcome.after:
            return []
        if (changed := self.outcome.after - self.outcome.before) > MOST_LISTED:
            why = f"{changed:,} records were changed, and up to {MOST_LISTED:,} are listed. The day has them all."
            raise TooExpensive(why, cost=changed, limit=MOST_LISTED)
        snapshot = await info.context.snapshot()
        day = await info.context.load.day.load(self.outcome.date)
        found = await queries.changed_since(snapshot, self.outcome.date, self.outcome.before, until=self.outcome.after)
        return [Attendance.of(record, day) for record in found]


@strawberry.type
class AttendanceQuery:
    """Root fields about attendance."""

    @strawberry.field(description="A record, even before its first mark; null if there is no such person.")
    async def attendance(
        self, info: Info, target: Annotated[AttendanceTarget, strawberry.argument(description="Which record.")]
    ) -> Attendance | None:
        await info.context.caller()
        try:
            staff_id, date = target.key()
        except Refusal:
            return None
        return await find_attendance(info, staff_id, date)


async def find_attendance(info: Info, staff_id: int, date: dt.date) -> Attendance | None:
    """One record; None if there is no such person."""
    found = await queries.records(await info.context.snapshot(), date, [staff_id])
    day = await info.context.load.day.load(date)
    return Attendance.of(found[staff_id], day) if staff_id in found else None


@strawberry.type
class AttendanceMutation:
    """Root fields about attendance."""

    @strawberry.mutation(
        description=(
            "Record a person's attendance for a day; every open board shows it. "
            "Requires MARKER for today and the `correctionDays` before it, and ADMIN for other days."
        )
    )
    async def update_attendance(
        self,
        info: Info,
        input: Annotated[UpdateAttendanceInput, strawberry.argument(description="The record, and what to change.")],
    ) -> UpdateAttendancePayload | None:
        try:
            staff_id, date = input.target.key()
            outcome = await info.context.mark(date, input.to_mark(staff_id))
        except Refusal as refusal:
            await info.context.caller()  # reject unauthenticated callers before they learn what was wrong
            errors = user_errors(refusal)
            return UpdateAttendancePayload(attendance=None, errors=errors, client_mutation_id=input.client_mutation_id)
        return UpdateAttendancePayload(
            attendance=Attendance.of(outcome.record, outcome),
            errors=[],
            client_mutation_id=input.client_mutation_id,
        )

    @strawberry.mutation(
        description=(
            "Record many people's attendance for one day, in one transaction. "
            "Requires MARKER for today and the `correctionDays` before it, and ADMIN for other days."
        ),
        metadata={SIZED_BY: ("input", "change", "entries"), "page_limit": MOST_LISTED},
    )
    async def bulk_update_attendance(
        self,
        info: Info,
        input: Annotated[BulkUpdateAttendanceInput, strawberry.argument(description="The day, and its marks.")],
    ) -> BulkUpdateAttendancePayload | None:
        try:
            outcome, errors = await _bulk(info, input)
        except Refusals as refused:
            errors = user_errors(*listed(refused.refusals, "entries"))
            return BulkUpdateAttendancePayload(errors=errors, client_mutation_id=input.client_mutation_id, outcome=None)
        return BulkUpdateAttendancePayload(errors=errors, client_mutation_id=input.client_mutation_id, outcome=outcome)


async def _bulk(info: Info, input: BulkUpdateAttendanceInput) -> tuple[BulkOutcome, list[UserError]]:
    """Run a bulk change, once for each idempotency key; raises Refusals.

    The errors are made before the commit: what cannot be read after it must not hide it.
    """
    calendar = info.context.application.calendar
    key = input.idempotency_key
    try:
        async with info.context.work() as work:
            if key is not None:
                earlier = await idempotency.claim(work, key, _request(input))
                if earlier is not None:
                    refusals = tuple(
                        Refusal(ErrorCode(code), message, *path) for code, message, path in earlier["refused"]
                    )
                    outcome = BulkOutcome(input.date, earlier["before"], earlier["after"], refusals)
                    return outcome, [InputError.of(refusal) for refusal in refusals]
            if input.change.entries is not None:
                marks = [entry.to_mark(index) for index, entry in enumerate(input.change.entries.value)]
                outcome = await commands.update_many(work, calendar, input.date, marks, input.error_policy)
            else:
                assert input.change.fill is not None
                fill = input.change.fill.value
                which = BoardFilter(staff_filter(fill.scope, input.date))
                outcome = await commands.fill(
                    work,
                    calendar,
                    input.date,
                    fill.status,
                    which,
                    only_unmarked=fill.only_unmarked,
                    occurred_at=fill.occurred_at,
                )
            refused = listed(outcome.refusals, "entries")
            if key is not None:
                told = [(refusal.code, refusal.message, refusal.path) for refusal in refused]
                await idempotency.store_answer(
                    work, key, {"before": outcome.before, "after": outcome.after, "refused": told}
                )
            return outcome, user_errors(*refused)
    except Refusal as refusal:
        raise Refusals(refusal) from None


def _request(input: BulkUpdateAttendanceInput) -> object:
    """The fingerprint that a repeated request must match."""
    return repr((input.date, input.error_policy, input.change))


def user_errors(*refusals: Refusal) -> list[UserError]:
    """Refusals as errors of a payload: a version conflict has the stored record, a wrong clock the server's time."""
    return [_user_error(refusal) for refusal in refusals]


def _user_error(refusal: Refusal) -> UserError:
    if isinstance(refusal, VersionConflict):
        return VersionConflictError(
            code=refusal.code,
            message=refusal.message,
            path=list(refusal.path),
            current=Attendance.of(refusal.current, refusal.day),
        )
    if isinstance(refusal, ClockAhead):
        return ClockAheadError(
            code=refusal.code, message=refusal.message, path=list(refusal.path), server_time=refusal.server_time
        )
    return InputError.of(refusal)
