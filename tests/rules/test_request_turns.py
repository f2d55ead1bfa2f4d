"""One request of a network begins in each iteration of the loop, and nobody else waits for the others."""

from __future__ import annotations

import asyncio

from memberstaff.server.request_turns import RequestTurns


async def begun(*networks: str | None) -> list[set[str]]:
    """Which requests begin in each iteration, if all of these have come at once: each by its network and number.

    A network is named with those that it is in, as in "wide/narrow".
    """
    turns = RequestTurns()
    iterations: list[set[str]] = [set()]
    left = len(networks)

    def begin(name: str) -> None:
        iterations[-1].add(name)

    for number, network in enumerate(networks):
        name = f"{network}{number}"
        networks_of_it = () if network is None else network.split("/")[::-1]
        if turns.take(networks_of_it, lambda name=name: begin(name)):  # type: ignore[misc]
            begin(name)
    while sum(map(len, iterations)) < left:
        iterations.append(set())
        await asyncio.sleep(0)
    return iterations


async def test_the_requests_of_a_network_begin_one_by_one_in_their_order() -> None:
    assert await begun("a", "a", "a") == [{"a0"}, {"a1"}, {"a2"}]


async def test_a_request_of_another_network_waits_for_none_of_them() -> None:
    assert await begun("a", "a", "a", "b", "b") == [{"a0", "b3"}, {"a1", "b4"}, {"a2"}]


async def test_the_narrow_networks_of_a_wide_one_take_turns() -> None:
    assert await begun("w/a", "w/a", "w/a", "w/b", "x/a") == [{"w/a0", "x/a4"}, {"w/a1"}, {"w/b3"}, {"w/a2"}]


async def test_whoever_comes_through_a_trusted_proxy_never_waits() -> None:
    assert await begun(None, None, "a", None) == [{"None0", "None1", "a2", "None3"}]


async def test_after_a_rest_the_next_request_begins_at_once() -> None:
    turns = RequestTurns()
    assert turns.take(["a"], lambda: None)
    for _ in range(2):
        await asyncio.sleep(0)
    assert turns.take(["a"], lambda: None)
    assert not turns.take(["a"], lambda: None)
    for _ in range(4):
        await asyncio.sleep(0)
    assert turns.take(["a"], lambda: None)
