"""Browsers' sessions, and whoever plants or steals one: over HTTP, with the headers that browsers send."""

from __future__ import annotations

import httpx2
import pytest

from memberstaff.access import Role
from tests.api.browsers import DAY, LOGIN, LOGOUT, REFRESH, Browser
from tests.databases import Engine
from tests.installation import PASSWORD, Installation, email

SIBLING = "There are two session cookies, so neither is used. Delete this site's cookies, then log in again."


@pytest.fixture
def engine() -> Engine:
    """Cookies; how sessions are stored is for tests/services to show on both."""
    return "sqlite"


async def test_a_session_that_a_sibling_host_plants_beside_ours_is_not_used(installation: Installation) -> None:
    browser, attacker = Browser(installation), Browser(installation)
    token = await browser.log_in()
    await attacker.log_in(Role.ADMIN)
    ours = browser.kept
    headers = {"Cookie": f"memberstaff_refresh={ours}; memberstaff_refresh={attacker.kept}", "Origin": browser.origin}
    browser.cookies = httpx2.Cookies()
    refused = {"code": "INVALID", "message": SIBLING, "path": ["refreshToken"]}
    response = await browser.send({"query": REFRESH}, headers)
    assert response.json()["data"]["refreshSession"]["errors"] == [refused]
    given = {"email": email(Role.MARKER), "password": PASSWORD, "cookie": True}
    again = await browser.send({"query": LOGIN, "variables": {"input": given}}, headers)
    assert again.json()["data"]["login"]["errors"] == [{**refused, "path": ["cookie"]}]
    out = await browser.send({"query": LOGOUT}, headers)
    assert out.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert [each.headers.get("set-cookie") for each in (response, again, out)] == [None] * 3
    assert await browser.may_come_in(token)
    assert (await attacker.refresh())["errors"] == []  # nothing was used up


async def test_behind_tls_a_session_that_a_sibling_host_plants_is_not_used(installation: Installation) -> None:
    browser, attacker = Browser(installation), Browser(installation)
    await attacker.log_in(Role.ADMIN)
    browser.origin = installation.address.http.replace("http:", "https:")  # a proxy ends TLS
    await browser.log_in()
    name = "__Host-memberstaff_refresh"
    kept = f"{name}={{}}; HttpOnly; SameSite=Strict; Path=/; Max-Age={30 * DAY}; Secure"
    assert browser.said is not None
    ours = browser.said.partition(";")[0].removeprefix(f"{name}=")
    assert browser.said == kept.format(ours)
    browser.cookies = httpx2.Cookies()
    planted = f"memberstaff_refresh={attacker.kept}"
    for sent, role in (
        (planted, None),
        (f"{planted}; {name}={ours}", "MARKER"),
        (f"{name}={ours}; {planted}", "MARKER"),
    ):
        answer = await browser.send({"query": REFRESH}, {"Cookie": sent, "Origin": browser.origin})
        payload = answer.json()["data"]["refreshSession"]
        assert payload["viewer"] == (role and {"role": role})


CHANGE = """mutation Change($input: ChangePasswordInput!) {
  changePassword(input: $input) { accessToken refreshToken expiresAt errors { code } }
}"""


async def test_a_changed_password_leaves_whoever_has_the_old_cookie_behind(installation: Installation) -> None:
    browser, thief = Browser(installation), Browser(installation)
    token = await browser.log_in()
    thief.cookies = browser.cookies
    given = {"currentPassword": PASSWORD, "newPassword": "a new password of hers"}
    payload = (await browser.ask(CHANGE, token=token, input=given))["data"]["changePassword"]
    assert (payload["refreshToken"], payload["errors"], payload["expiresAt"]) == (None, [], "2026-01-12T08:15:00.000Z")
    assert browser.kept not in {None, thief.kept}
    assert browser.said is not None
    assert browser.said.endswith(f"Max-Age={30 * DAY}")
    assert await browser.may_come_in(payload["accessToken"])
    assert not await thief.may_come_in(token)
    assert [error["code"] for error in (await thief.refresh())["errors"]] == ["BAD_CREDENTIALS"]
    assert (await browser.refresh())["errors"] == []


async def test_a_cookie_of_another_session_is_left_alone_by_a_changed_password(installation: Installation) -> None:
    browser = Browser(installation)
    await browser.log_in(Role.VIEWER)
    token = installation.tokens[Role.MARKER]  # of a program beside it
    given = {"currentPassword": PASSWORD, "newPassword": "a new password of hers"}
    payload = (await browser.ask(CHANGE, token=token, input=given))["data"]["changePassword"]
    assert payload["refreshToken"]
    assert browser.said is None
    assert (await browser.refresh())["viewer"] == {"role": "VIEWER"}
