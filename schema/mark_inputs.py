"""What a mark may say: one, many, or one status for all."""

from __future__ import annotations

import datetime as dt

import strawberry
from strawberry import Maybe

from memberstaff.attendance.commands import MOST_ENTRIES, ErrorPolicy
from memberstaff.attendance.rules import Mark
from memberstaff.changes import Status
from memberstaff.engine.fast_inputs import fast_input
from memberstaff.errors import Refusal
from memberstaff.inputs import UNSET, Unset

from .enums import describe
from .ids import attendance_key, reason_key, staff_key
from .optional import SomeValue, value_or_unset
from .scalars import URL
from .scope import StaffScope

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
ARRIVED_AT = (
    "When the person came; null for unknown. If omitted, a mark on the day itself that somebody has come (to PRESENT, "
    "LATE or HALF_DAY from another status) sets it to the moment of the mark, one that somebody has not come clears "
    "it, and others do not change it."
)
LEFT_AT = (
    "When the person left, up to sixteen hours after the day's midnight; null if they are still there, or are there "
    "again. If omitted, cleared where `arrivedAt` is set or cleared, and else not changed."
)
OCCURRED_AT = (
    "When the mark was made, if it comes late, from a desk without a network: it decides which day was today, and when "
    "the person came. The order of marks, the day's lock and your rights are those of now. TOO_LATE if it is longer "
    "ago than MEMBERSTAFF_LATE_MARK_DAYS, CLOCK_AHEAD if it is more than a minute ahead of the server's clock. "
    "Default: now."
)
REASON = "Id of a Reason that is not retired; null for none, and not changed if omitted."
NOTE = "Up to 2,000 characters; null or blank for none, and not changed if omitted."


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
        "A change of a record. Omitted fields are not changed; null clears a note, a reason, a photo or a time, and is "
        "INVALID for a status, since UNMARKED takes a mark back."
    )
)
class UpdateAttendanceInput:
    """See `Mark`."""

    target: AttendanceTarget = strawberry.field(description="The record to change.")
    status: Maybe[Status | None] = strawberry.field(description="The status to record; not changed if omitted.")
    note: Maybe[str | None] = strawberry.field(description=NOTE)
    photo_url: Maybe[URL | None] = strawberry.field(description=PHOTO)
    reason_id: Maybe[strawberry.ID | None] = strawberry.field(description=REASON)
    arrived_at: Maybe[dt.datetime | None] = strawberry.field(description=ARRIVED_AT)
    left_at: Maybe[dt.datetime | None] = strawberry.field(description=LEFT_AT)
    occurred_at: dt.datetime | None = strawberry.field(default=None, description=OCCURRED_AT)
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
            reason_id=_reason_number(self.reason_id),
            arrived_at=value_or_unset(self.arrived_at),
            left_at=value_or_unset(self.left_at),
            occurred_at=self.occurred_at,
            expected_version=self.expected_version,
        )


@fast_input
@strawberry.input(description="One person's mark in a bulk change.")
class AttendanceEntryInput:
    """See `Mark`."""

    staff_id: strawberry.ID = strawberry.field(description="Id of the Staff.")
    status: Status = strawberry.field(description="The status to record.")
    note: Maybe[str | None] = strawberry.field(description=NOTE)
    photo_url: Maybe[URL | None] = strawberry.field(description=PHOTO)
    reason_id: Maybe[strawberry.ID | None] = strawberry.field(description=REASON)
    arrived_at: Maybe[dt.datetime | None] = strawberry.field(description=ARRIVED_AT)
    left_at: Maybe[dt.datetime | None] = strawberry.field(description=LEFT_AT)
    occurred_at: dt.datetime | None = strawberry.field(default=None, description=OCCURRED_AT)
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
            reason_id=_reason_number(self.reason_id),
            arrived_at=value_or_unset(self.arrived_at),
            left_at=value_or_unset(self.left_at),
            occurred_at=self.occurred_at,
            expected_version=self.expected_version,
        )


def _reason_number(given: SomeValue[strawberry.ID | None] | None) -> int | None | Unset:
    """The reason's number, or for an invalid id one that no reason has: the error then gets the mark's path."""
    if given is None or given.value is None:
        return UNSET if given is None else None
    try:
        return reason_key(given.value)
    except Refusal:
        return -1


@strawberry.input(
    description=(
        "Mark everybody in the scope, by default only those who are unmarked. Notes, reasons and photos are not "
        "changed, and when somebody came is unknown."
    )
)
class AttendanceFillInput:
    """See `commands.fill`."""

    status: Status = strawberry.field(description="The status for all of them.")
    scope: StaffScope | None = strawberry.field(default=None, description="Default: the whole roster.")
    only_unmarked: bool = strawberry.field(
        default=True, description="Whether to leave those alone who are marked already."
    )
    occurred_at: dt.datetime | None = strawberry.field(default=None, description=OCCURRED_AT)


@strawberry.input(one_of=True, description="Many marks: individual ones, or one status for all.")
class BulkAttendanceChange:
    """A oneOf input."""

    entries: Maybe[list[AttendanceEntryInput]] = strawberry.field(
        description=f"Individual marks, up to {MOST_ENTRIES:,}."
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
