"""A group sends each member every event after its position, once and in order, whoever comes, blocks or leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memberstaff.errors import Unavailable
from memberstaff.fanout import subscriber_group
from memberstaff.fanout.event_source import Batch
from memberstaff.fanout.subscriber_group import Member
from memberstaff.fanout.subscriber_groups import SubscriberGroups
from tests.rules.groups import Numbers, Reader, group_of, settled

pytestmark = pytest.mark.usefixtures("without_pauses")

STEPS = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 12)),
    st.tuples(st.sampled_from(["join", "join blocked", "block", "free", "leave"]), st.integers(0, 4)),
    st.tuples(st.sampled_from(["turn", "settle", "unavailable"]), st.integers(1, 4)),
)


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=40))
async def test_whatever_happens_nobody_misses_or_repeats_anything(steps: list[tuple[str, int]]) -> None:
    numbers = Numbers()
    group = group_of(numbers)
    readers: list[tuple[Member, Reader, int]] = []
    left: set[Member] = set()

    async def join(after: int, *, blocked: bool = False) -> None:
        reader = Reader(blocked=blocked)
        readers.append((await group.join(reader, str(after)), reader, after))

    await join(0)
    for step, number in steps:
        member, reader, _ = readers[number % len(readers)]
        if step == "add":
            numbers.add(number)
        elif step in {"join", "join blocked"}:
            await join(max(0, numbers.last - number * 3), blocked=step == "join blocked")
        elif step == "turn":
            for _ in range(number):
                await asyncio.sleep(0)
        elif step == "settle":
            await settled()
        elif step == "unavailable":
            numbers.failures += [Unavailable("The database does not answer.")] * number
        elif step == "block":
            reader.free.clear()
        elif step == "free":
            reader.free.set()
        elif len(left) < len(readers) - 1:
            group.leave(member)
            left.add(member)
    for _, reader, _ in readers:
        reader.free.set()
    await settled()
    for member, reader, start in readers:
        expected = list(range(start + 1, numbers.last + 1))
        assert reader.seen == (expected[: len(reader.seen)] if member in left else expected)
    assert numbers.members == len(group) == len(readers) - len(left)
    for member, _, _ in readers:
        group.leave(member)
    assert (len(group), numbers.members) == (0, 0)


async def test_a_blocked_member_holds_up_nobody_and_costs_no_more_than_its_place() -> None:
    numbers = Numbers()
    group = group_of(numbers)
    slow, quick = Reader(), Reader()
    await group.join(slow, None)
    await group.join(quick, None)
    slow.free.clear()
    numbers.add(100)
    await settled()
    assert (len(quick.seen), slow.seen) == (100, [])
    slow.free.set()
    await settled()
    assert slow.seen == quick.seen


async def test_nothing_is_rendered_ahead_of_the_only_member_while_it_does_not_read() -> None:
    numbers = Numbers()
    group = group_of(numbers)
    reader = Reader()
    await group.join(reader, None)
    reader.free.clear()
    numbers.add(100)
    await settled()
    assert numbers.renderings == [0]  # which found it blocked
    reader.free.set()
    await settled()
    assert reader.seen == list(range(1, 101))


async def test_a_member_that_begins_later_than_a_group_whose_members_do_not_read_waits_for_nobody() -> None:
    numbers = Numbers()
    group = group_of(numbers)
    slow = Reader()
    await group.join(slow, None)
    slow.free.clear()
    numbers.add(20)
    await settled()
    late = Reader()
    await group.join(late, None)
    numbers.add()
    await settled()
    assert (slow.seen, late.seen) == ([], [21])
    slow.free.set()
    await settled()
    assert slow.seen == list(range(1, 22))


async def test_a_listener_that_is_blocked_again_when_it_has_drained_holds_up_nobody() -> None:
    """Such as one whose connection was reset: its group would spin, and nothing else would run."""

    class Reset(Reader):
        async def drain(self) -> None:
            """At once, though it is blocked."""

    numbers = Numbers()
    group = group_of(numbers)
    reset, reader = Reset(blocked=True), Reader()
    member = await group.join(reset, None)
    await group.join(reader, None)
    numbers.add()
    await asyncio.wait_for(settled(), 5)
    assert (reset.seen, reader.seen) == ([], [1])
    group.leave(member)


async def test_who_has_left_is_sent_nothing_more() -> None:
    numbers = Numbers()
    group = group_of(numbers)
    one, other = Reader(), Reader()
    member = await group.join(one, None)
    await group.join(other, None)
    numbers.add()
    group.leave(member)
    await settled()
    assert (one.seen, other.seen) == ([], [1])


async def test_a_group_ends_with_its_last_member() -> None:
    groups = SubscriberGroups(limit=10, limit_per_owner=1, cost_per_owner=100)
    leave, _ = await groups.join("key", Numbers, Reader(), owner=1, after=None)
    assert len(groups) == 1
    leave()
    assert len(groups) == 0
    await groups.join("other", Numbers, Reader(), owner=1, after=None)


async def test_what_comes_while_a_long_send_is_rested_from_goes_out_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber_group, "SHORT_SECONDS", -1.0)  # as if every send took long
    numbers = Numbers()
    group = group_of(numbers)
    reader = Reader()
    await group.join(reader, None)
    rest = asyncio.Event()

    async def sleep(_: float, real: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        await real(0)  # others sleep too
        await rest.wait()

    monkeypatch.setattr("memberstaff.fanout.subscriber_group.asyncio.sleep", sleep)
    numbers.add()
    await asyncio.wait_for(_until(lambda: len(reader.seen) == 1), 5)
    for _ in range(3):
        numbers.add()
    rest.set()
    await asyncio.wait_for(_until(lambda: len(reader.seen) == 4), 5)
    assert reader.writes == 2


async def test_a_rest_is_twice_as_long_as_the_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber_group, "SHORT_SECONDS", 0.0005)
    now = 1_000.0
    rests: list[float] = []

    class Slow(Reader):
        def send(self, batch: Batch) -> None:
            nonlocal now
            now += 0.25
            super().send(batch)

    async def sleep(seconds: float, real: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        if seconds:
            rests.append(seconds)
        await real(0)

    reader, numbers = Slow(), Numbers()
    await group_of(numbers).join(reader, None)
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    monkeypatch.setattr("memberstaff.fanout.subscriber_group.asyncio.sleep", sleep)
    numbers.add()
    await _until(lambda: bool(rests))
    assert rests == [0.5]


async def _until(condition: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    while not condition():
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn
