"""Groups of equal subscribers: each event is rendered once for a group, and written to all members from one loop."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

import structlog

from memberstaff.errors import RequestError, Unavailable
from memberstaff.fanout.retry import Backoff

log = structlog.get_logger(__name__)

SHORT_SECONDS = 0.000_5
"""A send that took less, to a few dozen members, is not followed by a pause."""

TRIES = 3
"""Of a rendering that fails for a reason of its own, before its subscribers are told to come back later."""

RETRY_SECONDS = 5
"""After which a subscriber may try again who found the process full, or whose event could not be rendered."""


class Batch:
    """Rendered events that go out together, in one write to each member."""

    __slots__ = ("frames", "payloads")

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self.payloads = payloads
        self.frames: dict[Hashable, Sequence[bytes]] = {}
        """Cache for listeners, by whatever makes their frames equal: the payloads as one transport frames them."""


class Listener(Protocol):
    """One subscriber, as its group sees it."""

    @property
    def blocked(self) -> bool:
        """Whether the transport's write buffer is above its high-water mark: nothing may be added."""

    def send(self, batch: Batch) -> None:
        """Write the whole batch, or nothing if the client has gone; never waits."""

    async def unblocked(self) -> None:
        """Wait until more may be written."""

    def end(self, error: Exception | None) -> None:
        """Nothing more will come: because of this error, or because the events are complete. Never raises."""


class EndOfEvents(Exception):
    """Raised by a source that has no more events."""


class EventSource(ABC):
    """What a group is sent. Positions rise; what follows a position is the same for whoever asks.

    `start` and `after` may raise Unavailable, and are then called again until they do not. Another RequestError ends
    the subscription with it.
    """

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[int]:
        """Begin, at this position; waits while that cannot be. What the group needs is held until the block ends."""

    @abstractmethod
    async def start(self, after: str | None) -> int:
        """The position from which a subscriber with this cursor is served. Raises RestartRequired."""

    @abstractmethod
    async def after(self, position: int) -> tuple[int, Batch]:
        """The next events, and the position that they lead to; waits until there is one.

        Whatever was read for them has been let go when this returns. Raises EndOfEvents.
        """

    @abstractmethod
    def count(self, members: int) -> None:
        """Take note that so many more (or fewer) subscribers listen now."""


class Rendering(NamedTuple):
    """What a source answered. `number` is that of the last rendering that had begun when this one was done."""

    position: int
    batch: Batch
    number: int


class _InFlight(NamedTuple):
    number: int
    result: asyncio.Future[Rendering]


class Member:
    """One listener of a group: live while it has been sent everything, else catching up from its own position."""

    __slots__ = ("catching_up", "listener", "position", "rendering")

    def __init__(self, listener: Listener, position: int) -> None:
        self.listener = listener
        self.position = position
        """Of the last event that it was sent; kept only while it is not live."""
        self.rendering = 0
        """`Rendering.number` of what it was sent last; kept only while it is not live."""
        self.catching_up: asyncio.Task[None] | None = None


class SubscriberGroup:
    """Subscribers that are sent the same events. It ends when the last of them has left.

    A live member costs an entry in a dict: no task, no queue. A member whose connection is blocked leaves the live
    ones, and a task feeds it at its own pace until it has everything, so nobody waits for it. While nobody is live
    nothing is rendered ahead of those who catch up.
    """

    def __init__(self, source: EventSource, on_end: Callable[[], None]) -> None:
        self._source = source
        self._on_end = on_end
        self._live: dict[Member, None] = {}
        self._behind: set[Member] = set()
        self._joining = 0
        self._error: Exception | None = None
        self._ended = False
        self._position = 0
        self._sent = 0
        """`Rendering.number` of what the live members were sent last."""
        self._changed = asyncio.Event()
        """Set, and replaced, when the group has moved on, has its first live member, or has lost its last."""
        self._renderings = 0
        self._in_flight: dict[int, _InFlight] = {}
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running = asyncio.create_task(self._run())

    def __len__(self) -> int:
        return len(self._live) + len(self._behind)

    async def join(self, listener: Listener, after: str | None) -> Member:
        """Serve a listener from its cursor on, or from now; waits while the source is unavailable.

        Raises RequestError when the cursor cannot be honoured, or the events have ended.
        """
        self._joining += 1
        try:
            await asyncio.shield(self._opened)
            member = Member(listener, await self._start(after))
            if self._ended:
                raise self._error or EndOfEvents
            self._source.count(1)
            self._place(member)
        finally:
            self._joining -= 1
            self._end_if_empty()
        return member

    def leave(self, member: Member) -> None:
        """Send a member nothing more, from this moment on."""
        if member in self._live:
            self._remove_live(member)
        elif member in self._behind:
            self._behind.discard(member)
        else:
            return
        if member.catching_up is not None:
            member.catching_up.cancel()
        self._source.count(-1)
        self._end_if_empty()

    def _place(self, member: Member) -> None:
        if member.position > self._position and not self._live:
            self._position = member.position  # whatever is being rendered for the old position is nobody's
        if member.position == self._position and not member.listener.blocked:
            self._make_live(member)
        else:
            self._fall_behind(member)

    def _make_live(self, member: Member) -> None:
        self._live[member] = None
        if len(self._live) == 1:
            self._announce()

    def _remove_live(self, member: Member) -> None:
        del self._live[member]
        if not self._live:
            self._announce()

    def _fall_behind(self, member: Member) -> None:
        self._behind.add(member)
        member.catching_up = asyncio.create_task(self._catch_up(member))

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _end_if_empty(self) -> None:
        if not self._live and not self._behind and not self._joining:
            self._running.cancel()
            self._on_end()

    async def _start(self, after: str | None) -> int:
        backoff = Backoff()
        while True:
            try:
                return await self._source.start(after)
            except Unavailable:
                await backoff.pause()

    async def _run(self) -> None:
        """Send what comes, until nobody is left or the events end."""
        loop = asyncio.get_running_loop()
        try:
            async with self._source.open() as self._position:
                self._opened.set_result(None)
                while True:
                    while not self._live:
                        await self._changed.wait()
                    before = self._position
                    rendering = await self._render(before, self._sent)
                    if self._position != before:
                        continue
                    began = loop.time()
                    self._send(rendering)
                    # A rest as long as the send: sending never takes more than half of the loop's time, and under load
                    # what comes meanwhile goes out in one write. A change that comes after a rest is sent at once.
                    if (took := loop.time() - began) > SHORT_SECONDS:
                        await asyncio.sleep(took)
        except EndOfEvents:
            self._complete()
        except Exception as error:
            self._fail(error)

    def _send(self, rendering: Rendering) -> None:
        """The loop that the whole package is about: keep it small."""
        blocked: list[Member] = []
        batch = rendering.batch
        if batch.payloads:
            for member in self._live:
                listener = member.listener
                if listener.blocked:
                    blocked.append(member)
                else:
                    listener.send(batch)
        for member in blocked:
            del self._live[member]
            member.position, member.rendering = self._position, self._sent
            self._fall_behind(member)
        self._position, self._sent = rendering.position, rendering.number
        self._announce()

    async def _catch_up(self, member: Member) -> None:
        """Feed one member at its own pace until it has everything that the group has sent."""
        try:
            while True:
                await member.listener.unblocked()
                if member.position < self._position:
                    rendering = await self._render(member.position, member.rendering)
                    if rendering.batch.payloads:
                        member.listener.send(rendering.batch)
                    member.position, member.rendering = rendering.position, rendering.number
                elif self._ended:
                    raise EndOfEvents
                elif member.position > self._position and self._live:  # it began later than the group has come by now
                    await self._changed.wait()
                elif not member.listener.blocked:
                    break
            self._position = member.position
            self._sent = max(self._sent, member.rendering)
            self._behind.discard(member)
            member.catching_up = None
            self._make_live(member)
        except EndOfEvents:
            self._dismiss(member, None)
        except Exception as error:
            self._dismiss(member, error)

    async def _render(self, position: int, seen: int) -> Rendering:
        """The events after a position, rendered once for all who wait for them at the same time.

        Only by a rendering that began after number `seen`: what another one reads beside the change itself could be
        older than what the member has been sent already.
        """
        while (current := self._in_flight.get(position)) is not None and current.number > seen:
            await asyncio.wait({current.result})
            if not current.result.cancelled():  # else whoever rendered has left
                return current.result.result()
        self._renderings += 1
        number = self._renderings
        result: asyncio.Future[Rendering] = asyncio.get_running_loop().create_future()
        mine = self._in_flight[position] = _InFlight(number, result)
        try:
            reached, batch = await self._read(position)
        except asyncio.CancelledError:
            result.cancel()
            raise
        except Exception as error:
            result.set_exception(error)
            result.exception()  # there may be nobody else who asks
            raise
        else:
            rendering = Rendering(reached, batch, self._renderings)
            result.set_result(rendering)
            return rendering
        finally:
            if self._in_flight.get(position) is mine:
                del self._in_flight[position]

    async def _read(self, position: int) -> tuple[int, Batch]:
        """Ask the source for as long as it is unavailable. Raises RequestError and EndOfEvents."""
        backoff = Backoff()
        failures = 0
        while True:
            try:
                return await self._source.after(position)
            except Unavailable as error:
                if backoff.is_first:
                    log.warning("Events cannot be read; their subscribers wait", reason=error.message)
            except (RequestError, EndOfEvents):
                raise
            except Exception as error:
                failures += 1
                log.warning("An event could not be rendered", attempt=failures, exc_info=error)
                if failures == TRIES:
                    why = "The next event cannot be rendered just now. Subscribe again from the last one in a moment."
                    raise Unavailable(why, RETRY_SECONDS) from error
            await backoff.pause()

    def _complete(self) -> None:
        """There are no more events; whoever is behind is told when it has been sent those before."""
        self._ended = True
        self._on_end()
        for member in [*self._live]:
            self._dismiss(member, None)

    def _fail(self, error: Exception) -> None:
        """The events have broken off: whoever waits or listens is told."""
        if not isinstance(error, RequestError):
            log.error("A group of subscribers has failed", exc_info=error)
        self._error, self._ended = error, True
        if not self._opened.done():
            self._opened.set_exception(error)
            self._opened.exception()  # there may be nobody left who asks
        self._on_end()
        for member in [*self._live, *self._behind]:
            self._dismiss(member, error)

    def _dismiss(self, member: Member, error: Exception | None) -> None:
        member.listener.end(error)
        self.leave(member)


class SubscriberGroups:
    """The groups of a process by key, bounded in all and for each account that began them.

    When the process is full, an account may begin one more only below its fair share, `limit` divided by the accounts
    that have groups: those with the most are refused, and nobody's first group is.
    """

    def __init__(self, *, limit: int, limit_per_owner: int) -> None:
        self._limit = limit
        self._limit_per_owner = limit_per_owner
        self._groups: dict[Hashable, SubscriberGroup] = {}
        self._begun_by: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def members(self) -> int:
        """The subscribers of all groups."""
        return sum(len(group) for group in self._groups.values())

    async def join(
        self,
        key: Hashable,
        make_source: Callable[[], EventSource],
        listener: Listener,
        *,
        owner: Hashable,
        after: str | None,
    ) -> Callable[[], None]:
        """Let a listener join the group with this key, which `owner` begins if there is none; answers how it leaves.

        Raises Unavailable when the process or the owner has too many groups, and what `make_source` and
        `SubscriberGroup.join` raise.
        """
        group = self._groups.get(key)
        if group is None:
            self._require_room(owner)
            group = self._begin(key, make_source(), owner)
        member = await group.join(listener, after)
        return lambda: group.leave(member)

    def _require_room(self, owner: Hashable) -> None:
        begun = self._begun_by[owner]
        if begun >= self._limit_per_owner:
            why = f"This account has begun {begun:,} different subscriptions: end some before you begin another."
            raise Unavailable(why, RETRY_SECONDS)
        if len(self._groups) >= self._limit and begun:
            fair_share = self._limit // len(self._begun_by)
            if begun >= fair_share:
                raise Unavailable("This server has too many different subscriptions; try again later.", RETRY_SECONDS)

    def _begin(self, key: Hashable, source: EventSource, owner: Hashable) -> SubscriberGroup:
        def on_end() -> None:
            if self._groups.get(key) is group:
                del self._groups[key]
                self._begun_by[owner] -= 1
                if not self._begun_by[owner]:
                    del self._begun_by[owner]

        group = self._groups[key] = SubscriberGroup(source, on_end)
        self._begun_by[owner] += 1
        return group
