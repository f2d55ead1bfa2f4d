"""The members of the presence channel, `presence-attendance`, on all processes.

Each process tells the others its members when they change, and every ten seconds. What it told is valid for thirty:
when a process dies, its members are removed. Nothing is kept in Redis.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from memberstaff import metrics
from memberstaff.access import Caller
from memberstaff.db.clock import Clock
from memberstaff.keyring import Keyring
from memberstaff.notify.channel import Channel
from memberstaff.notify.seal import Seal
from memberstaff.notify.throttle import MinuteLog, Throttle
from memberstaff.pusher.protocol import event

CHANNEL = "presence-attendance"
RENEW_SECONDS = 10.0
LEASE_SECONDS = 30.0
GOODBYE_SECONDS = 1.0
MOST_MEMBERS = 500
"""That a process tells the others of."""
MOST_PROCESSES = 200
"""That are listened to."""

Send = Callable[[bytes], None]
"""Sends a message to one subscriber."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What a process tells the others: its members' display names, by the id that clients see."""

    process: str
    until: float
    """Unix seconds, and higher in each lease of a process: one that was recorded and repeated is older."""
    members: dict[str, str]
    asks: bool = False
    """Whether it asks the others for theirs: it has just begun to listen."""


@dataclass(slots=True)
class _Process:
    """Another process, as it last told."""

    until: float
    members: dict[str, str] = field(default_factory=dict)
    forget_at: float = 0.0
    """By the clock of the event loop: clocks of other machines may be wrong."""


class Presence:
    """The members, by the id that clients see; needs `run` to be running.

    `account_id` converts the number of an account to that id.
    """

    def __init__(
        self, url: str, channel: str, keyring: Keyring, account_id: Callable[[int | None], str], clock: Clock
    ) -> None:
        seal = Seal(keyring, f"presence on {channel}")
        self.channel = Channel(url, f"{channel}:presence", seal, self._hear, self._listening)
        self._is_alone = url.startswith("memory:")
        self._clock = clock
        self._process = secrets.token_hex(8)
        self._account_id = account_id
        self._subscribers: defaultdict[str, list[Send]] = defaultdict(list)
        """Subscribers of this process, by member."""
        self._names: dict[str, str] = {}
        """Display names of members on this process."""
        self._others: dict[str, _Process] = {}
        self._sent: dict[str, str] = {}
        """Display names of all members, as last sent to the subscribers."""
        self._until = 0.0
        self._asks = False
        self._due = asyncio.Event()
        self._tell = Throttle(self._due.set)
        self._log = MinuteLog()

    def subscription_data(self) -> dict[str, Any]:
        """The data of `subscription_succeeded`: the current members."""
        members = {member: {"name": name} for member, name in self._sent.items()}
        return {"presence": {"count": len(members), "ids": list(members), "hash": members}}

    def join(self, caller: Caller, send: Send) -> Callable[[], None]:
        """Add a subscriber, and notify it of other members from now on; returns how to leave."""
        member = self._account_id(caller.account_id)
        self._subscribers[member].append(send)
        self._names[member] = caller.display_name
        self._send_changes()
        self._tell()

        def leave() -> None:
            if send not in self._subscribers.get(member, ()):
                return
            self._subscribers[member].remove(send)
            if not self._subscribers[member]:
                del self._subscribers[member], self._names[member]
                self._send_changes()
                self._tell()

        return leave

    async def run(self) -> None:
        """Tell the others, and listen to them, until cancelled; does nothing without Redis."""
        if self._is_alone:
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.channel.run())
            try:
                while True:
                    await self._renew()
            finally:
                await self._say({}, seconds=GOODBYE_SECONDS)  # so that our members are removed at once

    async def _renew(self) -> None:
        """Tell the others when there is a reason, or it is time; forget those who have not told for too long."""
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                await self._due.wait()
        except TimeoutError:
            pass
        if self._due.is_set() or self._names:
            self._due.clear()
            asks, self._asks = self._asks, False
            await self._say(dict(list(self._names.items())[:MOST_MEMBERS]), seconds=RENEW_SECONDS, asks=asks)
        now = asyncio.get_running_loop().time()
        self._others = {name: other for name, other in self._others.items() if other.forget_at > now}
        self._send_changes()

    async def _say(self, members: dict[str, str], *, seconds: float, asks: bool = False) -> None:
        self._until = max(self._clock().timestamp() + LEASE_SECONDS, self._until + 0.001)
        try:
            async with asyncio.timeout(seconds):
                await self.channel.publish(msgspec.json.encode(Lease(self._process, self._until, members, asks)))
        except Exception as error:  # the others forget us, until it succeeds again
            metrics.PRESENCE_FAILURES.labels("unsent").inc()
            self._log.warning("Presence cannot reach Redis", reason=type(error).__name__)

    def _listening(self) -> None:
        self._asks = True
        self._tell()

    def _hear(self, text: bytes) -> None:
        """Take over what another process tells, unless it is old: it may have been recorded and published again."""
        try:
            lease = msgspec.json.decode(text, type=Lease)
        except (msgspec.DecodeError, RecursionError) as error:
            self._log.warning("Ignored a presence lease, of a later release?", reason=type(error).__name__)
            return
        if lease.process == self._process:
            return
        valid_for = lease.until - self._clock().timestamp()
        if not 0 < valid_for <= 2 * LEASE_SECONDS:
            metrics.PRESENCE_FAILURES.labels("old").inc()
            self._log.warning("Ignored an old presence lease: was it repeated, or do two clocks differ?", by=valid_for)
            return
        other = self._others.get(lease.process)
        if other is None and len(self._others) >= MOST_PROCESSES:
            metrics.PRESENCE_FAILURES.labels("too_many").inc()
            self._log.warning("Presence listens to no more processes", limit=MOST_PROCESSES)
            return
        if other is not None and lease.until <= other.until:
            return
        members = dict(list(lease.members.items())[:MOST_MEMBERS])
        forget_at = asyncio.get_running_loop().time() + LEASE_SECONDS
        self._others[lease.process] = _Process(lease.until, members, forget_at)
        self._send_changes()
        if lease.asks:
            self._tell()

    def _send_changes(self) -> None:
        """Notify the subscribers here of members who joined or left, except of themselves."""
        now = {member: name for other in self._others.values() for member, name in other.members.items()}
        now |= self._names
        before, self._sent = self._sent, now
        messages = [
            *(
                (member, event("pusher_internal:member_removed", {"user_id": member}, CHANNEL))
                for member in before
                if member not in now
            ),
            *(
                (
                    member,
                    event("pusher_internal:member_added", {"user_id": member, "user_info": {"name": name}}, CHANNEL),
                )
                for member, name in now.items()
                if member not in before
            ),
        ]
        for about, message in messages:
            for member, sends in list(self._subscribers.items()):
                if member != about:
                    for send in list(sends):
                        send(message)
