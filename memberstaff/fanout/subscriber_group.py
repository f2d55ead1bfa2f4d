"""Groups of equal subscribers: an event is rendered once for a group, and written to its members in one loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Hashable

import structlog

from memberstaff import metrics, tracing
from memberstaff.errors import RequestError, Unavailable
from memberstaff.fanout.event_source import EndOfEvents, EventSource, Listener, SourceOver
from memberstaff.fanout.renderings import Rendering, Renderings
from memberstaff.fanout.retry import RETRY_SECONDS, Backoff
from memberstaff.fanout.turns import Payers

log = structlog.get_logger(__name__)

PAUSE = 2
"""Times as long as a send took, it is followed by a pause: until then four desks that heard of it have marked again."""

SHORT_SECONDS = 0.000_5
"""A send that took less (a few dozen members) is not followed by a pause."""


def no_one_to_tell() -> None:
    """For a member of nobody's."""


class Member:
    """A listener in a group: live once it has been sent everything, until then catching up from its own position."""

    __slots__ = ("catching_up", "group", "listener", "on_leave", "owner", "position", "rendering")

    def __init__(
        self,
        group: SubscriberGroup,
        listener: Listener,
        position: int,
        owner: Hashable,
        on_leave: Callable[[], None],
    ) -> None:
        self.group = group
        self.listener = listener
        self.owner = owner
        self.on_leave = on_leave
        self.position = position
        """Of the last event that it was sent; maintained only while it is not live."""
        self.rendering = 0
        """`Rendering.seen` of what it was sent last; maintained only while it is not live."""
        self.catching_up: asyncio.Task[None] | None = None

    def leave(self) -> None:
        """Leave the group: it is sent nothing after this call."""
        self.group.leave(self)


class SubscriberGroup:
    """Subscribers that are sent the same events. It ends when its last member leaves.

    A live member costs a dict entry: no task, no queue. A member whose connection is blocked stops being live, and a
    task of its own sends it what it lacks at its own pace, so a slow client delays nobody. While no member is live,
    nothing is rendered ahead of those that are catching up.
    """

    def __init__(self, source: EventSource, on_end: Callable[[], None], *, owner: Hashable = None) -> None:
        self.source = source
        self._on_end = on_end
        self._first_owner = owner
        self._owners: Counter[Hashable] = Counter()
        """Members by owner, in the order in which the owners came."""
        self._live: dict[Member, None] = {}
        self._behind: set[Member] = set()
        self._joining = 0
        self._error: Exception | None = None
        self._ended = False
        self._position = 0
        self._sent = 0
        """`Rendering.seen` of what the live members were sent last."""
        self._changed = asyncio.Event()
        """Set, and replaced, when the position changes, the first live member is added, or the last one is removed."""
        self._renderings = Renderings(source)
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running = asyncio.create_task(self._run())

    def __len__(self) -> int:
        return len(self._live) + len(self._behind)

    @property
    def owners(self) -> Collection[Hashable]:
        """The accounts that have members, in the order in which they came; until then the one that began the group."""
        return self._owners.keys() or (self._first_owner,)

    async def join(
        self,
        listener: Listener,
        after: str | None,
        *,
        owner: Hashable = None,
        on_leave: Callable[[], None] = no_one_to_tell,
    ) -> Member:
        """Add a listener, to be sent what follows its cursor, or now; waits while the source is unavailable.

        `on_leave` is called once, when the member is removed. Raises RequestError when the cursor cannot be resumed
        from or the source has failed, EndOfEvents when it is complete, SourceOver when another group goes on.
        """
        self._joining += 1
        try:
            await asyncio.shield(self._opened)
            member = Member(self, listener, await self._start(after), owner, on_leave)
            if self._ended:
                raise self._error or EndOfEvents
            self.source.count(1)
            self._owners[owner] += 1
            self._place(member)
        finally:
            self._joining -= 1
            self._end_if_empty()
        return member

    def leave(self, member: Member) -> None:
        """Remove a member; it is sent nothing after this call."""
        if member in self._live:
            self._remove_live(member)
        elif member in self._behind:
            self._behind.discard(member)
        else:
            return
        if member.catching_up is not None:
            member.catching_up.cancel()
        self.source.count(-1)
        self._owners[member.owner] -= 1
        if not self._owners[member.owner]:
            del self._owners[member.owner]
        member.on_leave()
        self._end_if_empty()

    def _place(self, member: Member) -> None:
        if member.position > self._position and not self._live:
            self._position = member.position  # a rendering in flight for the old position is discarded
        if member.position == self._position and not member.listener.blocked:
            self._make_live(member)
        else:
            self._fall_behind(member)

    def _make_live(self, member: Member) -> None:
        self._live[member] = None
        self._renderings.join(self._position, member.owner)
        if len(self._live) == 1:
            self._notify_changed()

    def _remove_live(self, member: Member) -> None:
        del self._live[member]
        if not self._live:
            self._notify_changed()

    def _fall_behind(self, member: Member) -> None:
        self._behind.add(member)
        member.catching_up = asyncio.create_task(self._catch_up(member))

    def _notify_changed(self) -> None:
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
                return await self.source.start(after)
            except Unavailable:
                await backoff.pause()
            except (RequestError, SourceOver):
                raise
            except Exception as error:
                log.warning("Failed to start a subscription", exc_info=error)
                why = "This subscription cannot start just now. Try again in a moment."
                raise Unavailable(why, RETRY_SECONDS) from error

    async def _run(self) -> None:
        """Render and send events until the source ends; cancelled when the last member leaves."""
        loop = asyncio.get_running_loop()
        try:
            async with self.source.open() as self._position:
                self._opened.set_result(None)
                while True:
                    while not self._live:
                        await self._changed.wait()
                    before = self._position
                    rendering = await self._renderings.after(before, self._sent, Payers(self._owners.keys()))
                    if self._position != before or rendering.number <= self._sent:
                        continue  # a member that caught up meanwhile has been sent more, or newer data beside it
                    began = loop.time()
                    self._send(rendering)
                    # Sending takes at most a third of the loop's time, and under load the events of a pause go out in
                    # one write, which costs hardly more than that of a single event. After a pause one is sent at once.
                    if (took := loop.time() - began) > SHORT_SECONDS:
                        await asyncio.sleep(PAUSE * took)
        except EndOfEvents:
            self._complete()
        except Exception as error:
            self._fail(error)

    def _send(self, rendering: Rendering) -> None:
        """The hot loop: once per live member and batch."""
        blocked: list[Member] = []
        batch = rendering.batch
        if batch.payloads or batch.cursors:
            with tracing.spans.sending(batch.trace, len(self._live)) if batch.trace is not None else tracing.OFF:
                for member in self._live:
                    listener = member.listener
                    if listener.blocked:
                        blocked.append(member)
                    else:
                        listener.send(batch)
        if blocked:
            metrics.SUBSCRIBERS_BEHIND.inc(len(blocked))
        for member in blocked:
            del self._live[member]
            member.position, member.rendering = self._position, self._sent
            self._fall_behind(member)
        if batch.payloads and metrics.observed:
            self.source.sent(self._position, rendering.position)
        self._position, self._sent = rendering.position, rendering.seen
        self._notify_changed()

    async def _catch_up(self, member: Member) -> None:
        """Send one member what it lacks, at its own pace, until it can be live again."""
        try:
            while True:
                await member.listener.drain()
                if member.listener.blocked:  # again, by another operation of the same socket
                    await asyncio.sleep(0)
                elif member.position < self._position:
                    # What a member lacks, which may be all of the day, is the affair of its own account.
                    payers = Payers((member.owner,))
                    rendering = await self._renderings.after(member.position, member.rendering, payers)
                    if rendering.batch.payloads or rendering.batch.cursors:
                        if member.listener.blocked:
                            continue
                        member.listener.send(rendering.batch)
                    member.position, member.rendering = rendering.position, rendering.seen
                elif self._ended:
                    raise EndOfEvents
                elif member.position > self._position and self._live:  # it joined ahead of the live members
                    await self._changed.wait()
                else:
                    break
            self._position = member.position
            self._sent = max(self._sent, member.rendering)
            self._behind.discard(member)
            member.catching_up = None
            self._make_live(member)
        except EndOfEvents:
            self._end_member(member, None)
        except Exception as error:
            self._end_member(member, error)

    def _complete(self) -> None:
        """End the group after its last event; members that are behind are sent what they lack first."""
        self._ended = True
        if not self._opened.done():
            self._opened.set_exception(EndOfEvents())
            self._opened.exception()
        self._on_end()
        for member in [*self._live]:
            self._end_member(member, None)

    def _fail(self, error: Exception) -> None:
        """End the group, and every member and `join`, with an error."""
        if not isinstance(error, RequestError):
            metrics.GROUPS_FAILED.inc()
            log.error("A subscriber group failed", exc_info=error)
            error = Unavailable("This subscription failed on our side. Try again in a moment.", RETRY_SECONDS)
        self._error, self._ended = error, True
        if not self._opened.done():
            self._opened.set_exception(error)
            self._opened.exception()  # marks it as retrieved: nobody may be waiting
        self._on_end()
        for member in [*self._live, *self._behind]:
            self._end_member(member, error)

    def _end_member(self, member: Member, error: Exception | None) -> None:
        member.listener.end(error)
        self.leave(member)
