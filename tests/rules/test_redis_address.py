"""The addresses under which Redis can be reached, and what is said of those that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from memberstaff.redis_client import FORMS, RedisAddress, parse

NOT_AN_ADDRESS = "is not an address; characters of a password such as / : @ # are written as %2F, %3A, %40, %23"
TLS_OPTIONS = "ssl_ca_certs, ssl_certfile, ssl_check_hostname, ssl_keyfile"


def test_one_server() -> None:
    assert parse("redis://127.0.0.1") == RedisAddress("", (("127.0.0.1", 6379),), "", {}, {})
    assert parse("redis://staff:p%40%3Ass@[::1]:6380/3") == RedisAddress(
        "", (("::1", 6380),), "", {"username": "staff", "password": "p@:ss", "db": 3}, {}
    )


def test_the_options_of_tls_are_those_of_redis_py(tmp_path: Path) -> None:
    file = tmp_path / "authority.pem"
    file.touch()
    tls = {"ssl": True, "ssl_ca_certs": str(file), "ssl_check_hostname": False}
    address = parse(f"rediss://:secret@redis.example/0?ssl_ca_certs={file}&ssl_check_hostname=False")
    assert address.options == {"password": "secret", **tls}


def test_sentinels_are_reached_with_the_same_tls_and_a_login_of_their_own(tmp_path: Path) -> None:
    assert parse(
        "rediss+sentinel://staff:secret@one,two:26380,[::1]:1/mymaster/2?sentinel_username=guard&sentinel_password=p%26"
    ) == RedisAddress(
        "+sentinel",
        (("one", 26379), ("two", 26380), ("::1", 1)),
        "mymaster",
        {"username": "staff", "password": "secret", "ssl": True, "db": 2},
        {"username": "guard", "password": "p&", "ssl": True},
    )


def test_a_cluster_is_reached_by_some_of_its_nodes() -> None:
    assert parse("redis+cluster://staff:secret@one:7000,two") == RedisAddress(
        "+cluster", (("one", 7000), ("two", 6379)), "", {"username": "staff", "password": "secret"}, {}
    )


def test_a_password_is_not_shown_where_an_address_is() -> None:
    assert "secret" not in repr(parse("redis+sentinel://:secret@one/mymaster?sentinel_password=secret"))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://one", "must begin with redis://, redis+sentinel:// or redis+cluster://; with TLS, rediss…"),
        ("redis+ring://one", "must begin with redis://, redis+sentinel:// or redis+cluster://; with TLS, rediss…"),
        ("redis://", NOT_AN_ADDRESS),
        ("redis://one:0", NOT_AN_ADDRESS),
        ("redis://one:65536", NOT_AN_ADDRESS),
        ("redis+cluster://one,,two", NOT_AN_ADDRESS),
        ("redis+cluster://one,two:x", NOT_AN_ADDRESS),
        ("redis+sentinel://::1/mymaster", NOT_AN_ADDRESS),
        ("redis://:pass@word@one", NOT_AN_ADDRESS),
        ("redis://:pass/word@one", NOT_AN_ADDRESS),
        ("redis://:pass#word@one", NOT_AN_ADDRESS),
        ("redis://:pass?word@one", NOT_AN_ADDRESS),
        (
            "redis://one,two",
            f"names several servers, which only {FORMS[1]} and {FORMS[2]} do",
        ),
        (
            "redis+sentinel://one",
            f"names no service that the Sentinels watch: {FORMS[1]}",
        ),
        ("redis+cluster://one/1", "names a database, of which a cluster has only one"),
        ("redis://one/school", "has something else than the number of a database at its end: redis://HOST:PORT/DB"),
        ("redis://one?ssl_ca_certs=/dev/null", "has an option for TLS, and no TLS: let it begin with rediss"),
        ("rediss://one?ssl_ca_certs=/nowhere", "names a file as ssl_ca_certs that cannot be read"),
        ("rediss://one?ssl_cert_reqs=none", f"has an option that is none of {TLS_OPTIONS}"),
        ("redis://one?sentinel_password=secret", f"has an option that is none of {TLS_OPTIONS}"),
        (
            "redis+sentinel://one/m?x=1",
            f"has an option that is none of sentinel_password, sentinel_username, {TLS_OPTIONS}",
        ),
    ],
)
def test_what_is_no_address_is_told_why_and_not_repeated(address: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        parse(address)
    assert str(refused.value) == message
