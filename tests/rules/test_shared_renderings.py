"""Members that are behind share renderings, where the rendering is what each of them would have made."""

from __future__ import annotations

import asyncio

import pytest

from tests.rules.groups import PAGE, Numbers, Reader, group_of, settled

pytestmark = pytest.mark.usefixtures("without_pauses")


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
