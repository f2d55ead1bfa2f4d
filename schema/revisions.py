"""The history of a record."""

from __future__ import annotations

import datetime as dt

import strawberry

from memberstaff.attendance.queries import Revision
from memberstaff.changes import Status

from .accounts import Account, account_for_admins
from .context import Info
from .ids import global_id
from .reasons import Reason, shown_reason
from .relay import Node, PageInfo, page_cursor
from .scalars import URL

NEWEST = 2**31 - 1
"""The highest version: a 32-bit integer in the database."""

REASON = "Why, from the list of reasons. Null for a VIEWER, unless it is a reason for VIEWERs."
FOR_VIEWERS = "Null for a VIEWER, unless MEMBERSTAFF_VIEWERS_SEE_TIMES shows it."
ARRIVED_AT = f"When the person came; null if that is unknown, and for whoever is not on site at all. {FOR_VIEWERS}"
LEFT_AT = f"When the person left; null if they have not, or it is unknown. {FOR_VIEWERS}"


@strawberry.type(description="A record's values after one of its changes, which never change again.")
class AttendanceRevision(Node):
    """See `queries.Revision`."""

    version: int = strawberry.field(description="The record's version after the change.")
    status: Status = strawberry.field(description="The status after the change.")
    note: str | None = strawberry.field(description="The note after the change. Null for a VIEWER.")
    photo_url: URL | None = strawberry.field(
        description="The photo attached to the mark after the change. Null for a VIEWER."
    )
    reason: Reason | None = strawberry.field(description=REASON)
    arrived_at: dt.datetime | None = strawberry.field(description=ARRIVED_AT)
    left_at: dt.datetime | None = strawberry.field(description=LEFT_AT)
    changed_at: dt.datetime = strawberry.field(description="When it was changed.")
    changed_by: str | None = strawberry.field(
        description="The name of whoever changed it, as it is now; null for an import on the command line."
    )
    changed_by_number: strawberry.Private[int | None]

    @strawberry.field(
        description="The account of whoever changed it. Null unless you are an ADMIN, and where `changedBy` is null."
    )
    async def changed_by_account(self, info: Info) -> Account | None:
        return await account_for_admins(info, self.changed_by_number)

    @classmethod
    def of(cls, revision: Revision) -> AttendanceRevision:
        """From the domain's revision."""
        return cls(
            id=global_id("AttendanceRevision", revision.staff_id, revision.date, revision.version),
            version=revision.version,
            status=revision.status,
            note=revision.note,
            photo_url=URL(revision.photo_url) if revision.photo_url else None,
            reason=shown_reason(revision.reason),
            arrived_at=revision.arrived_at,
            left_at=revision.left_at,
            changed_at=revision.changed_at,
            changed_by=revision.changed_by,
            changed_by_number=revision.changed_by_account,
        )


@strawberry.type(description="A change in a page.")
class AttendanceRevisionEdge:
    """See the Relay Cursor Connections Specification."""

    cursor: str = strawberry.field(description="Cursor of this edge.")
    node: AttendanceRevision = strawberry.field(description="The change.")


@strawberry.type(
    description="A page of a record's changes. Not live: refetch it when the record's `version` has risen."
)
class AttendanceRevisionConnection:
    """See the Relay Cursor Connections Specification."""

    edges: list[AttendanceRevisionEdge] = strawberry.field(description="Newest first.")
    page_info: PageInfo = strawberry.field(description="Where this page is in the list.")

    @classmethod
    def of(cls, found: list[Revision], size: int, after: str | None) -> AttendanceRevisionConnection:
        """The first `size` of the revisions found, which may be one more, to show that there is a next page."""
        edges = [
            AttendanceRevisionEdge(cursor=page_cursor(revision.version), node=AttendanceRevision.of(revision))
            for revision in found[:size]
        ]
        page = PageInfo.of([edge.cursor for edge in edges], after=after, more=len(found) > size)
        return cls(edges=edges, page_info=page)
