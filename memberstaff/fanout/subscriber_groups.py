"""The subscriber groups of a process, within limits for the process and for each account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable

from memberstaff.errors import Unavailable
from memberstaff.fanout.subscriber_group import RETRY_SECONDS, EventSource, Listener, SubscriberGroup


class SubscriberGroups:
    """The subscriber groups of a process, by key; a group counts against the account that has been in it the longest.

    Once the process has `limit` groups, an account may create more only up to its fair share: `limit` divided by the
    accounts that have groups. From twice the limit on, only an account's first group is created: that is never refused.
    """

    def __init__(self, *, limit: int, limit_per_owner: int) -> None:
        self._limit = limit
        self._limit_per_owner = limit_per_owner
        self._groups: dict[Hashable, SubscriberGroup] = {}

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
        """Add a listener to the group with this key, created for `owner` if there is none; returns how to leave it.

        Raises Unavailable when the process or the owner has too many groups, and whatever `make_source` and
        `SubscriberGroup.join` raise.
        """
        group = self._groups.get(key)
        if group is None:
            self._check_limits(owner)
            group = self._create(key, make_source(), owner)
        member = await group.join(listener, after, owner=owner)
        return lambda: group.leave(member)

    def _check_limits(self, owner: Hashable) -> None:
        owned = Counter(group.owner for group in self._groups.values())
        mine = owned[owner]
        if mine >= self._limit_per_owner:
            why = f"Your account already has {mine:,} different subscriptions here. End some, then try again."
            raise Unavailable(why, RETRY_SECONDS)
        fair_share = self._limit // max(1, len(owned)) if len(self._groups) < 2 * self._limit else 0
        if len(self._groups) >= self._limit and mine and mine >= fair_share:
            raise Unavailable("This server has too many different subscriptions. Try again later.", RETRY_SECONDS)

    def _create(self, key: Hashable, source: EventSource, owner: Hashable) -> SubscriberGroup:
        def on_end() -> None:
            if self._groups.get(key) is group:
                del self._groups[key]

        group = self._groups[key] = SubscriberGroup(source, on_end, owner=owner)
        return group
