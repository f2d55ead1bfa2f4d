"""A group sends each member every event after its position, once and in order, whoever comes, blocks or leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memberstaff.errors import RequestError, RestartRequired, Unavailable
from memberstaff.fanout import retry, subscriber_group
from memberstaff.fanout.subscriber_group import (
    MAX_ATTEMPTS,
    Batch,
    EndOfEvents,
    EventSource,
    Member,
    SubscriberGroup,
    SubscriberGroups,
)

PAGE = 5
"""Events in a batch."""


class Numbers(EventSource):
    """Events 1, 2, 3 …; a cursor is a number, and position 13 needs a moment to be rendered."""

    def __init__(self) -> None:
        self.last = 0
        self.over: Exception | None = None
        self.failures: list[Exception] = []
        """Raised one by one, by the next calls of `start` and `after`."""
        self.gate: asyncio.Event | None = None
        """What each rendering waits for, once it has begun."""
        self.renderings: list[int] = []
        """The position of each rendering that was begun."""
        self.members = 0
        self._news = asyncio.Event()

    def add(self, number: int = 1) -> None:
        self.last += number
        self._wake()

    def end(self, error: Exception) -> None:
        self.over = error
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        yield self.last

    async def start(self, after: str | None) -> int:
        self._fail()
        return self.last if after is None else int(after)

    async def after(self, position: int) -> tuple[int, Batch]:
        while position == self.last and self.over is None:
            await self._news.wait()
        self.renderings.append(position)
        self._fail()
        if self.over is not None and position == self.last:
            raise self.over
        until = min(self.last, position + PAGE)
        if position < 13 <= until:
            await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        return until, Batch([b"%d" % number for number in range(position + 1, until + 1)])

    def count(self, members: int) -> None:
        self.members += members


class Reader:
    """A listener that can stop reading."""

    def __init__(self, *, blocked: bool = False) -> None:
        self.seen: list[int] = []
        self.writes = 0
        self.ends: list[Exception | None] = []
        self.free = asyncio.Event()
        if not blocked:
            self.free.set()

    @property
    def blocked(self) -> bool:
        return not self.free.is_set()

    def send(self, batch: Batch) -> None:
        assert not self.blocked
        self.writes += 1
        self.seen += [int(payload) for payload in batch.payloads]

    async def drain(self) -> None:
        await self.free.wait()

    def end(self, error: Exception | None) -> None:
        self.ends.append(error)


@pytest.fixture(scope="module", autouse=True)
def without_pauses() -> Iterator[None]:
    """No send takes long, however slow this machine is, and nothing is waited for before it is tried again."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(subscriber_group, "SHORT_SECONDS", 3_600.0)
        patched.setattr(retry, "FIRST_SECONDS", 0.0)
        yield


async def settled() -> None:
    """Let everything run that can run: a hundred events in fives take some two hundred turns."""
    for _ in range(500):
        await asyncio.sleep(0)


def group_of(source: EventSource) -> SubscriberGroup:
    return SubscriberGroup(source, lambda: None)


STEPS = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 12)),
    st.tuples(st.sampled_from(["join", "join blocked", "block", "free", "leave"]), st.integers(0, 4)),
    st.tuples(st.sampled_from(["turn", "settle", "unavailable"]), st.integers(1, 4)),
)


@settings(max_examples=300)
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


async def test_events_that_break_off_end_every_member_and_the_group() -> None:
    numbers = Numbers()
    groups = SubscriberGroups(limit=10, limit_per_owner=10)
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


async def test_members_that_wait_at_one_position_share_the_rendering_that_is_under_way() -> None:
    numbers = Numbers()
    group = group_of(numbers)
    numbers.add(3)
    readers = [Reader() for _ in range(20)]
    numbers.gate = asyncio.Event()
    for reader in readers:
        await group.join(reader, "0")
    await settled()
    numbers.gate.set()
    await settled()
    assert [reader.seen for reader in readers] == [[1, 2, 3]] * 20
    assert numbers.renderings == [0]


async def test_when_whoever_renders_leaves_the_others_render_themselves() -> None:
    numbers = Numbers()
    group = group_of(numbers)
    numbers.add(3)
    numbers.gate = asyncio.Event()
    first, second = Reader(), Reader()
    rendering = await group.join(first, "0")
    await settled()
    await group.join(second, "0")
    await settled()
    group.leave(rendering)
    numbers.gate.set()
    await settled()
    assert (first.seen, second.seen) == ([], [1, 2, 3])


async def test_a_rendering_that_began_before_a_members_last_one_is_not_shared_with_it() -> None:
    """What it reads beside the change could be older than what the member has been sent."""
    numbers = Numbers()
    group = group_of(numbers)
    numbers.add(2 * PAGE)
    ahead, behind = Reader(), Reader()
    numbers.gate = asyncio.Event()
    await group.join(ahead, str(PAGE))  # its rendering of the second page is under way
    await settled()
    slow, numbers.gate = numbers.gate, None
    await group.join(behind, "0")  # gets the first page from a later rendering, and the second not from the slow one
    await settled()
    assert (ahead.seen, behind.seen) == ([], list(range(1, 2 * PAGE + 1)))
    slow.set()
    await settled()
    assert ahead.seen == list(range(PAGE + 1, 2 * PAGE + 1))


async def test_a_rendering_is_not_sent_to_a_member_that_has_caught_up_with_a_later_one() -> None:
    """Its events may hold, beside the change, data that is older than what the member has been sent."""
    numbers = Numbers()
    group = group_of(numbers)
    live, late = Reader(), Reader()
    await group.join(live, None)
    numbers.add()
    numbers.gate = asyncio.Event()
    await settled()  # the group's own rendering is under way
    slow, numbers.gate = numbers.gate, asyncio.Event()
    group_rendering = list(numbers.renderings)
    member = await group.join(late, "0")
    await settled()
    assert group_rendering == [0]
    numbers.gate.set()
    slow.set()
    await settled()
    assert (live.seen, late.seen) == ([1], [1])
    group.leave(member)


async def test_a_member_that_is_blocked_again_while_its_events_are_rendered_is_sent_them_later() -> None:
    numbers = Numbers()
    group = group_of(numbers)
    numbers.add(3)
    numbers.gate = asyncio.Event()
    reader = Reader()
    await group.join(reader, "0")
    await settled()
    reader.free.clear()  # by another operation of the same socket
    numbers.gate.set()
    await settled()
    assert (reader.seen, reader.ends) == ([], [])
    reader.free.set()
    await settled()
    assert (reader.seen, reader.ends) == ([1, 2, 3], [])


async def test_a_group_ends_with_its_last_member() -> None:
    groups = SubscriberGroups(limit=10, limit_per_owner=1)
    leave = await groups.join("key", Numbers, Reader(), owner=1, after=None)
    assert len(groups) == 1
    leave()
    assert len(groups) == 0
    await groups.join("other", Numbers, Reader(), owner=1, after=None)


async def refused(groups: SubscriberGroups, key: str, owner: int) -> bool:
    try:
        await groups.join(key, Numbers, Reader(), owner=owner, after=None)
    except Unavailable as error:
        assert error.extensions == {"retryAfter": 5}
        return True
    return False


async def test_an_account_has_so_many_groups_at_most_and_may_join_any() -> None:
    groups = SubscriberGroups(limit=10, limit_per_owner=2)
    assert [await refused(groups, key, 1) for key in ("a", "b", "c", "a")] == [False, False, True, False]
    assert not await refused(groups, "c", 2)
    assert not await refused(groups, "c", 1)


async def test_a_full_process_refuses_the_accounts_with_the_most_groups_and_nobodys_first() -> None:
    groups = SubscriberGroups(limit=6, limit_per_owner=6)
    for key in "abcdef":
        assert not await refused(groups, key, 1)
    assert await refused(groups, "g", 1)
    assert [await refused(groups, key, 2) for key in ("h", "i", "j", "k")] == [False, False, False, True]
    assert [await refused(groups, key, 3) for key in ("l", "m", "n")] == [False, False, True]
    assert not await refused(groups, "o", 4)


async def test_from_twice_the_limit_on_only_first_groups_begin() -> None:
    groups = SubscriberGroups(limit=4, limit_per_owner=4)
    for owner in range(1, 5):
        for key in range(4):
            await refused(groups, f"{owner} {key}", owner)
    assert len(groups) == 8  # 4, and shares of 4 // 2, 4 // 3 and 4 // 4
    assert [await refused(groups, f"9 {key}", 9) for key in range(3)] == [False, True, True]


async def test_a_group_counts_against_an_account_that_is_in_it() -> None:
    groups = SubscriberGroups(limit=10, limit_per_owner=1)
    leave = await groups.join("a", Numbers, Reader(), owner=1, after=None)
    await groups.join("a", Numbers, Reader(), owner=2, after=None)
    assert [await refused(groups, "b", owner) for owner in (1, 2)] == [True, False]
    leave()
    assert not await refused(groups, "c", 1)  # `a` is 2's now
    assert await refused(groups, "d", 2)


async def test_a_source_that_cannot_be_made_begins_no_group() -> None:
    groups = SubscriberGroups(limit=1, limit_per_owner=1)

    def forbidden() -> EventSource:
        raise RestartRequired("No.")

    with pytest.raises(RequestError):
        await groups.join("key", forbidden, Reader(), owner=1, after=None)
    assert len(groups) == 0
    assert not await refused(groups, "key", 1)


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


async def _until(condition: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    while not condition():
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn
