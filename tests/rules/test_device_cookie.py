"""The cookie of a known device: which is read, and how it is set."""

from __future__ import annotations

import pytest
from starlette.types import Scope

from memberstaff.server.device_cookie import device_cookie


def scope(scheme: str, *cookies: str, origin: str = "") -> Scope:
    headers = [(b"cookie", cookie.encode()) for cookie in cookies]
    return {"type": "http", "scheme": scheme, "path": "/graphql", "headers": [*headers, (b"origin", origin.encode())]}


@pytest.mark.parametrize(
    ("cookies", "value"),
    [
        ((), None),
        (("memberstaff_device=a.b",), "a.b"),
        (("memberstaff_refresh=x; memberstaff_device=a.b; other=1",), "a.b"),
        (("memberstaff_device=a.b; memberstaff_device=c.d",), None),
        (("memberstaff_device=a.b", "memberstaff_device=a.b"), None),
        (("__Host-memberstaff_device=a.b",), None),
    ],
)
def test_over_http_the_only_cookie_of_that_name_is_read(cookies: tuple[str, ...], value: str | None) -> None:
    assert device_cookie(scope("http", *cookies)).value == value


@pytest.mark.parametrize(("scheme", "origin"), [("https", ""), ("http", "https://board.example.org")])
def test_over_tls_no_other_host_can_have_set_it(scheme: str, origin: str) -> None:
    found = device_cookie(scope(scheme, "memberstaff_device=theirs; __Host-memberstaff_device=ours", origin=origin))
    assert found.value == "ours"
    found.set("a.b")
    assert found.header == (
        "__Host-memberstaff_device=a.b; HttpOnly; SameSite=Strict; Path=/; Max-Age=34560000; Secure"
    )
    assert device_cookie(scope(scheme, "memberstaff_device=theirs", origin=origin)).value is None
