"""How many groups a process has, and whom it refuses one more."""

from __future__ import annotations

import asyncio

import pytest

from memberstaff.errors import RateLimited, RequestError, RestartRequired, Unavailable
from memberstaff.fanout.event_source import Batch, EventSource, SourceOver
from memberstaff.fanout.subscriber_groups import SubscriberGroups
from tests.rules.groups import Numbers, Reader, settled

pytestmark = pytest.mark.usefixtures("without_pauses")


async def refused(groups: SubscriberGroups, key: str, owner: int | None, *, cost: int = 1) -> bool:
    try:
        await groups.join(key, Numbers, Reader(), owner=owner, after=None, cost=cost)
    except (RateLimited, Unavailable) as error:
        assert error.extensions == {"retryAfter": 5}
        return True
    return False


async def test_an_account_is_in_so_many_groups_at_most_whoever_began_them() -> None:
    groups = SubscriberGroups(limit=10, limit_per_owner=2, cost_per_owner=100)
    assert [await refused(groups, key, 1) for key in ("a", "b", "c", "a")] == [False, False, True, False]
    assert not await refused(groups, "c", 2)
    with pytest.raises(RateLimited) as error:
        await groups.join("c", Numbers, Reader(), owner=1, after=None)
    assert error.value.message == "Your account already has 2 different subscriptions here. End some first."
    assert groups.members == 4


async def test_an_accounts_subscriptions_cost_so_much_at_most_together_shared_or_not() -> None:
    groups = SubscriberGroups(limit=10, limit_per_owner=10, cost_per_owner=100)
    leave, _ = await groups.join("a", Numbers, Reader(), owner=1, after=None, cost=40)
    assert [await refused(groups, key, 1, cost=40) for key in ("a", "a", "b")] == [False, True, True]
    assert not await refused(groups, "a", 2, cost=100)
    with pytest.raises(RateLimited) as error:
        await groups.join("a", Numbers, Reader(), owner=1, after=None, cost=1_000)
    assert error.value.message == (
        "An event would send your account's subscriptions 1,080 objects here; the limit is 100. "
        "End some, or select less."
    )
    leave()
    leave()  # counts once
    assert [await refused(groups, "b", 1, cost=60), await refused(groups, "b", 1)] == [False, True]


async def test_what_did_not_begin_and_what_has_ended_costs_nothing() -> None:
    groups = SubscriberGroups(limit=10, limit_per_owner=1, cost_per_owner=10)
    numbers = Numbers()
    numbers.failures = [RestartRequired("No.")]
    with pytest.raises(RestartRequired):
        await groups.join("a", lambda: numbers, Reader(), owner=1, after=None, cost=10)
    numbers = Numbers()
    await groups.join("b", lambda: numbers, Reader(), owner=1, after=None, cost=10)
    assert await refused(groups, "b", 1)
    numbers.end(RestartRequired("The log has ended."))
    await settled()
    assert not await refused(groups, "c", 1, cost=10)


async def test_what_is_nobodys_counts_against_nobody() -> None:
    groups = SubscriberGroups(limit=10, limit_per_owner=1, cost_per_owner=2)
    assert [await refused(groups, "a", None) for _ in range(4)] == [False] * 4


async def test_a_full_process_refuses_the_accounts_with_the_most_groups_and_nobodys_first() -> None:
    groups = SubscriberGroups(limit=6, limit_per_owner=6, cost_per_owner=100)
    for key in "abcdef":
        assert not await refused(groups, key, 1)
    assert await refused(groups, "g", 1)
    assert [await refused(groups, key, 2) for key in ("h", "i", "j", "k")] == [False, False, False, True]
    assert [await refused(groups, key, 3) for key in ("l", "m", "n")] == [False, False, True]
    assert not await refused(groups, "o", 4)


async def test_from_twice_the_limit_on_only_first_groups_begin() -> None:
    groups = SubscriberGroups(limit=4, limit_per_owner=4, cost_per_owner=100)
    for owner in range(1, 5):
        for key in range(4):
            await refused(groups, f"{owner} {key}", owner)
    assert len(groups) == 8  # 4, and shares of 4 // 2, 4 // 3 and 4 // 4
    assert [await refused(groups, f"9 {key}", 9) for key in range(3)] == [False, True, True]


async def test_in_a_full_process_a_group_counts_against_the_account_that_has_been_in_it_the_longest() -> None:
    groups = SubscriberGroups(limit=1, limit_per_owner=10, cost_per_owner=100)
    leave, _ = await groups.join("a", Numbers, Reader(), owner=1, after=None)
    await groups.join("a", Numbers, Reader(), owner=2, after=None)
    assert await refused(groups, "b", 1)
    leave()
    assert [await refused(groups, "b", 2), await refused(groups, "b", 1)] == [True, False]  # `a` is 2's now


async def test_groups_render_two_at_a_time_and_accounts_in_turns() -> None:
    groups = SubscriberGroups(limit=100, limit_per_owner=100, cost_per_owner=100)
    gate = asyncio.Event()
    order: list[str] = []
    rendering: list[str] = []
    most = 0

    class Slow(Numbers):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        async def after(self, position: int) -> tuple[int, Batch]:
            nonlocal most
            async with self.turn():
                order.append(self.name)
                rendering.append(self.name)
                most = max(most, len(rendering))
                await gate.wait()
                rendering.remove(self.name)
            await asyncio.get_running_loop().create_future()
            raise AssertionError

    for key in ("a1", "a2", "a3", "a4", "a5", "b1"):
        await groups.join(key, lambda key=key: Slow(key), Reader(), owner=key[0], after=None)  # type: ignore[misc]
    await settled()
    gate.set()
    await settled()
    assert (order, most) == (["a1", "a2", "b1", "a3", "a4", "a5"], 2)


class InTurns(Numbers):
    """What members lack is rendered in turns, which wait for the gate."""

    def __init__(self, name: str, order: list[str], gate: asyncio.Event) -> None:
        super().__init__()
        self.name = name
        self.order = order
        self.open_gate = gate

    async def after(self, position: int) -> tuple[int, Batch]:
        while position == self.last:
            await self._news.wait()
        async with self.turn():
            self.order.append(f"{self.name} {position}")
            await self.open_gate.wait()
            return await super().after(position)


async def test_what_members_lack_is_rendered_in_turns_of_their_own_account() -> None:
    groups = SubscriberGroups(limit=100, limit_per_owner=100, cost_per_owner=100)
    gate = asyncio.Event()
    order: list[str] = []
    shared, own = InTurns("shared", order, gate), InTurns("own", order, gate)
    shared.add(100)
    await groups.join("shared", lambda: shared, Reader(), owner="a", after=None)
    for position in range(6):
        await groups.join("shared", lambda: shared, Reader(), owner="b", after=f"{position}")
    await groups.join("own", lambda: own, Reader(), owner="a", after="-1")
    await settled()
    gate.set()
    await settled()
    assert order[:3] == ["shared 0", "shared 1", "own -1"]


@pytest.mark.parametrize("how", ["catching up", "live"])
async def test_whoever_shares_a_rendering_does_not_wait_in_the_queue_of_whoever_began_it(how: str) -> None:
    groups = SubscriberGroups(limit=100, limit_per_owner=100, cost_per_owner=100)
    gate = asyncio.Event()
    order: list[str] = []
    busy, shared = InTurns("busy", order, gate), InTurns("shared", order, gate)
    busy.add(40)
    shared.add(6 if how == "catching up" else 3)
    await groups.join("shared", lambda: shared, Reader(), owner="a", after=None)
    for position in range(0, 40, 5):
        await groups.join("busy", lambda: busy, Reader(), owner="a", after=f"{position}")
    await settled()
    if how == "catching up":
        await groups.join("shared", lambda: shared, Reader(), owner="a", after="3")
    else:
        shared.add(3)
    await settled()
    reader = Reader()
    await groups.join("shared", lambda: shared, reader, owner="b", after="3")
    await settled()
    assert order == ["busy 0", "busy 5"]
    gate.set()
    await settled()
    assert order[2] == "shared 3"
    assert order.count("shared 3") == 1
    assert reader.seen == [4, 5, 6]


async def test_a_source_that_cannot_be_made_begins_no_group() -> None:
    groups = SubscriberGroups(limit=1, limit_per_owner=1, cost_per_owner=100)

    def forbidden() -> EventSource:
        raise RestartRequired("No.")

    with pytest.raises(RequestError):
        await groups.join("key", forbidden, Reader(), owner=1, after=None)
    assert len(groups) == 0
    assert not await refused(groups, "key", 1)


async def test_a_newcomer_for_whom_the_source_is_over_begins_another_group() -> None:
    groups = SubscriberGroups(limit=10, limit_per_owner=1, cost_per_owner=100)
    old, new = Numbers(), Numbers()
    told, newcomer = Reader(), Reader()
    await groups.join("key", lambda: old, told, owner=1, after=None)
    old.failures = [SourceOver()]
    await groups.join("key", lambda: new, newcomer, owner=1, after=None)
    old.end(RestartRequired("The log has ended."))
    new.add()
    await settled()
    assert [type(error) for error in told.ends] == [RestartRequired]
    assert (newcomer.seen, newcomer.ends) == ([1], [])
    assert (len(groups), groups.members, new.members) == (1, 1, 1)
