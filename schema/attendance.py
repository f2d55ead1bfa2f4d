"""Attendance: a day's board, single records, marking one or many, and opening and locking days."""

from __future__ import annotations

import datetime as dt

import strawberry
from strawberry import Maybe

from memberstaff.attendance import commands, queries
from memberstaff.attendance.commands import BulkOutcome, ErrorPolicy
from memberstaff.attendance.queries import BoardFilter
from memberstaff.attendance.rules import Mark, VersionConflict
from memberstaff.changes import Status
from memberstaff.db import idempotency
from memberstaff.engine.fast_inputs import fast_input
from memberstaff.errors import ErrorCode, Refusal, Refusals
from schema.context import Info
from schema.entities import Attendance, AttendanceDay, DayState
from schema.ids import attendance_key, staff_key
from schema.optional import kept
from schema.payloads import InputError, UserError
from schema.scope import StaffScope, staff_filter

strawberry.enum(
    ErrorPolicy,
    name="BulkErrorPolicy",
    description="Whether one refused entry refuses the whole request, or only itself.",
)


@strawberry.type(description="Carries the stored record so the client can show it and retry.")
class VersionConflictError(UserError):
    """Somebody else was faster."""

    current: Attendance = strawberry.field(description="What is stored now.")


@fast_input
@strawberry.input(description="A person and a day.")
class StaffDateInput:
    """Names a record that may not have been marked yet."""

    staff_id: strawberry.ID = strawberry.field(description="Id of the Staff.")
    date: dt.date = strawberry.field(description="The day.")


@fast_input
@strawberry.input(one_of=True, description="One record: by its id, or by person and day.")
class AttendanceTarget:
    """Exactly one of the two."""

    id: Maybe[strawberry.ID] = strawberry.field(description="Id of the Attendance.")
    staff_date: Maybe[StaffDateInput] = strawberry.field(description="Person and day.")

    def key(self) -> tuple[int, dt.date]:
        """Whose record, and of which day; raises Refusal."""
        path: tuple[str, ...] = ("target", "id")
        try:
            if self.id is not None:
                return attendance_key(self.id.value)
            assert self.staff_date is not None
            path = ("target", "staffDate", "staffId")
            return staff_key(self.staff_date.value.staff_id), self.staff_date.value.date
        except Refusal as refusal:
            refusal.path = path
            raise


@fast_input
@strawberry.input(
    description=(
        "Omitted fields stay as they are; null clears a note or photo, and is INVALID for status. "
        "UNMARKED takes a mark back."
    )
)
class UpdateAttendanceInput:
    """One mark."""

    target: AttendanceTarget = strawberry.field(description="Which record.")
    status: Maybe[Status | None] = strawberry.field(description="What is known.")
    note: Maybe[str | None] = strawberry.field(description="Up to 2,000 characters.")
    photo_url: Maybe[str | None] = strawberry.field(description="https, http, or a path on this server.")
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with VERSION_CONFLICT when the record has another version."
    )
    client_mutation_id: str | None = strawberry.field(default=None, description="Comes back in the payload.")

    def to_mark(self, staff_id: int) -> Mark:
        """As the commands take it."""
        return Mark(
            staff_id=staff_id,
            status=kept(self.status),
            note=kept(self.note),
            photo_url=kept(self.photo_url),
            expected_version=self.expected_version,
        )


@strawberry.type(description="A record, or why it was not changed.")
class UpdateAttendancePayload:
    """What updateAttendance answers."""

    attendance: Attendance | None = strawberry.field(description="As stored now; null when refused.")
    errors: list[UserError] = strawberry.field(description="Empty when it succeeded.")
    client_mutation_id: str | None = strawberry.field(description="From the input.")


@fast_input
@strawberry.input(description="One mark among many.")
class AttendanceEntryInput:
    """Of one person."""

    staff_id: strawberry.ID = strawberry.field(description="Id of the Staff.")
    status: Status = strawberry.field(description="What is known.")
    note: Maybe[str | None] = strawberry.field(description="Up to 2,000 characters; omitted: as it is.")
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse this entry when the record has another version."
    )

    def to_mark(self, index: int) -> Mark:
        """As the commands take it; a wrong id becomes a number that nobody has, to be refused in its place."""
        try:
            staff_id = staff_key(self.staff_id)
        except Refusal:
            staff_id = -1 - index
        return Mark(
            staff_id=staff_id,
            status=self.status,
            note=kept(self.note),
            expected_version=self.expected_version,
        )


@strawberry.input(description="Mark everyone in scope, by default only those still unmarked.")
class AttendanceFillInput:
    """The rest."""

    status: Status = strawberry.field(description="What is known of all of them.")
    scope: StaffScope | None = strawberry.field(default=None, description="Omitted: the whole roster.")
    only_unmarked: bool = strawberry.field(default=True, description="Whether marks that exist stay as they are.")


@strawberry.input(one_of=True, description="Many marks: one by one, or all alike.")
class BulkAttendanceChange:
    """Exactly one of the two."""

    entries: Maybe[list[AttendanceEntryInput]] = strawberry.field(description="One by one.")
    fill: Maybe[AttendanceFillInput] = strawberry.field(description="All alike.")


@strawberry.input(description="Many marks of one day, in one transaction.")
class BulkUpdateAttendanceInput:
    """All of them or, with SKIP_FAILED, those that can be made."""

    date: dt.date = strawberry.field(description="The day.")
    change: BulkAttendanceChange = strawberry.field(description="The marks.")
    error_policy: ErrorPolicy = strawberry.field(
        default=ErrorPolicy.REJECT_ALL, description="What a refused entry does to the others."
    )
    idempotency_key: strawberry.ID | None = strawberry.field(
        default=None, description="Sent again with the same key within a day, the request does nothing anew."
    )
    client_mutation_id: str | None = strawberry.field(default=None, description="Comes back in the payload.")


@strawberry.type(description="A day after many marks, or why there were none.")
class BulkUpdateAttendancePayload:
    """What bulkUpdateAttendance answers."""

    day: AttendanceDay | None = strawberry.field(description="As it is now; null when everything was refused.")
    errors: list[UserError] = strawberry.field(description="Empty when everything succeeded.")
    client_mutation_id: str | None = strawberry.field(description="From the input.")
    outcome: strawberry.Private[BulkOutcome | None]

    @strawberry.field(description="The records that this request changed, by name.", metadata={"list_size": 1_000})
    async def attendances(self, info: Info) -> list[Attendance]:
        """Read only when they are asked for."""
        if self.outcome is None or self.outcome.before == self.outcome.after:
            return []
        snapshot = await info.context.snapshot()
        epoch = (await info.context.load.day.load(self.outcome.date)).epoch
        found = await queries.changed_since(snapshot, self.outcome.date, self.outcome.before, until=self.outcome.after)
        return [Attendance.of(record, epoch) for record in found]


@strawberry.input(description="What kind of day it is.")
class OpenAttendanceDayInput:
    """Opens a day ahead of its first mark, or changes what is said about it."""

    date: dt.date = strawberry.field(description="The day.")
    is_working_day: bool | None = strawberry.field(default=True, description="Whether people are expected.")
    label: Maybe[str | None] = strawberry.field(description='Such as "Sports day"; null removes it.')


@strawberry.input(description="Close a day for marks, or open it again.")
class SetAttendanceDayStateInput:
    """A lock."""

    date: dt.date = strawberry.field(description="The day.")
    state: DayState = strawberry.field(description="LOCKED refuses marks.")
    reason: str | None = strawberry.field(default=None, description="Kept in the audit trail.")


@strawberry.type(description="A day, or why it was not changed.")
class AttendanceDayPayload:
    """What openAttendanceDay and setAttendanceDayState answer."""

    day: AttendanceDay | None = strawberry.field(description="As it is now; null when refused.")
    errors: list[UserError] = strawberry.field(description="Empty when it succeeded.")


@strawberry.type
class AttendanceQuery:
    """The root's part about attendance."""

    @strawberry.field(description="Today in the organisation's zone when date is omitted.")
    async def attendance_day(self, info: Info, date: dt.date | None = None) -> AttendanceDay | None:
        """A day's board; every date has one."""
        snapshot = await info.context.snapshot()
        return AttendanceDay.of(await info.context.load.day.load(date or snapshot.today))

    @strawberry.field(description="One record, also before its first mark; null when there is no such person.")
    async def attendance(self, info: Info, target: AttendanceTarget) -> Attendance | None:
        """By id, or by person and day."""
        await info.context.caller()
        try:
            staff_id, date = target.key()
        except Refusal:
            return None
        return await find_attendance(info, staff_id, date)


async def find_attendance(info: Info, staff_id: int, date: dt.date) -> Attendance | None:
    """One record; None when there is no such person."""
    found = await queries.records(await info.context.snapshot(), date, [staff_id])
    epoch = (await info.context.load.day.load(date)).epoch
    return Attendance.of(found[staff_id], epoch) if staff_id in found else None


@strawberry.type
class AttendanceMutation:
    """The root's part about attendance."""

    @strawberry.mutation(description="Record a person's attendance for a day; every open board shows it.")
    async def update_attendance(self, info: Info, input: UpdateAttendanceInput) -> UpdateAttendancePayload:
        """One mark."""
        try:
            staff_id, date = input.target.key()
            outcome = await info.context.mark(date, input.to_mark(staff_id))
        except Refusal as refusal:
            await info.context.caller()  # who may not come in does not learn what was wrong either
            errors = await user_errors(info, refusal)
            return UpdateAttendancePayload(attendance=None, errors=errors, client_mutation_id=input.client_mutation_id)
        return UpdateAttendancePayload(
            attendance=Attendance.of(outcome.record, outcome.epoch),
            errors=[],
            client_mutation_id=input.client_mutation_id,
        )

    @strawberry.mutation(description="Record many people's attendance for one day, in one transaction.")
    async def bulk_update_attendance(self, info: Info, input: BulkUpdateAttendanceInput) -> BulkUpdateAttendancePayload:
        """Many marks."""
        try:
            outcome = await _bulk(info, input)
        except Refusals as refused:
            errors = await user_errors(info, *refused.refusals)
            return BulkUpdateAttendancePayload(
                day=None, errors=errors, client_mutation_id=input.client_mutation_id, outcome=None
            )
        day = AttendanceDay.of(await info.context.load.day.load(input.date))
        errors = await user_errors(info, *outcome.refusals)
        return BulkUpdateAttendancePayload(
            day=day, errors=errors, client_mutation_id=input.client_mutation_id, outcome=outcome
        )

    @strawberry.mutation(description="Say whether a day is a working day, and label it. For an ADMIN.")
    async def open_attendance_day(self, info: Info, input: OpenAttendanceDayInput) -> AttendanceDayPayload:
        """What kind of day it is."""
        calendar = info.context.application.calendar
        try:
            async with info.context.work() as work:
                day = await calendar.open(work, input.date, working=input.is_working_day, label=kept(input.label))
        except Refusal as refusal:
            return AttendanceDayPayload(day=None, errors=[InputError.of(refusal)])
        return AttendanceDayPayload(day=AttendanceDay.of(day), errors=[])

    @strawberry.mutation(description="Lock a day against marks, or unlock it. For an ADMIN.")
    async def set_attendance_day_state(self, info: Info, input: SetAttendanceDayStateInput) -> AttendanceDayPayload:
        """A lock."""
        calendar = info.context.application.calendar
        try:
            async with info.context.work() as work:
                day = await calendar.set_locked(
                    work, input.date, locked=input.state is DayState.LOCKED, reason=input.reason
                )
        except Refusal as refusal:
            return AttendanceDayPayload(day=None, errors=[InputError.of(refusal)])
        return AttendanceDayPayload(day=AttendanceDay.of(day), errors=[])


async def _bulk(info: Info, input: BulkUpdateAttendanceInput) -> BulkOutcome:
    """Run a bulk change once for its idempotency key; raises Refusals."""
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
                    return BulkOutcome(input.date, earlier["before"], earlier["after"], refusals)
            if input.change.entries is not None:
                marks = [entry.to_mark(index) for index, entry in enumerate(input.change.entries.value)]
                outcome = await commands.update_many(work, calendar, input.date, marks, input.error_policy)
            else:
                assert input.change.fill is not None
                fill = input.change.fill.value
                which = BoardFilter(staff_filter(fill.scope, input.date))
                outcome = await commands.fill(
                    work, calendar, input.date, fill.status, which, only_unmarked=fill.only_unmarked
                )
            if key is not None:
                refused = [(refusal.code, refusal.message, refusal.path) for refusal in outcome.refusals]
                await idempotency.store_answer(
                    work, key, {"before": outcome.before, "after": outcome.after, "refused": refused}
                )
            return outcome
    except Refusal as refusal:
        raise Refusals(refusal) from None


def _request(input: BulkUpdateAttendanceInput) -> object:
    """What makes two requests the same."""
    return repr((input.date, input.error_policy, input.change))


async def user_errors(info: Info, *refusals: Refusal) -> list[UserError]:
    """Refusals as a payload tells them; a conflict carries the record that is stored."""
    return [await _user_error(info, refusal) for refusal in refusals]


async def _user_error(info: Info, refusal: Refusal) -> UserError:
    if not isinstance(refusal, VersionConflict):
        return InputError.of(refusal)
    epoch = (await info.context.load.day.load(refusal.current.date)).epoch
    return VersionConflictError(
        code=ErrorCode.VERSION_CONFLICT,
        message=refusal.message,
        path=list(refusal.path),
        current=Attendance.of(refusal.current, epoch),
    )
