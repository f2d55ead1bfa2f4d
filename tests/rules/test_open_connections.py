"""How many connections a process takes, and of whom."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_network

import pytest

from memberstaff.server.open_connections import OpenConnections, Slot


def taken(connections: OpenConnections, peer: str, tries: int = 1_000) -> list[Slot]:
    return [slot for slot in (connections.take(peer) for _ in range(tries)) if slot is not None]


def test_an_address_has_as_many_as_are_allowed_and_no_more() -> None:
    connections = OpenConnections(total=1_000, per_address=3)
    slots = taken(connections, "192.0.2.1")
    assert (len(slots), len(connections), connections.refused) == (3, 3, 997)
    slots[0].free()
    slots[0].free()
    assert len(connections) == 2
    assert len(taken(connections, "192.0.2.1")) == 1
    assert len(taken(connections, "192.0.2.2")) == 3


def test_however_many_addresses_take_what_they_can_there_is_some_left_for_another() -> None:
    connections = OpenConnections(total=900, per_address=10_000)
    assert len(taken(connections, "192.0.2.1")) == 450
    assert len(taken(connections, "192.0.2.2")) == 225
    assert [len(taken(connections, f"198.51.100.{number}")) for number in range(1, 6)] == [113, 56, 28, 14, 7]
    assert len(taken(connections, "203.0.113.1", tries=1)) == 1


@pytest.mark.parametrize(
    ("others", "room"),
    [
        (["2001:db8:0:1::2", "2001:db8:0:1:ffff:ffff:ffff:ffff"], 0),
        (["2001:db8:0:2::1", "::ffff:192.0.2.1"], 2),
        (["::1%lo"], 2),
    ],
)
def test_ipv6_counts_by_the_network_of_one_customer(others: list[str], room: int) -> None:
    connections = OpenConnections(total=1_000, per_address=2)
    assert len(taken(connections, "2001:db8:0:1::1")) == 2
    assert [len(taken(connections, other)) for other in others] == [room] * len(others)


def test_whoever_has_a_wider_ipv6_network_has_no_more_than_a_few_customers_and_leaves_as_many_free() -> None:
    connections = OpenConnections(total=1_000, per_address=2)
    assert [len(taken(connections, f"2001:db8:0:{number}::1")) for number in (1, 2, 3)] == [2, 2, 0]  # one /56
    assert [len(taken(connections, f"2001:db8:0:{number}00::1")) for number in (1, 2, 3)] == [2, 2, 0]  # the /48
    slots = taken(connections, "2001:db8:1::1")
    assert len(slots) == 2
    for slot in slots:
        slot.free()
    assert len(taken(connections, "2001:db8:1::1")) == 2
    few = OpenConnections(total=100, per_address=1_000)
    assert sum(len(taken(few, f"2001:db8:0:{number}00::1", tries=5)) for number in range(100)) == 50


def test_an_ipv4_address_is_the_same_in_ipv6() -> None:
    connections = OpenConnections(total=1_000, per_address=2)
    assert len(taken(connections, "192.0.2.1")) == 2
    assert taken(connections, "::ffff:192.0.2.1") == []


def test_trusted_proxies_are_bounded_by_the_total_alone() -> None:
    connections = OpenConnections(total=100, per_address=2, trusted=[ip_network("10.0.0.0/8")])
    assert len(taken(connections, "10.1.2.3")) == 100


def descriptors(limits: str, expression: str) -> str:
    """What the module says in a process with these limits."""
    program = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, {limits}); "
    program += f"from memberstaff.server import descriptors; {expression}"
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(("limits", "raised"), [("(256, 4_000)", "4000"), ("(256, 256)", "256")])
def test_the_limit_of_descriptors_is_raised_as_far_as_the_system_admits(limits: str, raised: str) -> None:
    assert descriptors(limits, "descriptors.raise_limit(); print(descriptors.limit())") == raised


@pytest.mark.parametrize(("limits", "left"), [("(1_024, 1_024)", "884"), ("(256, 256)", "128")])
def test_connections_leave_descriptors_for_the_database_and_for_files(limits: str, left: str) -> None:
    assert descriptors(limits, "print(descriptors.for_connections(10))") == left
