"""Requests without a login are counted by address, in bounded memory, and nobody pushes out another's count."""

from __future__ import annotations

from typing import cast

import pytest

from memberstaff.engine.request import OperationRequest
from memberstaff.errors import RateLimited
from memberstaff.server import strangers
from memberstaff.server.connection import Connection
from memberstaff.server.host import Host
from memberstaff.server.strangers import MOST_CANDIDATES, Allowances, Strangers, refresh_tokens_in
from memberstaff.settings import Settings
from tests.api.toy import ToyHost

TOKEN = f"{'s' * 32}.{'r' * 43}.{'m' * 43}"


class Clock:
    """Seconds, until a test turns it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(clock: Clock) -> Strangers:
    """Six requests a minute for an address."""
    host = ToyHost(Settings(anonymous_requests_per_minute=6))
    return Strangers(cast("Host", host), Allowances(clock))


def admitted(door: Strangers, address: str, tries: int = 100, *tokens: str) -> int:
    """How many of so many requests at once are admitted."""
    count = 0
    for _ in range(tries):
        try:
            door.admit(Connection(address, "r"), tokens)
            count += 1
        except RateLimited:
            pass
    return count


def test_an_address_may_come_so_often_and_again_as_time_passes(door: Strangers, clock: Clock) -> None:
    assert admitted(door, "192.0.2.1") == 6
    assert admitted(door, "192.0.2.2") == 6
    with pytest.raises(RateLimited) as refused:
        door.admit(Connection("192.0.2.1", "r"))
    assert refused.value.extensions == {"retryAfter": 10}
    clock.now += 20
    assert admitted(door, "192.0.2.1") == 2
    clock.now += 60
    assert admitted(door, "192.0.2.1") == 6


def test_wider_ipv6_networks_have_more_but_not_as_much_as_all_that_is_in_them(door: Strangers) -> None:
    assert admitted(door, "2001:db8:0:1::1") == 6
    assert admitted(door, "2001:db8:0:1::2") == 0  # the same /64
    assert admitted(door, "2001:db8:0:2::1") == 6
    assert admitted(door, "2001:db8:0:3::1") == 0  # the /56 has had 12
    assert [admitted(door, f"2001:db8:0:{number}00::1") for number in (1, 2, 3)] == [6, 6, 0]  # the /48 has had 24
    assert admitted(door, "2001:db8:1::1") == 6


def test_a_refusal_takes_nothing_from_the_wider_networks(door: Strangers) -> None:
    assert admitted(door, "2001:db8:0:1::1", tries=1_000) == 6
    assert admitted(door, "2001:db8:0:2::1") == 6


def test_an_ipv4_address_within_ipv6_is_that_address(door: Strangers) -> None:
    assert admitted(door, "192.0.2.1") == 6
    assert admitted(door, "::ffff:192.0.2.1") == 0


def test_a_signed_refresh_token_counts_for_its_session_and_not_for_the_address(door: Strangers) -> None:
    assert admitted(door, "192.0.2.1") == 6
    sessions = [admitted(door, "192.0.2.1", 100, "made-up", f"signed-by-us.{number}") for number in range(50)]
    assert sessions == [6] * 50
    assert admitted(door, "192.0.2.1", 1, "signed-by-us.0") == 0


def test_only_a_few_strings_are_tried_as_tokens(door: Strangers) -> None:
    assert admitted(door, "192.0.2.1") == 6
    assert admitted(door, "192.0.2.1", 1, *["made-up"] * (MOST_CANDIDATES - 1), "signed-by-us.1") == 1
    assert admitted(door, "192.0.2.1", 1, *["made-up"] * MOST_CANDIDATES, "signed-by-us.2") == 0


def test_what_is_full_again_is_forgotten(clock: Clock) -> None:
    allowances = Allowances(clock)
    for number in range(1_000):
        allowances.take([(f"address {number}", 60)])
        clock.now += 0.5  # an allowance is full again after two of these
    assert len(allowances) <= 4


def test_many_addresses_neither_grow_it_without_bound_nor_free_anybody(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "MOST_KEYS", 100)
    allowances = Allowances(clock)
    assert [allowances.take([("first", 3)]) for _ in range(4)] == [0, 0, 0, 20]
    waits = [allowances.take([(f"address {number}", 3)]) for number in range(1_000)]
    assert len(allowances) == 101
    assert waits.count(0) == 99 + 3  # those that are remembered, and what the others share
    assert allowances.take([("first", 3)]) == 20
    clock.now += 60
    assert allowances.take([("address 999", 3)]) == 0


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (
            "mutation ($t: RefreshSessionInput!) { refreshSession(input: $t) { accessToken } }",
            {"t": {"refreshToken": TOKEN}},
        ),
        (f'mutation {{ refreshSession(input: {{refreshToken: "{TOKEN}"}}) {{ accessToken }} }}', None),
    ],
)
def test_a_refresh_token_is_found_wherever_the_request_has_it(query: str, variables: dict[str, object] | None) -> None:
    assert list(refresh_tokens_in(OperationRequest(query, variables, None, None))) == [TOKEN]


def test_a_long_text_is_no_token() -> None:
    request = OperationRequest(
        '{ viewer(note: "short") { id } }', {"a": "x" * 500, "b": ["y", {"c": "z z " * 20}]}, None, None
    )
    assert list(refresh_tokens_in(request)) == []
