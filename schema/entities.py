"""Staff, days and attendance records, with opaque ids for clients' normalised caches."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Protocol, cast

import strawberry

from memberstaff.access import Reader, Right
from memberstaff.attendance import queries
from memberstaff.attendance.board_cache import Board
from memberstaff.attendance.cursor import Cursor, cursor_text
from memberstaff.attendance.model import Day, Record
from memberstaff.attendance.model import Summary as Counts
from memberstaff.attendance.queries import BoardFilter
from memberstaff.attendance.sequence import sequence
from memberstaff.changes import Change, Status
from memberstaff.errors import RequestError, RequestErrorCode
from memberstaff.staff.model import Person
from memberstaff.staff.queries import StaffPosition

from .context import Info
from .ids import global_id
from .relay import BOARD_PAGE, Node, PageInfo, page_cursor, page_size, parse_page_cursor
from .revisions import NEWEST, AttendanceRevisionConnection
from .scalars import URL, written_instant
from .scope import StaffScope, staff_filter, unique_values

ERASED_NAME = "Unknown"
"""The name of an erased person."""

NO_CATEGORY = "Staff"
"""The category of a person without one."""

LONGEST_SPAN = 92
"""Days in a person's attendance or a report: a quarter."""

SEQUENCE = (
    "Of two answers about this object, however late they come, the newer one has the greater sequence, compared as "
    "text. If it is the same, so is the object."
)


class Read(Protocol):
    """With what a record was read: a day, or a board."""

    @property
    def epoch(self) -> int: ...

    @property
    def roster_version(self) -> int: ...


@strawberry.enum(description="A LOCKED day cannot be marked until an administrator unlocks it.")
class DayState(StrEnum):
    """Whether a day can be marked."""

    OPEN = "OPEN"
    LOCKED = "LOCKED"


@strawberry.type(description="A person whose attendance is recorded.")
class Staff(Node):
    """See `Person`."""

    name: str = strawberry.field(description='"Unknown" once the person has been erased.')
    category: str = strawberry.field(description='"Staff" when no category is set.')
    photo_url: URL | None = strawberry.field(description="A photo of the person.")
    external_ref: str | None = strawberry.field(description="The person's id in another system.")
    starts_on: dt.date = strawberry.field(
        description="First day of employment. A day's roster is everybody employed on it; other records stay readable."
    )
    ends_on: dt.date | None = strawberry.field(description="Last day of employment.")
    version: int = strawberry.field(description="Rises with each change; send it as `expectedVersion`.")
    number: strawberry.Private[int]

    @strawberry.field(
        description=f"Marked records from one day to another, by date; at most {LONGEST_SPAN} days.",
        metadata={"list_size": LONGEST_SPAN},
    )
    async def attendance(
        self, info: Info, from_: Annotated[dt.date, strawberry.argument(name="from")], to: dt.date
    ) -> list[Attendance]:
        if not 0 <= (to - from_).days < LONGEST_SPAN:
            raise RequestError(
                RequestErrorCode.BAD_REQUEST, f"Select 1 to {LONGEST_SPAN} days, with `from` not after `to`."
            )
        day = await info.context.load.day.load(to)
        found = await info.context.load.marked(from_, to).load(self.number)
        return [Attendance.of(record, day) for record in found]

    @classmethod
    def of(cls, person: Person) -> Staff:
        """From the domain's person."""
        return cls(
            id=global_id("Staff", person.id),
            name=person.name or ERASED_NAME,
            category=person.category or NO_CATEGORY,
            photo_url=URL(person.photo_url) if person.photo_url else None,
            external_ref=person.external_ref,
            starts_on=person.starts_on,
            ends_on=person.ends_on,
            version=person.version,
            number=person.id,
        )


@strawberry.type(
    description="A person's attendance on a day. The id derives from (staff, date), so it exists before the first mark."
)
class Attendance(Node):
    """See `Record`; in an event, as its change left it."""

    staff_id: strawberry.ID = strawberry.field(description="Id of the Staff.")
    staff_name: str = strawberry.field(description='"Unknown" once the person has been erased.')
    staff_category: str = strawberry.field(description='"Staff" when no category is set.')
    staff_photo_url: URL | None = strawberry.field(description="A photo of the person.")
    date: dt.date = strawberry.field(description="The day.")
    status: Status = strawberry.field(description="The recorded status.")
    note: str | None = strawberry.field(description="Null for a VIEWER: notes may contain health data.")
    photo_url: URL | None = strawberry.field(
        description="A photo attached to the mark. Null for a VIEWER, as notes are."
    )
    updated_at: dt.datetime | None = strawberry.field(
        description="When it was last changed. Null only while version is 0; never null in an event."
    )
    updated_by: str | None = strawberry.field(
        description="Who made the last change; null for an import on the command line."
    )
    version: int = strawberry.field(description="The number of changes to this record.")
    sequence: str = strawberry.field(description=SEQUENCE)
    feed_cursor: str = strawberry.field(
        description="Cursor of this change in the day's feed. Resume from that of the last event received."
    )
    staff_number: strawberry.Private[int]
    person: strawberry.Private[Person | None]

    @strawberry.field(description="The person; null once they have been erased.")
    async def staff(self, info: Info) -> Staff | None:
        person = self.person or await info.context.load.person.load(self.staff_number)
        return None if person is None or person.name is None else Staff.of(person)

    @strawberry.field(description="The day, as it is now.")
    async def day(self, info: Info) -> AttendanceDay:
        return AttendanceDay.of(await info.context.load.day.load(self.date))

    @strawberry.field(description="The record's changes, newest first.")
    async def history(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> AttendanceRevisionConnection:
        place = parse_page_cursor(after, int)
        size = page_size(first, default=20)
        before = min(max(place[0], 0), NEWEST) if place else None
        found = await info.context.load.history(size + 1, before).load((self.staff_number, self.date))
        return AttendanceRevisionConnection.of(found, size, after)

    @classmethod
    def of(cls, record: Record, read: Read) -> Attendance:
        """From the domain's record, as it was read."""
        person = record.person
        return cls(
            id=global_id("Attendance", person.id, record.date),
            staff_id=global_id("Staff", person.id),
            staff_name=person.name or ERASED_NAME,
            staff_category=person.category or NO_CATEGORY,
            staff_photo_url=URL(person.photo_url) if person.photo_url else None,
            date=record.date,
            status=record.status,
            note=record.note,
            photo_url=URL(record.photo_url) if record.photo_url else None,
            updated_at=written_instant(record.updated_at),
            updated_by=record.updated_by,
            version=record.version,
            sequence=sequence(read.epoch, record.version, read.roster_version),
            feed_cursor=cursor_text(read.epoch, record.date, record.position),
            staff_number=person.id,
            person=person,
        )

    @classmethod
    def of_change(cls, change: Change, cursor: Cursor, reader: Reader) -> Attendance:
        """The record after a change, as this reader may see it."""
        change = change.shown(notes=reader.may(Right.READ_NOTES))
        return cls(
            id=global_id("Attendance", change.staff_id, change.date),
            staff_id=global_id("Staff", change.staff_id),
            staff_name=change.staff_name or ERASED_NAME,
            staff_category=change.staff_category or NO_CATEGORY,
            staff_photo_url=URL(change.staff_photo_url) if change.staff_photo_url else None,
            date=change.date,
            status=change.status,
            note=change.note,
            photo_url=URL(change.photo_url) if change.photo_url else None,
            updated_at=change.changed_at,
            updated_by=change.changed_by_name,
            version=change.version,
            sequence=sequence(cursor.epoch, change.version, change.roster_version),
            feed_cursor=str(cursor),
            staff_number=change.staff_id,
            person=None,
        )


@strawberry.type(description="How many of a day's roster have each status.")
class DaySummary(Node):
    """See `model.Summary`."""

    total: int = strawberry.field(description="Everybody on the day's roster.")
    unmarked: int = strawberry.field(description="Not marked yet.")
    present: int = strawberry.field(description="At work.")
    late: int = strawberry.field(description="At work, late.")
    half_day: int = strawberry.field(description="At work for half of the day.")
    remote: int = strawberry.field(description="At work from elsewhere.")
    on_leave: int = strawberry.field(description="On leave, so not expected.")
    absent: int = strawberry.field(description="Expected, and not at work.")
    present_rate: float | None = strawberry.field(
        description="Share at work (0 to 1) of those marked and not on leave; half days count half. Null if none."
    )
    sequence: str = strawberry.field(description=SEQUENCE)

    @classmethod
    def of(cls, summary: Counts, day: Day) -> DaySummary:
        """From the domain's summary, and the day as it was read with it."""
        of = summary.counts
        return cls(
            id=global_id("DaySummary", summary.date),
            total=summary.total,
            unmarked=of[Status.UNMARKED],
            present=of[Status.PRESENT],
            late=of[Status.LATE],
            half_day=of[Status.HALF_DAY],
            remote=of[Status.REMOTE],
            on_leave=of[Status.ON_LEAVE],
            absent=of[Status.ABSENT],
            present_rate=summary.present_rate,
            sequence=day.sequence,
        )


@strawberry.type(description="A calendar day: its state, its counts, and the records of its roster.")
class AttendanceDay(Node):
    """See `model.Day`."""

    date: dt.date = strawberry.field(description="The day.")
    state: DayState = strawberry.field(description="Whether the day can be marked.")
    is_working_day: bool = strawberry.field(description="Whether people are expected.")
    label: str | None = strawberry.field(description='Such as "Sports day".')
    roster_version: int = strawberry.field(description="Rises with each change to the staff; refetch the records then.")
    sequence: str = strawberry.field(description=SEQUENCE)
    day: strawberry.Private[Day]

    @strawberry.field(description="Counts of the whole roster.")
    async def summary(self, info: Info) -> DaySummary:
        load = info.context.load
        return DaySummary.of(await load.summary.load(self.date), await load.day.load(self.date))

    @strawberry.field(
        description=(
            "Everybody on the day's roster, marked or not, ordered by (name, id); up to "
            f"{BOARD_PAGE:,} a page. The search matches names and categories, never notes."
        ),
        metadata={"page_limit": BOARD_PAGE},
    )
    async def records(
        self,
        info: Info,
        scope: StaffScope | None = None,
        statuses: list[Status] | None = None,
        search: str | None = None,
        first: int | None = 100,
        after: str | None = None,
    ) -> AttendanceConnection:
        which = BoardFilter(
            staff=staff_filter(scope, self.date, search),
            statuses=unique_values(statuses, "statuses", "statuses"),
        )
        place = parse_page_cursor(after, str, int, str)
        size = page_size(first, default=100, most=BOARD_PAGE)
        beyond = StaffPosition(place[0], place[1]) if place else None
        boards, snapshot = info.context.application.board_cache, await info.context.snapshot()
        board = await boards.page(snapshot, self.day, which, first=size + 1, after=beyond)
        cursor = place[2] if place else str(self.day.cursor)
        edges = _edges_of(board, cursor) if board.is_complete else _edges(board, cursor)[:size]
        return AttendanceConnection(
            edges=edges,
            page_info=PageInfo.of([edge.cursor for edge in edges], after=after, more=len(board.records) > size),
            feed_cursor=cursor,
            day=self.day,
            which=which,
        )

    @classmethod
    def of(cls, day: Day) -> AttendanceDay:
        """From the domain's day."""
        return cls(
            id=global_id("AttendanceDay", day.date),
            date=day.date,
            state=DayState.LOCKED if day.locked else DayState.OPEN,
            is_working_day=day.working,
            label=day.label,
            roster_version=day.roster_version,
            sequence=day.sequence,
            day=day,
        )


@strawberry.type(description="A record in a page.")
class AttendanceEdge:
    """See the Relay Cursor Connections Specification."""

    cursor: str = strawberry.field(description="Cursor of this edge.")
    node: Attendance = strawberry.field(description="The record.")


def _edges(board: Board, cursor: str) -> list[AttendanceEdge]:
    return [
        AttendanceEdge(cursor=page_cursor(record.person.sort_key, record.person.id, cursor), node=_node(board, record))
        for record in board.records
    ]


def _node(board: Board, record: Record) -> Attendance:
    """The record's node, memoised as long as the record is on a cached board."""
    known, node = board.by_person.get(record.person.id, (None, None))
    if known is not record:
        node = Attendance.of(record, board)
        board.by_person[record.person.id] = (record, node)
    return cast("Attendance", node)


def _edges_of(board: Board, cursor: str) -> list[AttendanceEdge]:
    """The edges of a cached board, built once: they do not depend on the caller."""
    if (edges := board.derived.get(cursor)) is None:
        edges = board.derived[cursor] = _edges(board, cursor)
    return cast("list[AttendanceEdge]", edges)


@strawberry.type(description="A page of a day's records.")
class AttendanceConnection:
    """See the Relay Cursor Connections Specification."""

    edges: list[AttendanceEdge] = strawberry.field(description="Ordered by name.")
    page_info: PageInfo = strawberry.field(description="Where this page is in the list.")
    feed_cursor: str = strawberry.field(
        description=(
            "The feed's cursor when the first page was read; the same on every page, since page cursors contain it. "
            "Pass it to attendanceUpdated(after:)."
        )
    )
    day: strawberry.Private[Day]
    which: strawberry.Private[BoardFilter]

    @strawberry.field(description="Number of matching records, on all pages.")
    async def total_count(self, info: Info) -> int:
        return await queries.count(await info.context.snapshot(), self.day, self.which)
