"""The subscriber groups of a process, within limits for the process and for each account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

from memberstaff import metrics
from memberstaff.errors import RateLimited, Unavailable
from memberstaff.fanout.event_source import EventSource, Listener, SourceOver
from memberstaff.fanout.renderings import PAYERS
from memberstaff.fanout.retry import RETRY_SECONDS
from memberstaff.fanout.subscriber_group import SubscriberGroup, no_one_to_tell
from memberstaff.fanout.turns import Turns

RENDERINGS = 2
"""Groups that read and render at the same time: one computes while the other waits for the database."""


@dataclass(slots=True)
class _Usage:
    """What an account's subscriptions use."""

    groups: dict[Hashable, int] = field(default_factory=dict)
    """Subscriptions by group."""
    cost: int = 0
    """What an event costs for all of them together."""


class _Reservation:
    """A subscription that counts against its owner, until it is released; an object is half as large as a closure."""

    __slots__ = ("_cost", "_key", "_owner", "_usages")

    def __init__(self, usages: dict[Hashable, _Usage], owner: Hashable, key: Hashable, cost: int) -> None:
        self._usages = usages
        self._owner = owner
        self._key = key
        self._cost = cost
        usage = usages.setdefault(owner, _Usage())
        usage.groups[key] = usage.groups.get(key, 0) + 1
        usage.cost += cost

    def release(self) -> None:
        usage = self._usages[self._owner]
        usage.cost -= self._cost
        usage.groups[self._key] -= 1
        if not usage.groups[self._key]:
            del usage.groups[self._key]
        if not usage.groups:
            del self._usages[self._owner]


class Membership(NamedTuple):
    """Of a listener in a group."""

    leave: Callable[[], None]
    """Has the listener sent nothing after this call."""
    start: str | None
    """The cursor that it was joined at: it is sent what follows. None if the source cannot resume."""


class SubscriberGroups:
    """The subscriber groups of a process, by key; accounts render in turns, so that one with many groups delays itself.

    An account may be in `limit_per_owner` groups, and its subscriptions may cost `cost_per_owner` together. Once the
    process has `limit` groups, an account may create more only up to its fair share: `limit` divided by the accounts
    that have groups; a group counts against the account that has been in it the longest. From twice the limit on, only
    an account's first group is created: that is never refused.
    """

    def __init__(self, *, limit: int, limit_per_owner: int, cost_per_owner: int) -> None:
        self._limit = limit
        self._limit_per_owner = limit_per_owner
        self._cost_per_owner = cost_per_owner
        self._groups: dict[Hashable, SubscriberGroup] = {}
        self._usage: dict[Hashable, _Usage] = {}
        self._turns = Turns(RENDERINGS, "subscription")

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
        cost: int = 1,
    ) -> Membership:
        """Add a listener to the group with this key, created for `owner` if there is none.

        `cost` is what an event costs, in objects. Raises RateLimited when the owner's subscriptions are too many or too
        costly, Unavailable when the process has too many groups, and whatever `make_source` and `SubscriberGroup.join`
        raise.
        """
        release = self._reserve(owner, key, cost)
        try:
            while True:
                group = self._groups.get(key)
                if group is None:
                    self._check_limit(owner)
                    group = self._create(key, make_source(), owner)
                try:
                    member = await group.join(listener, after, owner=owner, on_leave=release)
                    break
                except SourceOver:  # its members are about to be told
                    if self._groups.get(key) is group:
                        del self._groups[key]
        except BaseException:
            release()
            raise
        return Membership(member.leave, group.source.cursor(member.position))

    def _reserve(self, owner: Hashable, key: Hashable, cost: int) -> Callable[[], None]:
        """Count a subscription against its owner, if it has one; returns how to release it. Raises RateLimited."""
        if owner is None:
            return no_one_to_tell
        usage = self._usage.get(owner) or _Usage()
        if key not in usage.groups and len(usage.groups) >= self._limit_per_owner:
            why = f"Your account already has {len(usage.groups):,} different subscriptions here. End some first."
            metrics.RATE_LIMITED.labels("subscriptions").inc()
            raise RateLimited(why, RETRY_SECONDS)
        if usage.cost + cost > self._cost_per_owner:
            metrics.RATE_LIMITED.labels("event_cost").inc()
            raise RateLimited(
                f"An event would send your account's subscriptions {usage.cost + cost:,} objects here; the limit is "
                f"{self._cost_per_owner:,}. End some, or select less.",
                RETRY_SECONDS,
            )
        return _Reservation(self._usage, owner, key, cost).release

    def _check_limit(self, owner: Hashable) -> None:
        owned = Counter(next(iter(group.owners)) for group in self._groups.values())
        mine = owned[owner]
        fair_share = self._limit // max(1, len(owned)) if len(self._groups) < 2 * self._limit else 0
        if len(self._groups) >= self._limit and mine and mine >= fair_share:
            metrics.RATE_LIMITED.labels("subscriptions").inc()
            raise Unavailable("This server has too many different subscriptions. Try again later.", RETRY_SECONDS)

    def _create(self, key: Hashable, source: EventSource, owner: Hashable) -> SubscriberGroup:
        def on_end() -> None:
            if self._groups.get(key) is group:
                del self._groups[key]

        source.turn = lambda: self._turns.turn(PAYERS.get())
        group = self._groups[key] = SubscriberGroup(source, on_end, owner=owner)
        return group
