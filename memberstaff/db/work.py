"""The unit of work: one transaction, and what it announces once it is committed.

A reader sees one snapshot (REPEATABLE READ, READ ONLY on PostgreSQL). A writer takes its locks before it
reads (BEGIN IMMEDIATE on SQLite, `SELECT … FOR UPDATE` at READ COMMITTED on PostgreSQL). Nothing is
announced before COMMIT has returned, and nothing at all if it failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import CursorResult, Executable, Row, bindparam, select, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncConnection

from memberstaff import metrics, origin
from memberstaff.access import Caller, Reader, Right, SharedAnswer
from memberstaff.changes import Change, DayProgress, Visibility
from memberstaff.db.clock import today
from memberstaff.db.deadline import connection_answered_within
from memberstaff.db.outage import outages
from memberstaff.db.tables import access_change, access_head, audit, installation
from memberstaff.errors import Unauthenticated
from memberstaff.notify.notification import Notification

if TYPE_CHECKING:
    from opentelemetry.trace import Span

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Object = TypeVar("Object")

CONVERTED_AT_ONCE = 100
"""Rows that become objects before other tasks run: 1 to 3 ms."""

_NUMBER_ACCESS_CHANGES = (
    update(access_head)
    .values(number=access_head.c.number + bindparam("changes"))
    .returning(access_head.c.number, select(installation.c.epoch).scalar_subquery().label("epoch"))
)


def uninterrupted(awaitable: Awaitable[Object]) -> Awaitable[Object]:
    """Wait for it, and let it come to its end although whoever waits is given up.

    graphql-core gives up the neighbours of a field that fails, and a statement that is given up takes its connection
    with it.
    """
    future = asyncio.ensure_future(awaitable)
    future.add_done_callback(_look_at_error)
    return asyncio.shield(future)


def _look_at_error(future: asyncio.Future[Any]) -> None:
    """Or asyncio would log it, when nobody waits any more."""
    if not future.cancelled():
        future.exception()


_READS, _WRITES = map(metrics.STATEMENT_DURATION.labels, ("read", "write"))


class Reading:
    """A consistent view of the database, as `reader` may see it, at the instant `now`.

    It may be `shared` by tasks that are given up one by one: a statement that has begun is then finished.
    """

    _extensions: ClassVar[Mapping[str, bool | None]] = {}
    """Of the error when the database does not answer."""

    def __init__(
        self,
        connection: AsyncConnection,
        *,
        now: datetime,
        zone: ZoneInfo,
        visibility: Visibility,
        answer_seconds: float | None = None,
        shared: bool = False,
    ) -> None:
        self._connection = connection
        self._visibility = visibility
        self._shared = shared
        self._answer_seconds = answer_seconds
        # Sibling GraphQL fields resolve concurrently, and a connection runs one statement at a time.
        self._one_at_a_time = asyncio.Lock()
        self._ended = False
        self._reader: Reader | None = None
        self.span: Span | None = None
        """Of the transaction, if it is traced."""
        self.now = now
        self.zone = zone

    @property
    def today(self) -> date:
        """Today's date in the organisation's time zone."""
        return today(self.now, self.zone)

    @property
    def dialect(self) -> str:
        """`postgresql` or `sqlite`, for the few statements that differ."""
        return self._connection.dialect.name

    @property
    def reader(self) -> Reader:
        """Whose rights decide what may be read; raises Unauthenticated if nobody is logged in."""
        if self._reader is None:
            raise Unauthenticated
        return self._reader

    @reader.setter
    def reader(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def caller(self) -> Caller:
        """Who is asking. Raises Unauthenticated, and SharedAnswer when it is nobody in particular."""
        reader = self.reader
        if not isinstance(reader, Caller):
            raise SharedAnswer
        return reader

    @caller.setter
    def caller(self, caller: Caller) -> None:
        self._reader = caller

    @property
    def hidden(self) -> frozenset[str]:
        """The values of a record that are hidden from the reader; raises Unauthenticated if nobody is logged in."""
        return self._visibility.hidden_from(self.reader)

    def require(self, right: Right) -> None:
        """Raise Unauthenticated or Forbidden unless the reader has the right."""
        self.reader.require(right)

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Row[Any]]:
        """All rows of the result."""
        return (await self._execute(statement, parameters)).fetchall()

    async def objects(
        self, statement: Executable, convert: Callable[[Row[Any]], Object], parameters: Parameters | None = None
    ) -> list[Object]:
        """All rows of the result, converted; other tasks run after every `CONVERTED_AT_ONCE`."""
        result = await self._execute(statement, parameters)
        found: list[Object] = []
        while rows := result.fetchmany(CONVERTED_AT_ONCE):
            found += map(convert, rows)
            if len(rows) == CONVERTED_AT_ONCE:
                await asyncio.sleep(0)
        return found

    async def row(self, statement: Executable, parameters: Parameters | None = None) -> Row[Any] | None:
        """The first row, or None."""
        return (await self._execute(statement, parameters)).first()

    async def locked(self, statement: Executable, parameters: Parameters | None = None) -> Row[Any] | None:
        """The first row, or None, of a statement that waits for the lock of a day."""
        with metrics.timed(metrics.LOCK_WAIT):
            row = await self.row(statement, parameters)
        if self.span is not None:
            self.span.add_event("locked")
        return row

    async def scalar(self, statement: Executable, parameters: Parameters | None = None) -> Any:
        """The first column of the first row, or None."""
        return (await self._execute(statement, parameters)).scalar()

    async def end(self) -> None:
        """Take no more statements, and wait for the one that is running: its caller may have been cancelled."""
        self._ended = True
        async with self._one_at_a_time:
            return

    async def _execute(self, statement: Executable, parameters: Parameters | None) -> CursorResult[Any]:
        await self._one_at_a_time.acquire()
        executing = self._execute_next(statement, parameters)
        return await (uninterrupted(executing) if self._shared else executing)

    async def _execute_next(self, statement: Executable, parameters: Parameters | None) -> CursorResult[Any]:
        """Execute it, when it is its turn, which ends with it."""
        try:
            if self._ended:
                raise InvalidRequestError("This reading has ended.")
            with (
                outages(**self._extensions),
                connection_answered_within(self._answer_seconds, self._connection),
                metrics.timed(_READS if statement.is_select else _WRITES),
            ):
                return await self._connection.execute(statement, parameters)
        finally:
            self._one_at_a_time.release()


class Work(Reading):
    """A reading that may also write. Commands take one; they never commit and never publish."""

    _extensions: ClassVar[Mapping[str, bool | None]] = {"applied": False}

    def __init__(
        self,
        connection: AsyncConnection,
        *,
        now: datetime,
        zone: ZoneInfo,
        visibility: Visibility,
        answer_seconds: float | None = None,
    ) -> None:
        super().__init__(connection, now=now, zone=zone, visibility=visibility, answer_seconds=answer_seconds)
        self._notification = Notification(epoch=0)
        self.device: str | None = None
        """The id of the known device where this is done, for the audit log."""
        self._access_changes: dict[tuple[int | None, str | None], None] = {}
        """Accounts and sessions, in the order in which they were announced."""

    async def write(self, statement: Executable, parameters: Parameters | None = None) -> int:
        """Execute the statement; returns the number of rows affected."""
        return int((await self._execute(statement, parameters)).rowcount)

    async def audit(self, subject: str, subject_id: object, action: str, details: Mapping[str, Any]) -> None:
        """Record in the audit log what the caller did: when, from where, and the new values.

        `subject` is staff, account, day or reason.
        """
        await self.audit_all(subject, [(subject_id, action, details)])

    async def audit_all(self, subject: str, done: Iterable[tuple[object, str, Mapping[str, Any]]]) -> None:
        """Record several at once: the id of each, the action and the new values."""
        here = origin.current()
        common = {
            "at": self.now,
            "by_account": self.caller.account_id,
            "subject": subject,
            "address": here.address,
            "user_agent": here.user_agent,
            "operator": here.operator,
            "device": self.device,
        }
        rows = [
            {**common, "subject_id": str(subject_id), "action": action, "details": dict(details)}
            for subject_id, action, details in done
        ]
        if rows:
            await self.write(audit.insert(), rows)

    def announce_day(self, epoch: int, state: DayProgress, changes: Iterable[Change] = ()) -> None:
        """Announce a day's new state, and the changes that led to it, after the commit."""
        days = (*(day for day in self._notification.days if day.date != state.date), state)
        self._notification = replace(
            self._notification, epoch=epoch, days=days, changes=(*self._notification.changes, *changes)
        )

    def announce_roster(self, epoch: int, roster_version: int) -> None:
        """Announce after the commit that a person, or an account's name, has changed."""
        self._notification = replace(self._notification, epoch=epoch, roster_version=roster_version)

    def announce_access(self, *, accounts: Iterable[int] = (), sessions: Iterable[str] = ()) -> None:
        """Log that these accounts' and sessions' access has changed or ended, and announce it after the commit."""
        self._access_changes |= dict.fromkeys((account_id, None) for account_id in accounts)
        self._access_changes |= dict.fromkeys((None, session_id) for session_id in sessions)

    async def log_access_changes(self) -> None:
        """Number the changes of access, right before COMMIT.

        The lock that makes the order of numbers that of the commits is the last one a transaction takes: it is held
        for one more statement, and whoever holds it waits for no other lock.
        """
        if not self._access_changes:
            return
        count = len(self._access_changes)
        head = await self.row(_NUMBER_ACCESS_CHANGES, {"changes": count})
        assert head is not None
        rows = [
            {"number": number, "account_id": account_id, "session_id": session_id, "at": self.now}
            for number, (account_id, session_id) in enumerate(self._access_changes, head.number - count + 1)
        ]
        await self.write(access_change.insert(), rows)
        self._notification = replace(self._notification, epoch=head.epoch, access_number=head.number)

    @property
    def notification(self) -> Notification | None:
        """What to announce after the commit; None if nothing changed."""
        return self._notification if self._notification != Notification(epoch=0) else None
