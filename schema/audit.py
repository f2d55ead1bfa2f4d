"""The audit log, for administrators."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Annotated

import strawberry
from strawberry.utils.str_converters import to_camel_case

from memberstaff.accounts import directory
from memberstaff.db import audit
from memberstaff.db.audit import AuditFilter, Entry, Place, Subject
from memberstaff.db.work import Reading
from memberstaff.errors import ErrorCode, Refusal

from .accounts import Account
from .context import Info
from .enums import describe
from .ids import account_key, global_id
from .relay import After, First, Node, PageInfo, foreign_cursor, page_cursor, page_size, parse_page_cursor

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LONGEST_ACTION = 32
MOST_DETAILS = 10
"""Values of an entry; those of a person are the most."""
TYPES = {Subject.STAFF: "Staff", Subject.ACCOUNT: "Account", Subject.DAY: "AttendanceDay", Subject.REASON: "Reason"}

describe(
    Subject,
    name="AuditSubject",
    description="What an entry is about. Later versions may add values: show an unknown one by its name.",
    STAFF="A person; `subjectId` is the id of the Staff.",
    ACCOUNT="An account; `subjectId` is the id of the Account.",
    DAY="A day; `subjectId` is the id of the AttendanceDay.",
    REASON="A reason; `subjectId` is the id of the Reason.",
)


@strawberry.type(description="A value after the change.")
class AuditDetail:
    """See `Entry.details`."""

    name: str = strawberry.field(description="Such as role or displayName.")
    value: str | None = strawberry.field(description="The value as text; null if it was cleared.")


@strawberry.type(description="What somebody did, or was refused. Visible to ADMINs only.")
class AuditEntry(Node):
    """See `Entry`."""

    at: dt.datetime = strawberry.field(description="When; of several attempts, the first.")
    by: Account | None = strawberry.field(
        description="Who; null for the command line, and for whoever was not let in.",
    )
    operator: str | None = strawberry.field(description="The operating system's user, for the command line.")
    action: str = strawberry.field(description="Such as login, login_failed, rate_limited, logout or role_set.")
    subject: Subject = strawberry.field(description="What it is about.")
    subject_id: strawberry.ID | None = strawberry.field(
        description="Its id; null for attempts to log in to accounts that do not exist."
    )
    details: list[AuditDetail] = strawberry.field(
        description="The values after the change.", metadata={"list_size": MOST_DETAILS}
    )
    address: str | None = strawberry.field(description="The client's; of refused attempts over IPv6, its /48.")
    user_agent: str | None = strawberry.field(description="What the client said of itself: up to 200 characters.")
    device: str | None = strawberry.field(
        description="The browser, if somebody had logged in there before, and at a login this account."
    )
    count: int = strawberry.field(description="How often within the hour; above 1 for refused attempts only.")

    @classmethod
    def of(cls, entry: Entry, by: Account | None) -> AuditEntry:
        """From the log's entry."""
        return cls(
            id=global_id("AuditEntry", entry.id),
            at=entry.at,
            by=by,
            operator=entry.operator,
            action=entry.action,
            subject=entry.subject,
            subject_id=global_id(TYPES[entry.subject], entry.subject_id) if entry.subject_id else None,
            details=[
                AuditDetail(name=to_camel_case(name), value=_text(value)) for name, value in entry.details.items()
            ],
            address=entry.address,
            user_agent=entry.user_agent,
            device=entry.device,
            count=entry.times,
        )


@strawberry.type(description="An entry in a page.")
class AuditEdge:
    """See the Relay Cursor Connections Specification."""

    cursor: str = strawberry.field(description="Cursor of this edge.")
    node: AuditEntry = strawberry.field(description="The entry.")


@strawberry.type(description="A page of the audit log. Not live: ask again for newer entries.")
class AuditConnection:
    """See the Relay Cursor Connections Specification."""

    edges: list[AuditEdge] = strawberry.field(description="Newest first.")
    page_info: PageInfo = strawberry.field(description="Where this page is in the list.")


@strawberry.type
class AuditQuery:
    """Root fields about the audit log."""

    @strawberry.field(
        description=(
            "Logins, refused attempts, and changes of rights, staff, days and reasons, newest first. An entry matches "
            "if it matches every argument. Requires ADMIN."
        )
    )
    async def audit(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        from_: Annotated[
            dt.datetime | None, strawberry.argument(name="from", description="Entries of this instant or later.")
        ] = None,
        to: Annotated[
            dt.datetime | None, strawberry.argument(description="Entries before this instant, not of it.")
        ] = None,
        subject: Annotated[
            Subject | None, strawberry.argument(description="Entries about people, accounts, days or reasons only.")
        ] = None,
        action: Annotated[
            str | None, strawberry.argument(description="Entries with exactly this action, such as login_failed.")
        ] = None,
        account: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Id of an Account: what it did, and what was done to it."),
        ] = None,
    ) -> AuditConnection | None:
        if action is not None and len(action) > LONGEST_ACTION:
            raise Refusal(ErrorCode.INVALID, f"An action has at most {LONGEST_ACTION} characters.", "action")
        snapshot = await info.context.snapshot()
        size = page_size(first, default=50)
        which = AuditFilter(
            since=from_,
            until=to,
            subject=subject,
            action=action,
            account=account_key(account) if account is not None else None,
        )
        found = await audit.page(snapshot, which, first=size + 1, after=_place(after))
        edges = [
            AuditEdge(cursor=page_cursor(_milliseconds(entry.at), entry.id), node=node)
            for entry, node in zip(found, await audit_entries(snapshot, found), strict=True)
        ][:size]
        page = PageInfo.of([edge.cursor for edge in edges], after=after, more=len(found) > size)
        return AuditConnection(edges=edges, page_info=page)


async def audit_entries(snapshot: Reading, found: Sequence[Entry]) -> list[AuditEntry]:
    """The log's entries as GraphQL objects, with the accounts of all of them."""
    numbers = {entry.by_account for entry in found if entry.by_account is not None}
    accounts = {each.id: Account.of(each) for each in await directory.by_ids(snapshot, numbers)}
    return [AuditEntry.of(entry, accounts.get(entry.by_account or 0)) for entry in found]


def _place(cursor: str | None) -> Place | None:
    """Where the page before ended. Raises RequestError."""
    if (place := parse_page_cursor(cursor, int, int)) is None:
        return None
    try:
        return Place(EPOCH + dt.timedelta(milliseconds=place[0]), place[1])
    except OverflowError:
        raise foreign_cursor() from None


def _milliseconds(instant: dt.datetime) -> int:
    return (instant - EPOCH) // dt.timedelta(milliseconds=1)


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
