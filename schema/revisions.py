"""The history of a record: its changes, and pages of them."""

from __future__ import annotations

import datetime as dt

import strawberry

from memberstaff.attendance.queries import Revision
from memberstaff.changes import Status
from schema.ids import global_id
from schema.relay import Node, PageInfo, page_cursor
from schema.scalars import URL

NEWEST = 2**31 - 1
"""No record has a version above it: the database's integers end there."""


@strawberry.type(description="What a record was after one of its changes.")
class AttendanceRevision(Node):
    """An entry of the log."""

    version: int = strawberry.field(description="The record's version from this change on.")
    status: Status = strawberry.field(description="After the change.")
    note: str | None = strawberry.field(description="Null for a VIEWER.")
    photo_url: URL | None = strawberry.field(description="After the change.")
    changed_at: dt.datetime = strawberry.field(description="When.")
    changed_by: str | None = strawberry.field(description="Who; null for an import on the server itself.")

    @classmethod
    def of(cls, revision: Revision) -> AttendanceRevision:
        """For a revision."""
        return cls(
            id=global_id("AttendanceRevision", revision.staff_id, revision.date, revision.version),
            version=revision.version,
            status=revision.status,
            note=revision.note,
            photo_url=URL(revision.photo_url) if revision.photo_url else None,
            changed_at=revision.changed_at,
            changed_by=revision.changed_by,
        )


@strawberry.type(description="A change in a page.")
class AttendanceRevisionEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="Of this edge.")
    node: AttendanceRevision = strawberry.field(description="The change.")


@strawberry.type(description="A page of a record's changes.")
class AttendanceRevisionConnection:
    """Relay's connection."""

    edges: list[AttendanceRevisionEdge] = strawberry.field(description="Newest first.")
    page_info: PageInfo = strawberry.field(description="Where this page lies.")

    @classmethod
    def of(cls, found: list[Revision], size: int, after: str | None) -> AttendanceRevisionConnection:
        """For one revision more than the page takes, if there is one."""
        edges = [
            AttendanceRevisionEdge(cursor=page_cursor(revision.version), node=AttendanceRevision.of(revision))
            for revision in found[:size]
        ]
        page = PageInfo.of([edge.cursor for edge in edges], after=after, more=len(found) > size)
        return cls(edges=edges, page_info=page)
