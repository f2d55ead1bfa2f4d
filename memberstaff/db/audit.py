"""Reading the audit log, and counting the attempts that are refused in it.

What somebody did is a row of its own (`Work.audit`). What was refused to strangers, who may try as often as they like,
is counted: one row for each action, account, network and hour, and one for all accounts that do not exist.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, literal, select, tuple_, union

from memberstaff import metrics, origin
from memberstaff.access import Reader, Right
from memberstaff.addresses import networks_of
from memberstaff.db.database import Database
from memberstaff.db.tables import account, audit
from memberstaff.db.types import Instant
from memberstaff.db.upsert import insert
from memberstaff.db.work import Reading, Work

NOBODY = ""
"""The `subject_id` of an account that does not exist."""
LONGEST_ADDRESS = 64
PAGE = 1_000
"""Rows that an export reads at a time."""


class Subject(StrEnum):
    """What an entry is about."""

    STAFF = "staff"
    ACCOUNT = "account"
    DAY = "day"
    REASON = "reason"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the audit log."""

    id: int
    at: datetime
    """When; of several attempts, the first."""
    by_account: int | None
    """Who; None for the command line, and for whoever was not let in."""
    by_name: str | None
    by_email: str | None
    subject: Subject
    subject_id: str
    action: str
    details: dict[str, Any]
    """The values after the change."""
    address: str | None
    """The client's, or for refused attempts its network."""
    user_agent: str | None
    device: str | None
    """The id of the known device."""
    operator: str | None
    """The operating system's user, at the command line."""
    times: int
    """How often, within the hour."""


@dataclass(frozen=True, slots=True)
class Place:
    """The end of a page. Entries are ordered by instant, then by id."""

    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries to read. `since` is within, `until` is not."""

    since: datetime | None = None
    until: datetime | None = None
    subject: Subject | None = None
    subject_id: str | None = None
    action: str | None = None
    account: int | None = None
    """What this account did, and what was done to it."""

    def conditions(self) -> list[ColumnElement[bool]]:
        """The WHERE conditions but that for `account`."""
        wanted = {
            audit.c.subject: self.subject,
            audit.c.subject_id: self.subject_id,
            audit.c.action: self.action,
        }
        conditions: list[ColumnElement[bool]] = [
            column == value for column, value in wanted.items() if value is not None
        ]
        if self.since is not None:
            conditions.append(audit.c.at >= self.since)
        if self.until is not None:
            conditions.append(audit.c.at < self.until)
        return conditions

    def ways(self) -> list[list[ColumnElement[bool]]]:
        """The conditions for `account`: alternatives, of which each has an index."""
        if self.account is None:
            return [[]]
        to_it = [audit.c.subject == Subject.ACCOUNT, audit.c.subject_id == str(self.account)]
        return [[audit.c.by_account == self.account], to_it]


ENTRIES = select(*audit.c, account.c.display_name, account.c.email).join_from(
    audit, account, audit.c.by_account == account.c.id, isouter=True
)


async def page(
    reading: Reading, which: AuditFilter, *, first: int, after: Place | None, newest_first: bool = True
) -> list[Entry]:
    """A page of the audit log. Each filter costs what the page has, however long the log is."""
    reading.require(Right.READ_AUDIT)
    conditions = which.conditions()
    if after is not None:
        here, place = tuple_(audit.c.at, audit.c.id), tuple_(literal(after.at, Instant), literal(after.id))
        conditions.append(here < place if newest_first else here > place)
    order = [column.desc() if newest_first else column.asc() for column in (audit.c.at, audit.c.id)]
    # Not one OR, for which a database would read and sort all entries of the account.
    found = union(
        *(
            select(select(audit.c.id).where(*conditions, *way).order_by(*order).limit(first).subquery().c.id)
            for way in which.ways()
        )
    )
    rows = await reading.rows(ENTRIES.where(audit.c.id.in_(found)).order_by(*order).limit(first))
    return [_entry(row) for row in rows]


async def by_id(reading: Reading, entry_id: int) -> Entry | None:
    """The entry with this id, or None."""
    reading.require(Right.READ_AUDIT)
    row = await reading.row(ENTRIES.where(audit.c.id == entry_id))
    return _entry(row) if row is not None else None


async def export(database: Database, reader: Reader, which: AuditFilter) -> AsyncIterator[Sequence[Entry]]:
    """All entries, oldest first, in pages; no snapshot is kept while one of them is written out."""
    after: Place | None = None
    while True:
        async with database.read() as reading:
            reading.reader = reader
            entries = await page(reading, which, first=PAGE, after=after, newest_first=False)
        if not entries:
            return
        yield entries
        after = Place(entries[-1].at, entries[-1].id)


async def count_refused(
    work: Work, action: str, *, account_id: int | None, address: str, device: str | None = None
) -> None:
    """Count an attempt that was refused; nothing of what was typed is kept, not even an unknown email address."""
    metrics.LOGINS_REFUSED.labels(action).inc()
    here = origin.current()
    new = insert(work.dialect, audit).values(
        at=work.now,
        by_account=None,
        subject=Subject.ACCOUNT,
        subject_id=NOBODY if account_id is None else str(account_id),
        action=action,
        details={},
        address=networks_of(address)[-1][0][:LONGEST_ADDRESS],  # the widest, or the rows would have no bound
        user_agent=here.user_agent,
        device=device,
        hour=work.now.replace(minute=0, second=0, microsecond=0),
    )
    await work.write(
        new.on_conflict_do_update(
            index_elements=["hour", "action", "subject_id", "address"], set_={"times": audit.c.times + 1}
        )
    )


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        id=row.id,
        at=row.at,
        by_account=row.by_account,
        by_name=row.display_name,
        by_email=row.email,
        subject=Subject(row.subject),
        subject_id=row.subject_id,
        action=row.action,
        details=row.details,
        address=row.address,
        user_agent=row.user_agent,
        device=row.device,
        operator=row.operator,
        times=row.times,
    )
