"""The session cookie: which requests may use it, and what the browser is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from memberstaff.server.session_cookie import SessionCookie, session_cookie


def scope(scheme: str = "http", path: str = "/graphql", **headers: str) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "scheme": scheme, "path": path, "headers": [(b"host", b"board.example"), *raw]}


def cookie(**of: str) -> SessionCookie:
    found = session_cookie(scope(**of))
    assert found is not None
    return found


def test_what_is_kept_is_out_of_reach_of_scripts_other_sites_and_other_paths() -> None:
    ours = cookie()
    assert ours.header is None
    ours.set("a.b-c_d", max_age=60)
    assert ours.header == "memberstaff_refresh=a.b-c_d; HttpOnly; SameSite=Strict; Path=/graphql; Max-Age=60"
    ours.clear()
    assert ours.header == "memberstaff_refresh=; HttpOnly; SameSite=Strict; Path=/graphql; Max-Age=0"


@pytest.mark.parametrize(
    ("of", "secure"),
    [
        ({"scheme": "https"}, True),
        ({"scheme": "https", "origin": "https://board.example"}, True),
        ({"origin": "https://board.example"}, True),  # a proxy ends TLS
        ({"origin": "http://board.example"}, False),
        ({}, False),
    ],
)
def test_a_page_that_came_over_https_gets_a_cookie_for_https_only(of: dict[str, str], secure: bool) -> None:
    ours = cookie(**of)
    ours.set("token", max_age=1)
    assert ours.header is not None
    assert ours.header.endswith("; Secure") == secure


def test_a_cookie_is_for_the_path_under_which_the_browser_sees_us() -> None:
    ours = cookie(path="/staff/graphql")
    ours.clear()
    assert ours.header is not None
    assert "; Path=/staff/graphql;" in ours.header


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("memberstaff_refresh=abc", "abc"),
        ("theme=dark; memberstaff_refresh=abc; x", "abc"),
        ("memberstaff_refresh=", None),
        ("xmemberstaff_refresh=abc", None),
        ("theme=dark", None),
        ("", None),
    ],
)
def test_the_token_is_found_among_the_cookies_of_others(header: str, token: str | None) -> None:
    assert cookie(cookie=header).token == token


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://board.example:8080"},
        {"origin": "http://sub.board.example"},
        {"origin": "null"},
        {"origin": "https://evil.example", "sec_fetch_site": "same-site"},
        {"origin": "https://evil.example", "sec_fetch_site": "cross-site"},
    ],
)
def test_a_page_of_another_host_has_no_cookie(headers: dict[str, str]) -> None:
    assert session_cookie(scope(cookie="memberstaff_refresh=abc", **headers)) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://board.example"},
        {"origin": "https://board.example"},
        # A development server or a proxy that sends us another Host than the page's; no page can forge this.
        {"origin": "http://localhost:5173", "sec_fetch_site": "same-origin"},
    ],
)
def test_a_page_of_this_host_and_a_program_have_one(headers: dict[str, str]) -> None:
    assert cookie(cookie="memberstaff_refresh=abc", **headers).token == "abc"
