"""Attendance: records, and marking one or many."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import strawberry
from strawberry import Maybe

from memberstaff.attendance import commands, queries
from memberstaff.attendance.commands import BulkOutcome, ErrorPolicy
from memberstaff.attendance.queries import BoardFilter
from memberstaff.attendance.rules import Mark, VersionConflict
from memberstaff.changes import Status
from memberstaff.db import idempotency
from memberstaff.engine.fast_inputs import fast_input
from memberstaff.engine.limits import SIZED_BY
from memberstaff.errors import ErrorCode, Refusal, Refusals, TooExpensive

from .context import Info
from .entities import Attendance, AttendanceDay
from .enums import describe
from .ids import attendance_key, staff_key
from .optional import value_or_unset
from .payloads import ERROR_FOR_EACH, MOST_LISTED, ONE_ERROR, InputError, UserError, listed
from .scalars import URL
from .scope import StaffScope, staff_filter

describe(
    ErrorPolicy,
    name="BulkErrorPolicy",
    description="Whether an invalid entry rejects the whole request, or only itself.",
    REJECT_ALL="Nothing is recorded if any entry is invalid.",
    SKIP_FAILED="The valid entries are recorded, and `errors` has the others.",
)

RETRY = "A request whose values are stored already changes nothing and succeeds."
CLIENT_MUTATION_ID = "Any text, which the payload returns."
PHOTO = "A photo for the mark; null for none, and not changed if omitted."
NOTE = "Up to 2,000 characters; null or blank for none, and not changed if omitted."


@strawberry.type(description="Somebody else changed the record first; `current` lets the client show it and retry.")
class VersionConflictError(UserError):
    """From `VersionConflict`."""

    current: Attendance | None = strawberry.field(description="The record as stored; null only beside an error.")


@fast_input
@strawberry.input(description="A person and a day: a record, even before its first mark.")
class StaffDateInput:
    """See `AttendanceTarget.key`."""

    staff_id: strawberry.ID = strawberry.field(description="Id of the Staff.")
    date: dt.date = strawberry.field(description="The day.")


@fast_input
@strawberry.input(one_of=True, description="A record: by its id, or by person and day.")
class AttendanceTarget:
    """A oneOf input."""

    id: Maybe[strawberry.ID] = strawberry.field(description="Id of the Attendance.")
    staff_date: Maybe[StaffDateInput] = strawberry.field(description="Person and day.")

    def key(self) -> tuple[int, dt.date]:
        """The record's person and day; raises Refusal."""
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
        "A change of a record. Omitted fields are not changed; null clears a note or photo, and is INVALID for a "
        "status, since UNMARKED takes a mark back."
    )
)
class UpdateAttendanceInput:
    """See `Mark`."""

    target: AttendanceTarget = strawberry.field(description="The record to change.")
    status: Maybe[Status | None] = strawberry.field(description="The status to record; not changed if omitted.")
    note: Maybe[str | None] = strawberry.field(description=NOTE)
    photo_url: Maybe[URL | None] = strawberry.field(description=PHOTO)
    expected_version: int | None = strawberry.field(
        default=None,
        description=f"VERSION_CONFLICT if the record has another version. Default: any. {RETRY}",
    )
    client_mutation_id: str | None = strawberry.field(default=None, description=CLIENT_MUTATION_ID)

    def to_mark(self, staff_id: int) -> Mark:
        """The domain's mark."""
        return Mark(
            staff_id=staff_id,
            status=value_or_unset(self.status),
            note=value_or_unset(self.note),
            photo_url=value_or_unset(self.photo_url),
            expected_version=self.expected_version,
        )


@strawberry.type(description="The record, or why it was not changed.")
class UpdateAttendancePayload:
    """Returned by updateAttendance."""

    attendance: Attendance | None = strawberry.field(description="The record as stored; null if refused.")
    errors: list[UserError] = strawberry.field(description="Empty on success.", metadata=ONE_ERROR)
    client_mutation_id: str | None = strawberry.field(description="From the input.")


@fast_input
@strawberry.input(description="One person's mark in a bulk change.")
class AttendanceEntryInput:
    """See `Mark`."""

    staff_id: strawberry.ID = strawberry.field(description="Id of the Staff.")
    status: Status = strawberry.field(description="The status to record.")
    note: Maybe[str | None] = strawberry.field(description=NOTE)
    photo_url: Maybe[URL | None] = strawberry.field(description=PHOTO)
    expected_version: int | None = strawberry.field(
        default=None,
        description=f"VERSION_CONFLICT for this entry if the record has another version. Default: any. {RETRY}",
    )

    def to_mark(self, index: int) -> Mark:
        """The domain's mark. An invalid id becomes a number that nobody has: the error then gets this entry's path."""
        try:
            staff_id = staff_key(self.staff_id)
        except Refusal:
            staff_id = -1 - index
        return Mark(
            staff_id=staff_id,
            status=self.status,
            note=value_or_unset(self.note),
            photo_url=value_or_unset(self.photo_url),
            expected_version=self.expected_version,
        )


@strawberry.input(
    description="Mark everybody in the scope, by default only those who are unmarked. Notes and photos are not changed."
)
class AttendanceFillInput:
    """See `commands.fill`."""

    status: Status = strawberry.field(description="The status for all of them.")
    scope: StaffScope | None = strawberry.field(default=None, description="Default: the whole roster.")
    only_unmarked: bool = strawberry.field(
        default=True, description="Whether to leave those alone who are marked already."
    )


@strawberry.input(one_of=True, description="Many marks: individual ones, or one status for all.")
class BulkAttendanceChange:
    """A oneOf input."""

    entries: Maybe[list[AttendanceEntryInput]] = strawberry.field(
        description=f"Individual marks, up to {commands.MOST_ENTRIES:,}."
    )
    fill: Maybe[AttendanceFillInput] = strawberry.field(description="One status for all.")


@strawberry.input(description="Many marks on one day, in one transaction.")
class BulkUpdateAttendanceInput:
    """Records all of them or, with SKIP_FAILED, the valid ones."""

    date: dt.date = strawberry.field(description="The day.")
    change: BulkAttendanceChange = strawberry.field(description="The marks.")
    error_policy: ErrorPolicy = strawberry.field(
        default=ErrorPolicy.REJECT_ALL, description="What to do if an entry is invalid."
    )
    idempotency_key: strawberry.ID | None = strawberry.field(
        default=None, description="A request repeated with the same key within a day is not executed again."
    )
    client_mutation_id: str | None = strawberry.field(default=None, description=CLIENT_MUTATION_ID)


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
            "Requires MARKER for today, and ADMIN for other days."
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
            "Requires MARKER for today, and ADMIN for other days."
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
                    work, calendar, input.date, fill.status, which, only_unmarked=fill.only_unmarked
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
    """Refusals as errors of a payload; a version conflict includes the stored record."""
    return [_user_error(refusal) for refusal in refusals]


def _user_error(refusal: Refusal) -> UserError:
    if not isinstance(refusal, VersionConflict):
        return InputError.of(refusal)
    return VersionConflictError(
        code=ErrorCode.VERSION_CONFLICT,
        message=refusal.message,
        path=list(refusal.path),
        current=Attendance.of(refusal.current, refusal.day),
    )
