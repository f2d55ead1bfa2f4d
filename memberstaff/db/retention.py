"""Retention: what the database forgets, and after how long. docs/retention.md tells it to people.

Each process prunes in the background, a batch in a transaction, and skips what another has locked. So no login and no
mark waits for what others have left behind, and several processes do not wait for one another.
"""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, Table, delete, select, tuple_

from memberstaff.db.database import Database
from memberstaff.db.tables import (
    access_change,
    access_head,
    account,
    attendance,
    attendance_day,
    attendance_revision,
    audit,
    channel_grant,
    idempotency,
    installation,
    rate_limit,
    reason,
    refresh_token,
    session,
    staff,
)
from memberstaff.errors import Unavailable

PRUNE_SECONDS = 60.0
"""Between two rounds of a process."""
ROWS_AT_ONCE = 500
"""In a transaction."""

EXPIRES: dict[Column[Any], timedelta] = {
    # One that has ended must outlive every token of an identity provider that could open it again: those live a week.
    session.c.expires_at: timedelta(days=7),
    channel_grant.c.granted_at: timedelta(minutes=1),
    rate_limit.c.full_at: timedelta(0),
    idempotency.c.created_at: timedelta(days=1),
    access_change.c.at: timedelta(days=1),  # a process that was away for longer checks every session
}
"""How long rows are kept after the instant in a column. The audit log is kept for as long as the settings say."""

WITH_ANOTHER: dict[Table, Table] = {refresh_token: session}
"""Tables whose rows go with those of another."""

KEPT: set[Table] = {installation, access_head, account, staff, reason, attendance_day, attendance, attendance_revision}
"""The record itself, which is kept until somebody erases it."""


class Retention:
    """Prunes the database; `run` is a background service. `audit_days` 0 keeps the audit log for ever."""

    def __init__(self, database: Database, *, audit_days: int) -> None:
        self._database = database
        self._expires = {**EXPIRES, **({audit.c.at: timedelta(days=audit_days)} if audit_days else {})}

    async def run(self) -> None:
        """Prune now and then, until cancelled."""
        while True:
            await asyncio.sleep(PRUNE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, guards nothing
            try:
                await self.prune()
            except Unavailable:
                continue  # whoever is served now notices too; what has expired can wait

    async def prune(self) -> None:
        """Delete all that has expired, batch by batch. Raises Unavailable."""
        for column, kept in self._expires.items():
            while await self._delete_batch(column, kept) == ROWS_AT_ONCE:
                pass

    async def _delete_batch(self, column: Column[Any], kept: timedelta) -> int:
        table = column.table
        key = tuple_(*table.primary_key)
        async with self._database.write() as work:
            expired = (
                select(*table.primary_key)
                .where(column < _value(column, work.now - kept))
                .order_by(column)
                .limit(ROWS_AT_ONCE)
                .with_for_update(skip_locked=True)
            )
            return await work.write(delete(table).where(key.in_(expired)))


def _value(column: Column[Any], instant: datetime) -> datetime | int:
    """The instant as the column stores it: rate limits count milliseconds."""
    return round(instant.timestamp() * 1000) if isinstance(column.type, BigInteger) else instant
