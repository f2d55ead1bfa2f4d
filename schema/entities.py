"""Staff, days and attendance records, with opaque ids for clients' normalised caches."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Protocol, cast

import strawberry

from memberstaff.attendance.board_cache import Board
from memberstaff.attendance.cursor import Cursor, cursor_text
from memberstaff.attendance.model import Day, Record
from memberstaff.attendance.queries import BoardFilter
from memberstaff.attendance.sequence import sequence
from memberstaff.changes import Change, Status
from memberstaff.staff.model import Person
from memberstaff.staff.queries import StaffPosition

from .accounts import Account, account_for_admins
from .context import Info
from .counts import DaySummary
from .enums import describe
from .ids import global_id
from .people import ERASED_NAME, NO_CATEGORY, Staff
from .reasons import Reason, shown_reason
from .relay import BOARD_PAGE, SEQUENCE, After, First, Node, PageInfo, page_cursor, page_size, parse_page_cursor
from .revisions import ARRIVED_AT, LEFT_AT, NEWEST, REASON, AttendanceRevisionConnection
from .scalars import URL, written_instant
from .scope import Search, StaffScope, staff_filter, unique_values


class Read(Protocol):
    """With what a record was read: a day, or a board."""

    @property
    def epoch(self) -> int: ...

    @property
    def roster_version(self) -> int: ...


class DayState(StrEnum):
    """Whether a day can be marked."""

    OPEN = "OPEN"
    LOCKED = "LOCKED"


describe(
    DayState,
    name="DayState",
    description="Whether a day can be marked.",
    OPEN="It takes marks. Every day is open until it is locked.",
    LOCKED="It takes no marks until an administrator unlocks it.",
)


@strawberry.type(
    description=(
        "A person's attendance on a day. The id derives from (staff, date), so it exists before the first mark. Live: "
        "attendanceUpdated brings each change of it; the person's name, category and photo and the reason's name "
        "change without an event, but raise the day's `rosterVersion`."
    )
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
    reason: Reason | None = strawberry.field(description=REASON)
    arrived_at: dt.datetime | None = strawberry.field(description=ARRIVED_AT)
    left_at: dt.datetime | None = strawberry.field(description=LEFT_AT)
    is_on_site: bool = strawberry.field(
        description=(
            "Whether the person has come and not left: PRESENT, LATE or HALF_DAY without `leftAt`. No clock decides "
            "it. False for whoever has been erased."
        )
    )
    updated_at: dt.datetime | None = strawberry.field(
        description="When it was last changed. Null only while version is 0; never null in an event."
    )
    updated_by: str | None = strawberry.field(
        description=(
            "The name of whoever made the last change, as it is now; null while version is 0, and for an import on "
            "the command line."
        )
    )
    version: int = strawberry.field(description="The number of changes to this record.")
    sequence: str = strawberry.field(description=SEQUENCE)
    feed_cursor: str = strawberry.field(
        description="Cursor of this change in the day's feed. Resume from that of the last event received."
    )
    staff_number: strawberry.Private[int]
    person: strawberry.Private[Person | None]
    updated_by_number: strawberry.Private[int | None]

    @strawberry.field(description="The person; null once they have been erased.")
    async def staff(self, info: Info) -> Staff | None:
        person = self.person or await info.context.load.person.load(self.staff_number)
        return None if person is None or person.name is None else Staff.of(person)

    @strawberry.field(
        description=(
            "The account of whoever made the last change. Null unless you are an ADMIN, and where `updatedBy` is null."
        )
    )
    async def updated_by_account(self, info: Info) -> Account | None:
        return await account_for_admins(info, self.updated_by_number)

    @strawberry.field(description="The day, as it is now.")
    async def day(self, info: Info) -> AttendanceDay:
        return AttendanceDay.of(await info.context.load.day.load(self.date))

    @strawberry.field(description="The record's changes, newest first.")
    async def history(self, info: Info, first: First = 20, after: After = None) -> AttendanceRevisionConnection:
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
            reason=shown_reason(record.reason),
            arrived_at=written_instant(record.arrived_at),
            left_at=written_instant(record.left_at),
            is_on_site=record.on_site,
            updated_at=written_instant(record.updated_at),
            updated_by=record.updated_by,
            version=record.version,
            sequence=sequence(read.epoch, record.version, read.roster_version),
            feed_cursor=cursor_text(read.epoch, record.date, record.position),
            staff_number=person.id,
            person=person,
            updated_by_number=record.updated_by_account,
        )

    @classmethod
    def of_change(cls, change: Change, cursor: Cursor, hidden: frozenset[str]) -> Attendance:
        """The record after a change, without what is hidden from its readers."""
        on_site, change = change.on_site, change.shown(hidden)
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
            reason=shown_reason(change.reason),
            arrived_at=change.arrived_at,
            left_at=change.left_at,
            is_on_site=on_site,
            updated_at=change.changed_at,
            updated_by=change.changed_by_name,
            version=change.version,
            sequence=sequence(cursor.epoch, change.version, change.roster_version),
            feed_cursor=str(cursor),
            staff_number=change.staff_id,
            person=None,
            updated_by_number=change.changed_by,
        )


@strawberry.type(
    description=(
        "A calendar day: its state, its counts, and the records of its roster. Live: attendanceUpdated brings each "
        "change of a record, attendanceDayUpdated everything else here but lists."
    )
)
class AttendanceDay(Node):
    """See `model.Day`."""

    date: dt.date = strawberry.field(description="The day.")
    state: DayState = strawberry.field(description="Whether the day can be marked.")
    is_working_day: bool = strawberry.field(description="Whether people are expected.")
    label: str | None = strawberry.field(description='Such as "Sports day".')
    roster_version: int = strawberry.field(
        description=(
            "Rises with each change to the staff, to an account's name or to a reason. Refetch the records then: "
            "people may have come, gone or been renamed."
        )
    )
    sequence: str = strawberry.field(description=SEQUENCE)
    day: strawberry.Private[Day]

    @strawberry.field(description="Counts of the whole roster.")
    async def summary(self, info: Info) -> DaySummary:
        load = info.context.load
        return DaySummary.of(await load.summary.load(self.date), await load.day.load(self.date))

    @strawberry.field(
        description=(
            "Everybody on the day's roster, marked or not, ordered by (name, id). Events of attendanceUpdated change "
            "the records, but not which of them are listed: refetch the list when `rosterVersion` rises and, if it is "
            "filtered by `statuses`, after each event, whose record may belong to it or no longer does."
        ),
        metadata={"page_limit": BOARD_PAGE},
    )
    async def records(
        self,
        info: Info,
        scope: Annotated[StaffScope | None, strawberry.argument(description="Default: the whole roster.")] = None,
        statuses: Annotated[
            list[Status] | None,
            strawberry.argument(description="Only records with one of these statuses, when the list was read."),
        ] = None,
        search: Search = None,
        first: Annotated[
            int | None,
            strawberry.argument(
                description=(
                    f"Size of the page: 0 to {BOARD_PAGE:,}. An empty page, too, has a `feedCursor`, and tells whether "
                    "there is a next one."
                )
            ),
        ] = 100,
        after: After = None,
    ) -> AttendanceConnection:
        which = BoardFilter(
            staff=staff_filter(scope, self.date, search),
            statuses=unique_values(statuses, "statuses", "statuses"),
        )
        place = parse_page_cursor(after, str, int, str)
        size = page_size(first, default=100, most=BOARD_PAGE)
        beyond = StaffPosition(place[0], place[1]) if place else None
        board = await info.context.load.board.load((self.day, which, size + 1, beyond))
        cursor = place[2] if place else str(self.day.cursor)
        edges = _edges_of(board, cursor) if board.is_complete else _edges(board, cursor)[:size]
        return AttendanceConnection(
            edges=edges,
            page_info=PageInfo.of([edge.cursor for edge in edges], after=after, more=len(board.records) > size),
            feed_cursor=cursor,
            roster_version=self.day.roster_version,
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
    roster_version: int = strawberry.field(
        description=(
            "The day's `rosterVersion` when this page was read: the list is out of date when the day's is greater, "
            "which a cache may already know."
        )
    )
    day: strawberry.Private[Day]
    which: strawberry.Private[BoardFilter]

    @strawberry.field(
        description=(
            "Number of matching records, on all pages, when this page was read. Not live: it changes when the list "
            "would."
        )
    )
    async def total_count(self, info: Info) -> int:
        return await info.context.load.count.load((self.day, self.which))
