"""The context of an operation: its caller, one database snapshot, and transactions.

Each operation has its own, on sockets too, so no database connection is held longer than an operation: see
docs/decisions/0002-one-snapshot-for-each-operation.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from datetime import date

import strawberry

from memberstaff.access import AnyoneWith, Caller, Reader, Right, Role
from memberstaff.accounts.sessions import identify
from memberstaff.application import Application
from memberstaff.attendance.commands import MarkOutcome
from memberstaff.attendance.day_version import DayVersion
from memberstaff.attendance.rules import Mark
from memberstaff.db.clock import today
from memberstaff.db.work import Reading, Work, uninterrupted
from memberstaff.errors import RequestError, Unavailable
from memberstaff.fanout.subscriber_groups import SubscriberGroups
from memberstaff.server.client_address import UNKNOWN
from memberstaff.server.connection import Connection

from .enums import describe
from .loaders import Loaders

describe(
    Role,
    name="Role",
    description="What an account may do.",
    ADMIN="Everything.",
    MARKER="Read, and mark today and, as long as a setting allows, the days before.",
    VIEWER="Read, without notes, photos of marks, reasons but those for VIEWERs and, by default, times.",
)


class Context:
    """The context of one operation, or with `of_role` of a rendering shared by a role, which has no caller."""

    def __init__(
        self,
        application: Application,
        connection: Connection,
        operation_id: str | None = None,
        *,
        of_role: Role | None = None,
        today: date | None = None,
    ) -> None:
        self.application = application
        self.connection = connection
        self.operation_id = operation_id
        self._of_role = AnyoneWith(of_role) if of_role else None
        self._today = today
        self._reader: Reader | None = self._of_role
        self._lock = asyncio.Lock()
        self._resources = AsyncExitStack()
        self._snapshot: Reading | None = None
        self._closed = False
        self._patient_until: float | None = None
        self._refused: Unavailable | None = None
        """Why this operation was not admitted."""
        self.load = self._loaders()

    def _loaders(self) -> Loaders:
        return Loaders(self.snapshot, self.application.calendar, self.application.board_cache)

    def as_scope(self, scope: Role) -> Context:
        """A context for shared renderings: it reads as any account with this role."""
        connection = Connection(UNKNOWN, f"shared-{self.request_id}")
        return Context(self.application, connection, of_role=scope, today=self._today)

    def fresh(self) -> Context:
        """A new context for the group's next batch of events."""
        assert self._of_role is not None
        return Context(self.application, self.connection, of_role=self._of_role.role)

    @property
    def reader(self) -> Reader:
        """The reader of a shared rendering."""
        assert self._of_role is not None
        return self._of_role

    @property
    def hidden(self) -> frozenset[str]:
        """The values of a record that the reader of a shared rendering may not see."""
        return self.application.database.visibility.hidden_from(self.reader)

    @property
    def today(self) -> date:
        """Today in the organisation's time zone, when it was first asked for: a subscription stays with that day."""
        if self._today is None:
            self._today = today(self.application.database.now(), self.application.settings.zone)
        return self._today

    @property
    def groups(self) -> SubscriberGroups:
        return self.application.groups

    async def authorize(self) -> tuple[Role, int | None]:
        """The caller's role and account; the connection ends with their access. Raises RequestError."""
        caller = await self.application.admit(self.connection, self.connection.authorization)
        return caller.role, caller.account_id

    async def version(self, argument: str | None) -> tuple[Role, int | None, DayVersion] | None:
        """The caller's role and account, and the version of a day (today without an argument).

        None if it is not a date. Raises RequestError. From now on this context reads as that caller.
        """
        try:
            day = None if argument is None else date.fromisoformat(argument)
        except ValueError:
            return None
        claims = await self.application.accounts.claims(self.connection.authorization)
        caller, version = await self.application.day_versions.read(claims, day)
        self._reader = caller
        return caller.role, caller.account_id, version

    async def rendered_version(self, version: DayVersion, argument: str | None) -> DayVersion | None:
        """The version of the day that this context read; None if today is another day by now."""
        if argument is None and (await self.snapshot()).today != version.date:
            return None
        day = await self.load.day.load(version.date)
        return DayVersion(day.epoch, day.date, day.position, day.day_version, day.roster_version)

    @property
    def request_id(self) -> str:
        return self.connection.request_id

    async def snapshot(self) -> Reading:
        """The operation's database snapshot, opened at first use. Raises Unauthenticated, and Unavailable once closed.

        All fields read from it, so a board, its counts and its cursor are consistent.
        """
        return await uninterrupted(self._open()) if self._snapshot is None else self._snapshot

    async def _open(self) -> Reading:
        async with self._lock:
            if self._closed:  # graphql-core goes on with the neighbours of a field that failed, for nobody
                raise Unavailable("This operation has ended.")
            if self._snapshot is None:
                async with AsyncExitStack() as opening:  # closes the snapshot if the caller is rejected
                    if self._reader is None:
                        claims = await self.application.accounts.claims(self.connection.authorization)
                    reading = await opening.enter_async_context(self.application.database.read(shared=True))
                    reading.reader = self._reader or await identify(reading, claims)
                    self._resources, self._snapshot = opening.pop_all(), reading
            return self._snapshot

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Work]:
        """A transaction as the caller, committed when the block ends. Later reads see its changes."""
        await self.release()
        claims = await self.application.accounts.claims(self.connection.authorization)
        async with self.application.database.write() as work:
            work.caller = await identify(work, claims)
            work.device = self.application.accounts.device_of(self.connection.device_value)
            yield work

    async def mark(self, on: date, mark: Mark) -> MarkOutcome:
        """Record one person's attendance as the caller, by group commit. Raises Refusal."""
        await self.release()
        claims = await self.application.accounts.claims(self.connection.authorization)
        return await self.application.group_commit.mark(claims, on, mark)

    async def may(self, right: Right) -> bool:
        """Whether the caller's role allows it; a shared rendering need not read anything for it."""
        reader = self._of_role or (await self.snapshot()).reader
        return reader.may(right)

    async def caller(self) -> Caller:
        """The caller. Raises Unauthenticated, and SharedAnswer in a shared rendering."""
        return (await self.snapshot()).caller

    @asynccontextmanager
    async def turn(self, *, ahead: bool = False) -> AsyncIterator[None]:
        """Leave to run a query, which accounts get in turns; `ahead` of the queries of this one, to run a mutation.

        Strangers' operations need no database. A query also waits for admission, and a mutation never does.

        Raises Unavailable when it takes as long as it does to give up a database that hangs, a ping and a connection,
        and when too many clients come at once.
        """
        account_id = self.connection.account_id
        if account_id is None:
            yield
            return
        if self._refused is not None:
            raise self._refused  # as what is not cacheable after all, and would be executed
        if self._patient_until is None:
            patience = 2 * self.application.settings.database_seconds
            self._patient_until = asyncio.get_running_loop().time() + patience
        turn = self.application.query_turns.turn(account_id, self._patient_until, ahead=ahead)
        async with turn, nullcontext() if ahead else self._admitted(account_id):
            yield

    @asynccontextmanager
    async def _admitted(self, account_id: int) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self.application.admission.turn(account_id))
            except Unavailable as refused:
                self._refused = refused.with_traceback(None)
                raise
            if self.connection.has_left():
                raise Unavailable("The client has left.")
            yield

    @asynccontextmanager
    async def turn_to_prepare(self) -> AsyncIterator[None]:
        """Leave to prepare a document. Strangers' documents are small, and take turns of their own."""
        if self.connection.account_id is None:
            yield
            return
        async with self.application.preparing.turn((self.connection.account_id,)):
            yield

    @property
    def stranger(self) -> RequestError | None:
        """Why the caller counts as a stranger."""
        return self.connection.stranger

    def resume_cursor(self, after: str | None) -> str | None:
        """The cursor in `connection_init` for this operation id, or else `after`."""
        return self.connection.resume.get(self.operation_id, after) if self.operation_id is not None else after

    def resumed(self) -> None:
        """Forget the cursor in `connection_init`: a later operation with the same id is another one."""
        if self.operation_id is not None:
            self.connection.resume.pop(self.operation_id, None)

    async def may_introspect(self) -> bool:
        """Whether everybody may introspect, or the caller, as an administrator, may. Raises Unauthenticated."""
        if self.application.settings.introspects_to_anybody:
            return True
        async with self.turn():
            try:
                return (await self.caller()).may(Right.INTROSPECT)
            finally:
                await self.release()  # no connection is held while the operation waits for its turn

    async def release(self) -> None:
        """Close the snapshot; the next read opens another."""
        async with self._lock:
            self._snapshot, self._reader = None, self._of_role
            self.load = self._loaders()
            await self._resources.aclose()

    async def close(self) -> None:
        self._closed = True
        await self.release()


Info = strawberry.Info[Context, None]
