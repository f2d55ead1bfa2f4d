"""What ends a group or a member of it, and what is only waited for."""

from __future__ import annotations

import asyncio

import pytest

from memberstaff.errors import RestartRequired, Unavailable
from memberstaff.fanout.event_source import Batch, EndOfEvents
from memberstaff.fanout.retry import MAX_ATTEMPTS
from memberstaff.fanout.subscriber_groups import SubscriberGroups
from tests.rules.groups import Numbers, Reader, group_of, settled

pytestmark = pytest.mark.usefixtures("without_pauses")


async def test_events_that_break_off_end_every_member_and_the_group() -> None:
    numbers = Numbers()
    groups = SubscriberGroups(limit=10, limit_per_owner=10, cost_per_owner=100)
    reading, blocked = Reader(), Reader()
    for reader in (reading, blocked):
        await groups.join("key", lambda: numbers, reader, owner=1, after=None)
    blocked.free.clear()
    numbers.add()
    await settled()
    restart = RestartRequired("The history was restored.")
    numbers.end(restart)
    await settled()
    assert (reading.ends, blocked.ends) == ([restart], [restart])
    assert len(groups) == 0


async def test_events_that_are_complete_end_each_member_after_its_last_one() -> None:
    numbers = Numbers()
    group = group_of(numbers)
    reading, blocked = Reader(), Reader()
    for reader in (reading, blocked):
        await group.join(reader, None)
    blocked.free.clear()
    numbers.add(7)
    numbers.end(EndOfEvents())
    await settled()
    assert (reading.seen, reading.ends) == ([1, 2, 3, 4, 5, 6, 7], [None])
    assert (blocked.seen, blocked.ends) == ([], [])
    blocked.free.set()
    await settled()
    assert (blocked.seen, blocked.ends) == ([1, 2, 3, 4, 5, 6, 7], [None])


async def test_while_the_source_is_unavailable_nothing_is_consumed_and_whoever_joins_waits() -> None:
    numbers = Numbers()
    group = group_of(numbers)
    reader, late = Reader(), Reader()
    away = [Unavailable("The database does not answer.")] * 10
    await group.join(reader, None)
    numbers.failures = [*away]
    numbers.add()
    await settled()
    numbers.failures = [*away]
    joining = asyncio.ensure_future(group.join(late, "0"))
    await settled()
    assert joining.done()
    assert (reader.seen, late.seen) == ([1], [1])
    assert (reader.ends, late.ends) == ([], [])


async def test_a_rendering_that_fails_by_itself_is_tried_three_times_and_then_ends_the_operation() -> None:
    numbers = Numbers()
    group = group_of(numbers)
    reader = Reader()
    await group.join(reader, None)
    numbers.failures = [ValueError("relation does not exist")] * (MAX_ATTEMPTS - 1)
    numbers.add()
    await settled()
    assert (reader.seen, reader.ends) == ([1], [])
    numbers.failures = [ValueError("relation does not exist")] * MAX_ATTEMPTS
    numbers.add()
    await settled()
    assert reader.seen == [1]
    [error] = reader.ends
    assert isinstance(error, Unavailable)
    assert error.extensions == {"retryAfter": 5}
    again = Reader()
    await group_of(numbers).join(again, "1")
    await settled()
    assert again.seen == [2]  # the position had not moved


async def test_one_member_whose_events_cannot_be_rendered_takes_no_other_with_it() -> None:
    numbers = Numbers()
    group = group_of(numbers)
    numbers.add(10)
    live = Reader()
    await group.join(live, None)
    numbers.failures = [RestartRequired("Some changes are no longer kept.")]
    behind = Reader(blocked=True)
    joined = group.join(behind, "0")
    numbers.failures = []
    await joined
    numbers.failures = [RestartRequired("Some changes are no longer kept.")]
    behind.free.set()
    await settled()
    numbers.add()
    await settled()
    assert [type(error) for error in behind.ends] == [RestartRequired]
    assert (live.seen, live.ends) == ([11], [])


class Deaf(Numbers):
    """Takes a cancellation for a failure, as drivers of databases do, or finishes in spite of it."""

    def __init__(self, *, finishes: bool) -> None:
        super().__init__()
        self.finishes = finishes

    async def after(self, position: int) -> tuple[int, Batch]:
        try:
            return await super().after(position)
        except asyncio.CancelledError:
            if self.finishes:
                return position, Batch([])
            raise ValueError("connection lost") from None


@pytest.mark.parametrize("finishes", [True, False])
async def test_a_group_ends_with_its_last_member_though_what_it_waits_for_is_deaf(finishes: bool) -> None:
    numbers = Deaf(finishes=finishes)
    numbers.gate = asyncio.Event()
    tasks = asyncio.all_tasks()
    group = group_of(numbers)
    member = await group.join(Reader(), None)
    numbers.add()
    await settled()
    assert numbers.renderings == [0]
    group.leave(member)
    await settled()
    assert asyncio.all_tasks() == tasks
