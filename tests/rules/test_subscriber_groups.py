"""How many groups a process has, and whom it refuses one more."""

from __future__ import annotations

import pytest

from memberstaff.errors import RequestError, RestartRequired, Unavailable
from memberstaff.fanout.subscriber_group import EventSource
from memberstaff.fanout.subscriber_groups import SubscriberGroups
from tests.rules.groups import Numbers, Reader

pytestmark = pytest.mark.usefixtures("without_pauses")


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
