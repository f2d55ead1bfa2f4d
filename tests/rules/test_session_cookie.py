"""The session cookie: which requests may use it, and what the browser is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from memberstaff.server.session_cookie import SessionCookie, session_cookie


def scope(scheme: str = "http", path: str = "/graphql", **headers: str) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http", "scheme": scheme, "path": path, "headers": [(b"host", b"board.example"), *raw]}


def cookie(**of: str) -> SessionCookie:
    found = session_cookie(scope(**of))
    assert found is not None
    return found


HTTPS = {"origin": "https://board.example"}


def test_what_is_kept_is_out_of_reach_of_scripts_other_sites_and_other_paths() -> None:
    ours = cookie()
    assert ours.header is None
    ours.set("a.b-c_d", max_age=60)
    assert ours.header == "memberstaff_refresh=a.b-c_d; HttpOnly; SameSite=Strict; Path=/graphql; Max-Age=60"
    ours.clear()
    assert ours.header == "memberstaff_refresh=; HttpOnly; SameSite=Strict; Path=/graphql; Max-Age=0"


@pytest.mark.parametrize(
    "of",
    [{"scheme": "https"}, {"scheme": "https", **HTTPS}, HTTPS],  # the last one: a proxy ends TLS
)
def test_over_https_no_other_host_can_set_it(of: dict[str, str]) -> None:
    ours = cookie(**of)
    ours.set("token", max_age=60)
    kept = "__Host-memberstaff_refresh=token; HttpOnly; SameSite=Strict; Path=/; Max-Age=60; Secure"
    assert ours.header == kept
    ours.clear()
    assert ours.header == kept.replace("token", "").replace("60", "0")


@pytest.mark.parametrize("of", [{}, {"origin": "http://board.example"}])
def test_without_https_it_has_no_prefix_that_browsers_would_refuse(of: dict[str, str]) -> None:
    ours = cookie(**of)
    ours.set("token", max_age=60)
    assert ours.header is not None
    assert ours.header.startswith("memberstaff_refresh=token;")
    assert "Secure" not in ours.header


def test_a_cookie_is_for_the_path_under_which_the_browser_sees_us() -> None:
    ours = cookie(path="/staff/graphql")
    ours.clear()
    assert ours.header is not None
    assert "; Path=/staff/graphql;" in ours.header


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("memberstaff_refresh=planted", None),
        ("memberstaff_refresh=planted; __Host-memberstaff_refresh=abc", "abc"),
        ("__Host-memberstaff_refresh=abc; memberstaff_refresh=planted", "abc"),
        ("__host-memberstaff_refresh=planted", None),
        ("__Secure-memberstaff_refresh=planted", None),
        ("\xa0__Host-memberstaff_refresh=planted", None),  # spaces that browsers keep and Python strips
        ("\x85__Host-memberstaff_refresh=planted; __Host-memberstaff_refresh=abc", "abc"),
        ("__Host-memberstaff_refresh\xa0=planted", None),
        ("__Host-memberstaff_refresh =planted", None),
        ("$Version=1; __Host-memberstaff_refresh=abc", "abc"),
        ('x="; __Host-memberstaff_refresh=abc"; y', 'abc"'),  # browsers know no quotation marks
        ("=__Host-memberstaff_refresh=planted", None),
    ],
)
def test_over_https_a_cookie_that_another_host_can_set_is_not_ours(header: str, token: str | None) -> None:
    assert cookie(cookie=header, **HTTPS).token == token


@pytest.mark.parametrize(
    "header",
    [
        "memberstaff_refresh=abc; memberstaff_refresh=planted",
        "memberstaff_refresh=abc; theme=dark; memberstaff_refresh=abc",
        "memberstaff_refresh=abc;memberstaff_refresh=",
        "memberstaff_refresh=; \tmemberstaff_refresh=planted",
    ],
)
def test_of_two_cookies_of_its_name_neither_is_used(header: str) -> None:
    for name, of in (("memberstaff_refresh", {}), ("__Host-memberstaff_refresh", HTTPS)):
        ours = cookie(cookie=header.replace("memberstaff_refresh", name), **of)
        assert (ours.token, ours.ambiguous) == (None, True)


def test_two_cookies_in_two_headers_are_two() -> None:
    of = scope(cookie="memberstaff_refresh=abc")
    of["headers"].append((b"cookie", b"memberstaff_refresh=planted"))
    ours = session_cookie(of)
    assert ours is not None
    assert (ours.token, ours.ambiguous) == (None, True)


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
    ours = cookie(cookie=header)
    assert (ours.token, ours.ambiguous) == (token, False)


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
        # A development server or a proxy that sends us another Host than the page's; no page can forge this.
        {"origin": "http://localhost:5173", "sec_fetch_site": "same-origin"},
    ],
)
def test_a_page_of_this_host_and_a_program_have_one(headers: dict[str, str]) -> None:
    assert cookie(cookie="memberstaff_refresh=abc", **headers).token == "abc"
