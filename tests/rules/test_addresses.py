"""Which networks count as one client."""

from __future__ import annotations

import pytest

from memberstaff.addresses import networks_of


@pytest.mark.parametrize("address", ["192.0.2.1", "unknown", "", "192.0.2.1/24"])
def test_an_ipv4_address_and_what_is_no_address_count_by_themselves(address: str) -> None:
    assert networks_of(address) == ((address, 1),)


def test_an_ipv4_address_in_the_form_of_ipv6_is_the_same() -> None:
    assert networks_of("::ffff:192.0.2.1") == networks_of("192.0.2.1")


@pytest.mark.parametrize(
    "address", ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::9", "2001:DB8:1:2::", "2001:db8:1:2::9%eth0"]
)
def test_an_ipv6_address_counts_for_what_a_customer_can_be_given(address: str) -> None:
    assert networks_of(address) == (("2001:db8:1:2::/64", 1), ("2001:db8:1::/56", 2), ("2001:db8:1::/48", 4))


def test_networks_of_one_customer_are_told_apart_only_as_far_as_they_differ() -> None:
    lengths = [
        dict(zip((64, 56, 48), networks_of(address), strict=True))
        for address in ("2001:db8:1:102::1", "2001:db8:1:1ff::")
    ]
    assert [one == other for one, other in zip(*(each.values() for each in lengths), strict=True)] == [
        False,
        True,
        True,
    ]
