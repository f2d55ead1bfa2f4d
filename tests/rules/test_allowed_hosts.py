"""A server answers to its own names alone, since a page can give its own name this server's address."""

from __future__ import annotations

import socket
from ipaddress import ip_network

import pytest
from starlette.types import Scope

from memberstaff.server.allowed_hosts import AllowedHosts

NAMES = ["attendance.school.example", "*.Schools.example"]
PROXY = [ip_network("10.0.0.0/8")]


def scope(*hosts: str, forwarded: str | None = None, peer: str = "10.0.0.1") -> Scope:
    headers = [(b"host", host.encode("latin-1")) for host in hosts]
    headers += [(b"x-forwarded-host", forwarded.encode())] if forwarded is not None else []
    return {"type": "http", "headers": headers, "client": (peer, 1)}


@pytest.mark.parametrize(
    "host",
    [
        "attendance.school.example",
        "ATTENDANCE.school.example:8443",
        "attendance.school.example.",
        "north.schools.example",
        "a.b.schools.example:80",
        "localhost:8000",
        "board.localhost",
        socket.gethostname(),
        f"{socket.gethostname().partition('.')[0]}.local",
        "127.0.0.1:8000",
        "192.0.2.1",
        "[::1]:8000",
        "[2001:db8::1]",
    ],
)
def test_own_names_and_ip_addresses_pass(host: str) -> None:
    assert AllowedHosts(NAMES).allows(scope(host))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "school.example",
        "evilattendance.school.example",
        "attendance.school.example.evil.example",
        "schools.example",
        "evilschools.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.1",
        "2130706433",
        "",
        ":80",
        "evil.example:80:localhost",
        "evil.example#localhost",
        "evil.example@localhost",
        "localhost/evil.example",
        "localhost, evil.example",
        "[::1].evil.example",
        "évil.example",
    ],
)
def test_any_other_name_does_not(host: str) -> None:
    assert not AllowedHosts(NAMES).allows(scope(host))


def test_a_request_without_a_host_comes_from_no_browser() -> None:
    assert AllowedHosts(NAMES).allows(scope())


def test_two_hosts_are_one_too_many() -> None:
    assert not AllowedHosts(NAMES).allows(scope("localhost", "localhost"))


@pytest.mark.parametrize(
    ("host", "forwarded", "passes"),
    [
        ("127.0.0.1:8000", "attendance.school.example", True),
        ("127.0.0.1:8000", "evil.example", False),
        ("evil.example", "localhost", False),
        ("localhost", "localhost, evil.example", False),
    ],
)
def test_a_proxy_may_not_pass_on_another_name(host: str, forwarded: str, passes: bool) -> None:
    assert AllowedHosts(NAMES, PROXY).allows(scope(host, forwarded=forwarded)) is passes


def test_only_a_trusted_proxy_is_asked_for_the_name_that_it_was_given() -> None:
    assert AllowedHosts(NAMES, PROXY).allows(scope("localhost", forwarded="evil.example", peer="192.0.2.1"))
