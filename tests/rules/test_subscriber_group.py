"""A group sends each member every event after its position, once and in order, whoever comes, blocks or leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memberstaff.errors import RestartRequired
from memberstaff.fanout import subscriber_group as group_module
from memberstaff.fanout.subscriber_group import Batch, EventSource, Member, SubscriberGroup, SubscriberGroups


class Numbers(EventSource):
    """Events 1, 2, 3 …; a cursor is a number, and position 13 needs a moment to be rendered."""

    def __init__(self) -> None:
        self.last = 0
        self.over: Exception | None = None
        self.news = asyncio.Event()
        self.members = 0

    def add(self, number: int = 1) -> None:
        self.last += number
        self.wake()

    def end(self, error: Exception) -> None:
        self.over = error
        self.wake()

    def wake(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        yield self.last

    async def start(self, after: str | None) -> int:
        return self.last if after is None else int(after)

    async def after(self, position: int) -> tuple[int, Batch]:
        while position == self.last and self.over is None:
            await self.news.wait()
        if self.over is not None:
            raise self.over
        until = min(self.last, position + 5)
        if position < 13 <= until:
            await asyncio.sleep(0)
        return until, Batch([b"%d" % number for number in range(position + 1, until + 1)])

    def count(self, members: int) -> None:
        self.members += members


class Reader:
    """A listener that can stop reading."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.writes = 0
        self.over: Exception | None = None
        self.free = asyncio.Event()
        self.free.set()

    @property
    def blocked(self) -> bool:
        return not self.free.is_set()

    def send(self, batch: Batch) -> None:
        assert not self.blocked
        self.writes += 1
        self.seen += [int(payload) for payload in batch.payloads]

    async def unblocked(self) -> None:
        await self.free.wait()

    def end(self, error: Exception) -> None:
        self.over = error


@pytest.fixture(scope="module", autouse=True)
def without_pauses() -> Iterator[None]:
    """No send takes long, however slow this machine is."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(group_module, "SHORT_SECONDS", 3_600.0)
        yield


async def settled() -> None:
    """Let everything run that can run: a hundred events in fives take some two hundred turns."""
    for _ in range(500):
        await asyncio.sleep(0)


def begin(events: EventSource) -> tuple[SubscriberGroups, SubscriberGroup]:
    groups = SubscriberGroups(most=10, most_of_account=10)
    return groups, groups.begin("key", events, 1)


STEPS = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 12)),
    st.tuples(st.sampled_from(["join", "block", "free", "leave"]), st.integers(0, 4)),
    st.tuples(st.sampled_from(["turn", "settle"]), st.integers(1, 4)),
)


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=40))
async def test_whatever_happens_nobody_misses_or_repeats_anything(steps: list[tuple[str, int]]) -> None:
    events = Numbers()
    _, group = begin(events)
    first = await group.join(Reader(), None)
    readers = [(first, 0)]
    left: set[Member] = set()
    for step, number in steps:
        if step == "add":
            events.add(number)
        elif step == "join":
            after = max(0, events.last - number * 3)
            readers.append((await group.join(Reader(), str(after)), after))
        elif step == "turn":
            for _ in range(number):
                await asyncio.sleep(0)
        elif step == "settle":
            await settled()
        else:
            member, _ = readers[number % len(readers)]
            if step == "block":
                member.listener.free.clear()  # type: ignore[attr-defined]
            elif step == "free":
                member.listener.free.set()  # type: ignore[attr-defined]
            elif len(left) < len(readers) - 1:
                group.leave(member)
                left.add(member)
    for member, _ in readers:
        member.listener.free.set()  # type: ignore[attr-defined]
    await settled()
    for member, start in readers:
        seen = member.listener.seen  # type: ignore[attr-defined]
        expected = list(range(start + 1, events.last + 1))
        assert seen == (expected[: len(seen)] if member in left else expected)
    assert events.members == len(group) == len(readers) - len(left)
    for member, _ in readers:
        group.leave(member)
    assert (len(group), events.members) == (0, 0)


async def test_a_blocked_member_holds_up_nobody_and_costs_no_more_than_its_place() -> None:
    events = Numbers()
    _, group = begin(events)
    slow, quick = Reader(), Reader()
    await group.join(slow, None)
    await group.join(quick, None)
    slow.free.clear()
    events.add(100)
    await settled()
    assert (len(quick.seen), slow.seen) == (100, [])
    slow.free.set()
    await settled()
    assert slow.seen == quick.seen


async def test_who_has_left_is_sent_nothing_more() -> None:
    events = Numbers()
    _, group = begin(events)
    one, other = Reader(), Reader()
    member = await group.join(one, None)
    await group.join(other, None)
    events.add()
    group.leave(member)
    await settled()
    assert (one.seen, other.seen) == ([], [1])


async def test_the_end_of_the_events_is_told_to_all_and_ends_the_group() -> None:
    events = Numbers()
    groups, group = begin(events)
    reading, blocked = Reader(), Reader()
    await group.join(reading, None)
    await group.join(blocked, None)
    blocked.free.clear()
    events.add()
    await settled()
    restart = RestartRequired("The history was restored.")
    events.end(restart)
    await settled()
    assert reading.over is blocked.over is restart
    assert len(groups) == 0
    with pytest.raises(RestartRequired):
        await group.join(Reader(), None)


async def test_the_group_ends_with_its_last_member_and_its_place_is_free() -> None:
    groups = SubscriberGroups(most=10, most_of_account=1)
    group = groups.begin("key", Numbers(), 1)
    member = await group.join(Reader(), None)
    assert not groups.has_room(1)
    assert groups.has_room(2)
    group.leave(member)
    assert (len(groups), groups.find("key"), groups.has_room(1)) == (0, None, True)


async def test_what_comes_while_a_long_send_is_rested_from_goes_out_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_module, "SHORT_SECONDS", -1.0)  # as if every send took long
    events = Numbers()
    _, group = begin(events)
    reader = Reader()
    await group.join(reader, None)
    rest = asyncio.Event()

    async def sleep(_: float) -> None:
        await rest.wait()

    monkeypatch.setattr("memberstaff.fanout.subscriber_group.asyncio.sleep", sleep)
    events.add()
    await asyncio.wait_for(_seen(reader, 1), 5)
    for _ in range(3):
        events.add()
    rest.set()
    await asyncio.wait_for(_seen(reader, 4), 5)
    assert reader.writes == 2


async def _seen(reader: Reader, number: int) -> None:
    loop = asyncio.get_running_loop()
    while len(reader.seen) < number:
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn
