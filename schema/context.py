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

from memberstaff.access import Caller, Right, Role
from memberstaff.accounts.sessions import identify
from memberstaff.application import Application
from memberstaff.attendance.commands import Outcome
from memberstaff.attendance.rules import Mark
from memberstaff.db.work import Reading, Work
from memberstaff.errors import Unauthenticated
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
    """One operation: `application` does the work, `connection` is where the question came from."""

    def __init__(
        self,
        application: Application,
        connection: Connection,
        operation_id: str | None = None,
        *,
        group: Role | None = None,
    ) -> None:
        self.application = application
        self.connection = connection
        self.operation_id = operation_id
        self._group = Caller(None, "", "", group) if group else None
        self._known: Caller | None = self._group
        self._opening = asyncio.Lock()
        self._held = AsyncExitStack()
        self._snapshot: Reading | None = None
        self.load = Loaders(self.snapshot, application.calendar, application.board_cache)

    def of_group(self, role: Role) -> Context:
        """One that reads as any member of a group of equal subscriptions may: everybody in it has this role."""
        return Context(self.application, Connection(UNKNOWN, f"group-{self.request_id}"), group=role)

    def fresh(self) -> Context:
        """One for the next few events of the same group."""
        return Context(self.application, self.connection, group=self.member.role)

    @property
    def member(self) -> Caller:
        """Any member of the group: nobody in particular, with the role of all of them."""
        assert self._group is not None
        return self._group

    def admit(self, caller: Caller) -> None:
        """Read as the caller whom this very request has identified already."""
        self._known = caller

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
                    if self._known is None:
                        claims = await self.application.accounts.claims(self.connection.authorization)
                    reading = await opening.enter_async_context(self.application.database.read())
                    if self._known is None:
                        reading.caller = await identify(reading, claims)
                    else:
                        reading.caller = self._known
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

    async def mark(self, on: date, mark: Mark) -> Outcome:
        """Record one person's attendance as the caller, perhaps in one transaction with others. Raises Refusal."""
        await self.renew()
        claims = await self.application.accounts.claims(self.connection.authorization)
        return await self.application.group_commit.mark(claims, on, mark)

    async def admitted(self) -> Caller:
        """Who is asking, for an operation that goes on: it ends when their access does. Raises Unauthenticated."""
        return await self.application.admit(self.connection, self.connection.authorization)

    async def caller(self) -> Caller:
        """Who is asking; raises Unauthenticated."""
        return (await self.snapshot()).caller

    def resumed(self, after: str | None) -> str | None:
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
            self._snapshot, self._known = None, self._group
            self.load = Loaders(self.snapshot, self.application.calendar, self.application.board_cache)
            await self._held.aclose()

    async def close(self) -> None:
        """Give back what the operation held."""
        await self.renew()


Info = strawberry.Info[Context, None]
