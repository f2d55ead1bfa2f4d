"""Everybody who sees the same events: each is rendered once, and sent to all of them from one loop."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from memberstaff.errors import RequestError

log = structlog.get_logger(__name__)


SHORT_SECONDS = 0.000_5
"""A send that took less is not followed by a pause: a few dozen members."""


class Batch:
    """Rendered events that go out together, in one write to each member."""

    __slots__ = ("frames", "payloads")

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self.payloads = payloads
        self.frames: dict[int, list[bytes]] = {}
        """For whoever sends: what is alike for all members whose envelope has the same length."""


class Listener(Protocol):
    """One subscriber, as a group sees it."""

    @property
    def blocked(self) -> bool:
        """Whether so much waits to be sent already that nothing may be added."""

    def send(self, batch: Batch) -> None:
        """Send all of it, or nothing if the listener has gone; never waits."""

    async def unblocked(self) -> None:
        """Wait until more may be sent."""

    def end(self, error: Exception) -> None:
        """The group has nothing more for it, and this is why; never raises."""


class EventSource(ABC):
    """What a group shows. Positions rise; what follows one of them is the same for whoever asks."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[int]:
        """Begin, at this position; what the group needs is held until the block ends."""

    @abstractmethod
    async def start(self, after: str | None) -> int:
        """The position from which somebody who sends this cursor must be served. Raises RestartRequired."""

    @abstractmethod
    async def after(self, position: int) -> tuple[int, Batch]:
        """The next events after a position, and the position that they lead to; waits until there is one."""

    @abstractmethod
    def count(self, members: int) -> None:
        """Learn how many more (or fewer) listen now."""


class Member:
    """One listener in a group: live while it has everything, else on its way there from a position of its own."""

    __slots__ = ("catching_up", "listener", "position")

    def __init__(self, listener: Listener, position: int) -> None:
        self.listener = listener
        self.position = position
        """The last position that it was sent; kept only while it is not live."""
        self.catching_up: asyncio.Task[None] | None = None


class SubscriberGroup:
    """Members of one document, one set of variables and one role. Ends when the last of them has left.

    A member that has everything costs an entry in a dict: no task, no queue. One whose connection is full is
    taken out, and fed at its own pace until it has everything again, so nobody waits for it.
    """

    def __init__(self, events: EventSource, ended: Callable[[], None]) -> None:
        self._events = events
        self._ended = ended
        self._live: dict[Member, None] = {}
        self._behind: set[Member] = set()
        self._joining = 0
        self._over: Exception | None = None
        self._position = 0
        self._moved = asyncio.Event()
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running = asyncio.create_task(self._run())

    def __len__(self) -> int:
        return len(self._live) + len(self._behind)

    async def join(self, listener: Listener, after: str | None) -> Member:
        """Serve a listener from its cursor on, or from now. Raises RequestError when that cannot be."""
        self._joining += 1
        try:
            await asyncio.shield(self._begun)
            member = Member(listener, await self._events.start(after))
            if self._over is not None:
                raise self._over
            self._events.count(1)
            self._place(member)
        finally:
            self._joining -= 1
            self._end_if_empty()
        return member

    def leave(self, member: Member) -> None:
        """Send a member nothing any more, from this moment on."""
        if member in self._live:
            del self._live[member]
        elif member in self._behind:
            self._behind.discard(member)
        else:
            return
        if member.catching_up is not None:
            member.catching_up.cancel()
        self._events.count(-1)
        self._end_if_empty()

    def _place(self, member: Member) -> None:
        if member.position == self._position and not member.listener.blocked:
            self._live[member] = None
        else:
            self._behind.add(member)
            member.catching_up = asyncio.create_task(self._catch_up(member))

    def _end_if_empty(self) -> None:
        if not self._live and not self._behind and not self._joining:
            self._running.cancel()
            self._ended()

    async def _run(self) -> None:
        """Send what comes, until there is nobody left or the events end."""
        loop = asyncio.get_running_loop()
        try:
            async with self._events.open() as self._position:
                self._begun.set_result(None)
                while True:
                    position, batch = await self._after(self._position)
                    began = loop.time()
                    self._send(batch)
                    self._position = position
                    self._moved.set()
                    self._moved = asyncio.Event()
                    # As long as it took. Sending then never has more than half of the loop's time, and under load what
                    # comes meanwhile goes out together; a change that comes after a rest is sent at once.
                    if (took := loop.time() - began) > SHORT_SECONDS:
                        await asyncio.sleep(took)
        except Exception as error:
            self._fail(error)

    async def _after(self, position: int) -> tuple[int, Batch]:
        """The next events, however long the database is away."""
        while True:
            try:
                return await self._events.after(position)
            except (OSError, SQLAlchemyError) as error:
                log.warning("Events cannot be read; their subscribers wait", reason=type(error).__name__)
                await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, guards nothing

    def _send(self, batch: Batch) -> None:
        """The loop that the whole folder is about: keep it small."""
        if not batch.payloads:
            return
        full: list[Member] = []
        for member in self._live:
            listener = member.listener
            if listener.blocked:
                full.append(member)
            else:
                listener.send(batch)
        for member in full:
            del self._live[member]
            member.position = self._position
            self._behind.add(member)
            member.catching_up = asyncio.create_task(self._catch_up(member))

    async def _catch_up(self, member: Member) -> None:
        """Feed one member at its own pace until it has what the group has sent."""
        try:
            while True:
                await member.listener.unblocked()
                if member.position > self._position:  # it began later than the group has come by now
                    await self._moved.wait()
                elif member.position < self._position:
                    position, batch = await self._after(member.position)
                    if batch.payloads:
                        member.listener.send(batch)
                    member.position = position
                elif not member.listener.blocked:
                    break
            self._behind.discard(member)
            self._live[member] = None
            member.catching_up = None
        except Exception as error:
            self._dismiss(member, error)

    def _fail(self, error: Exception) -> None:
        """The events have ended: whoever waits or listens is told."""
        if not isinstance(error, RequestError):
            log.error("A group of subscribers has failed", exc_info=error)
        self._over = error
        if not self._begun.done():
            self._begun.set_exception(error)
            self._begun.exception()  # there may be nobody left who asks
        self._ended()
        for member in [*self._live, *self._behind]:
            self._dismiss(member, error)

    def _dismiss(self, member: Member, error: Exception) -> None:
        member.listener.end(error)
        self.leave(member)


class SubscriberGroups:
    """The groups of a process, each found by what makes its members equal.

    There are so many at most, and so many at most that one account began: whoever would begin one more is to be
    served alone.
    """

    def __init__(self, *, most: int, most_of_account: int) -> None:
        self._most = most
        self._most_of_account = most_of_account
        self._groups: dict[Hashable, SubscriberGroup] = {}
        self._begun_by: Counter[int | None] = Counter()

    def __len__(self) -> int:
        return len(self._groups)

    def find(self, key: Hashable) -> SubscriberGroup | None:
        """The group with this key, if there is one."""
        return self._groups.get(key)

    def has_room(self, account_id: int | None) -> bool:
        """Whether the account may begin one more."""
        return len(self._groups) < self._most and self._begun_by[account_id] < self._most_of_account

    def begin(self, key: Hashable, events: EventSource, account_id: int | None) -> SubscriberGroup:
        """Make the group with this key; somebody must join it at once."""

        def ended() -> None:
            if self._groups.get(key) is group:
                del self._groups[key]
                self._begun_by[account_id] -= 1
                self._begun_by += Counter()  # which drops those at zero

        group = self._groups[key] = SubscriberGroup(events, ended)
        self._begun_by[account_id] += 1
        return group
