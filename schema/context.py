"""What every resolver of one operation shares: who is asking, one snapshot, and the way to write.

There is a fresh context for each operation, also on a socket, so nothing in it outlives its operation, and
no database session is held by a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date

import strawberry

from memberstaff.access import AnyoneWith, Caller, Reader, Right, Role
from memberstaff.accounts.sessions import identify
from memberstaff.application import Application
from memberstaff.attendance.commands import MarkOutcome
from memberstaff.attendance.day_version import DayVersion
from memberstaff.attendance.rules import Mark
from memberstaff.db.work import Reading, Work
from memberstaff.errors import Unauthenticated
from memberstaff.fanout.subscriber_group import SubscriberGroups
from memberstaff.server.connection import UNKNOWN, Connection
from schema.loaders import Loaders

strawberry.enum(
    Role,
    name="Role",
    description=(
        "What an account is for. ADMIN does everything; MARKER marks today and reads; VIEWER reads the board "
        "without notes."
    ),
)


class Context:
    """One operation: `application` does the work, `connection` is where the question came from.

    A context `of_role` belongs to a rendering that is shown to everybody with that role: it has no caller.
    """

    def __init__(
        self,
        application: Application,
        connection: Connection,
        operation_id: str | None = None,
        *,
        of_role: Role | None = None,
    ) -> None:
        self.application = application
        self.connection = connection
        self.operation_id = operation_id
        self._of_role = AnyoneWith(of_role) if of_role else None
        self._reader: Reader | None = self._of_role
        self._opening = asyncio.Lock()
        self._held = AsyncExitStack()
        self._snapshot: Reading | None = None
        self.load = self._loaders()

    def _loaders(self) -> Loaders:
        return Loaders(self.snapshot, self.application.calendar, self.application.board_cache)

    def as_scope(self, scope: Role) -> Context:
        """One that reads as anybody with this role: the authorisation scope of all that is shared."""
        return Context(self.application, Connection(UNKNOWN, f"shared-{self.request_id}"), of_role=scope)

    def fresh(self) -> Context:
        """One for the next few events of the same group."""
        assert self._of_role is not None
        return Context(self.application, self.connection, of_role=self._of_role.role)

    @property
    def reader(self) -> Reader:
        """Whose rights decide, in a shared rendering."""
        assert self._of_role is not None
        return self._of_role

    @property
    def groups(self) -> SubscriberGroups:
        """Of this process."""
        return self.application.groups

    async def authorize(self) -> tuple[Role, int | None]:
        """The caller's role and account; the operation ends when their access does. Raises RequestError."""
        caller = await self.application.admit(self.connection, self.connection.authorization)
        return caller.role, caller.account_id

    async def version(self, argument: str | None) -> tuple[Role, int | None, DayVersion] | None:
        """The caller's role and account, and the version of a day (today without an argument).

        None for what is no date. Raises RequestError. What this operation reads from here on, it reads as this caller.
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
        """Stands in the log and in what a client is told of an internal error."""
        return self.connection.request_id

    async def snapshot(self) -> Reading:
        """The operation's one consistent view, opened at its first use; raises Unauthenticated.

        All fields of an answer are read from it, so a board, its counts and its cursor agree.
        """
        async with self._opening:
            if self._snapshot is None:
                async with AsyncExitStack() as opening:  # closed here when the caller may not come in
                    if self._reader is None:
                        claims = await self.application.accounts.claims(self.connection.authorization)
                    reading = await opening.enter_async_context(self.application.database.read())
                    reading.reader = self._reader or await identify(reading, claims)
                    self._held, self._snapshot = opening.pop_all(), reading
            return self._snapshot

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Work]:
        """A transaction as the caller; committed when the block ends. Later reads see what it wrote."""
        await self.renew()
        claims = await self.application.accounts.claims(self.connection.authorization)
        async with self.application.database.write() as work:
            work.caller = await identify(work, claims)
            yield work

    async def mark(self, on: date, mark: Mark) -> MarkOutcome:
        """Record one person's attendance as the caller, perhaps in one transaction with others. Raises Refusal."""
        await self.renew()
        claims = await self.application.accounts.claims(self.connection.authorization)
        return await self.application.group_commit.mark(claims, on, mark)

    async def caller(self) -> Caller:
        """Who is asking. Raises Unauthenticated, and SharedAnswer in a shared rendering."""
        return (await self.snapshot()).caller

    def resume_cursor(self, after: str | None) -> str | None:
        """The cursor that this operation starts from: the one sent with `connection_init`, or else `after`.

        Each is for one operation: a later one with the same id is another.
        """
        return self.connection.resume.pop(self.operation_id, after) if self.operation_id is not None else after

    async def may_introspect(self) -> bool:
        """Whether the schema may be introspected: by a setting, or by an administrator."""
        settings = self.application.settings
        if settings.introspection if settings.introspection is not None else settings.demo:
            return True
        try:
            return (await self.caller()).may(Right.INTROSPECT)
        except Unauthenticated:
            return False

    async def renew(self) -> None:
        """Let the snapshot go: what is read from here on is read anew."""
        async with self._opening:
            self._snapshot, self._reader = None, self._of_role
            self.load = self._loaders()
            await self._held.aclose()

    async def close(self) -> None:
        """Give back what the operation held."""
        await self.renew()


Info = strawberry.Info[Context, None]
