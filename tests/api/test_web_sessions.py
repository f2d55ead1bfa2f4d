"""A browser's session over HTTP: its refresh token stays in a cookie that no answer and no other page can read."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from memberstaff.access import Role
from tests.clock import TurnedClock
from tests.installation import PASSWORD, Installation, email, install
from tests.web import web_client

SESSION = "accessToken refreshToken viewer { role } errors { code message path }"
LOGIN = f"mutation Login($input: LoginInput!) {{ login(input: $input) {{ {SESSION} }} }}"
REFRESH = f"mutation Refresh {{ refreshSession(input: {{}}) {{ {SESSION} }} }}"
LOGOUT = "mutation Logout { logout { errors { code } } }"
FORGET = "memberstaff_refresh=; HttpOnly; SameSite=Strict; Path=/graphql; Max-Age=0"
DAY = 86_400


class Browser:
    """A browser without scripts that cheat: what it keeps is what Set-Cookie says, whatever its page does."""

    def __init__(self, installation: Installation) -> None:
        self.cookies = httpx2.Cookies()
        self.server = self.origin = installation.address.http
        self.said: str | None = None

    @property
    def kept(self) -> str | None:
        """The refresh token in the cookie."""
        return self.cookies.get("memberstaff_refresh")

    async def ask(self, document: str, *, token: str | None = None, **variables: Any) -> dict[str, Any]:
        """A whole answer to the page; `said` is then the answer's Set-Cookie."""
        headers = {"Origin": self.origin, **({"Authorization": f"Bearer {token}"} if token else {})}
        response = await self.send({"query": document, "variables": variables}, headers)
        self.said = response.headers.get("set-cookie")
        assert (self.kept or "no cookie") not in response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def send(self, body: dict[str, Any], headers: dict[str, str]) -> httpx2.Response:
        """A request of the page, with the cookies that the browser adds."""
        async with web_client(base_url=self.server, cookies=self.cookies) as http:
            response = await http.post("/graphql", json=body, headers=headers)
            self.cookies = http.cookies
            return response

    async def log_in(self, role: Role = Role.MARKER) -> str:
        """Log in with the cookie; the access token."""
        given = {"email": email(role), "password": PASSWORD, "cookie": True}
        payload = (await self.ask(LOGIN, input=given))["data"]["login"]
        assert (payload["refreshToken"], payload["errors"]) == (None, [])
        return str(payload["accessToken"])

    async def refresh(self) -> dict[str, Any]:
        """The payload of a refresh by the cookie."""
        payload: dict[str, Any] = (await self.ask(REFRESH))["data"]["refreshSession"]
        return payload

    async def may_come_in(self, token: str) -> bool:
        """Whether an access token is good."""
        return "errors" not in await self.ask("{ viewer { id } attendanceDay { id } }", token=token)


async def test_a_login_with_a_cookie_answers_no_refresh_token(installation: Installation) -> None:
    browser = Browser(installation)
    token = await browser.log_in()
    assert browser.said == (
        f"memberstaff_refresh={browser.kept}; HttpOnly; SameSite=Strict; Path=/graphql; Max-Age={30 * DAY}"
    )
    assert await browser.may_come_in(token)
    assert browser.said is None  # an ordinary answer leaves the cookie alone


async def test_a_screens_cookie_is_kept_for_ninety_days(installation: Installation) -> None:
    browser = Browser(installation)
    await browser.log_in(Role.VIEWER)
    assert browser.said is not None
    assert browser.said.endswith(f"Max-Age={90 * DAY}")
    assert (await browser.refresh())["viewer"] == {"role": "VIEWER"}
    assert browser.said.endswith(f"Max-Age={90 * DAY}")


async def test_a_login_without_a_cookie_sets_none(installation: Installation) -> None:
    browser = Browser(installation)
    given = {"email": email(Role.MARKER), "password": PASSWORD}
    payload = (await browser.ask(LOGIN, input=given))["data"]["login"]
    assert payload["refreshToken"]
    assert browser.said is None
    document = f"mutation ($input: RefreshSessionInput!) {{ refreshSession(input: $input) {{ {SESSION} }} }}"
    refreshed = (await browser.ask(document, input={"refreshToken": payload["refreshToken"]}))["data"]
    assert refreshed["refreshSession"]["refreshToken"]
    assert browser.said is None


async def test_a_refused_login_sets_no_cookie(installation: Installation) -> None:
    browser = Browser(installation)
    given = {"email": email(Role.MARKER), "password": "wrong", "cookie": True}
    payload = (await browser.ask(LOGIN, input=given))["data"]["login"]
    assert [error["code"] for error in payload["errors"]] == ["BAD_CREDENTIALS"]
    assert browser.said is None


async def test_a_refresh_puts_the_successor_into_the_cookie_and_nowhere_else(
    installation: Installation, clock: TurnedClock
) -> None:
    browser = Browser(installation)
    await browser.log_in()
    before = browser.kept
    clock.turn(days=29)
    payload = await browser.refresh()
    assert (payload["refreshToken"], payload["errors"]) == (None, [])
    assert browser.kept not in {before, None}
    assert await browser.may_come_in(payload["accessToken"])


async def test_without_a_cookie_a_refresh_is_refused_and_nothing_is_cleared(installation: Installation) -> None:
    browser = Browser(installation)
    payload = await browser.refresh()
    assert payload["errors"] == [
        {
            "code": "BAD_CREDENTIALS",
            "message": "The session has ended, or the refresh token is not valid. Log in again.",
            "path": ["refreshToken"],
        }
    ]
    assert browser.said is None


async def test_a_dead_cookie_is_cleared(installation: Installation, clock: TurnedClock) -> None:
    browser = Browser(installation)
    await browser.log_in()
    clock.turn(days=30)
    assert [error["code"] for error in (await browser.refresh())["errors"]] == ["BAD_CREDENTIALS"]
    assert browser.said == FORGET
    assert browser.kept is None


async def test_two_tabs_that_refresh_at_once_both_stay_logged_in(
    installation: Installation, clock: TurnedClock
) -> None:
    browser = Browser(installation)
    await browser.log_in()
    tabs = await asyncio.gather(browser.refresh(), browser.refresh())
    assert [tab["errors"] for tab in tabs] == [[], []]
    clock.turn(hours=1)
    assert (await browser.refresh())["errors"] == []


async def test_a_stolen_cookie_used_later_ends_the_session_of_thief_and_victim(
    installation: Installation, clock: TurnedClock
) -> None:
    victim, thief = Browser(installation), Browser(installation)
    await victim.log_in()
    thief.cookies = victim.cookies
    await thief.refresh()
    stolen = await thief.refresh()
    clock.turn(seconds=30)
    assert [error["code"] for error in (await victim.refresh())["errors"]] == ["BAD_CREDENTIALS"]
    assert victim.said == FORGET
    assert not await thief.may_come_in(stolen["accessToken"])
    assert [error["code"] for error in (await thief.refresh())["errors"]] == ["BAD_CREDENTIALS"]


async def test_a_screen_that_never_heard_the_answer_stays_logged_in(
    installation: Installation, clock: TurnedClock
) -> None:
    screen, lost = Browser(installation), Browser(installation)
    await screen.log_in(Role.VIEWER)
    lost.cookies = screen.cookies
    assert (await lost.refresh())["errors"] == []
    clock.turn(hours=7)
    payload = await screen.refresh()
    assert payload["errors"] == []
    assert await screen.may_come_in(payload["accessToken"])


SIBLING = "There are two session cookies, so neither is used. Delete this site's cookies, then log in again."


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


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null"])
async def test_a_page_of_another_origin_can_neither_use_nor_set_the_cookie(
    installation: Installation, origin: str
) -> None:
    browser = Browser(installation)
    token = await browser.log_in()
    browser.origin = origin
    refused = {
        "code": "INVALID",
        "message": "The session cookie needs an HTTP request from a page of this server. Use refresh tokens instead.",
        "path": ["refreshToken"],
    }
    assert (await browser.refresh())["errors"] == [refused]
    given = {"email": email(Role.ADMIN), "password": PASSWORD, "cookie": True}
    payload = (await browser.ask(LOGIN, input=given))["data"]["login"]
    assert payload["errors"] == [{**refused, "path": ["cookie"]}]
    assert browser.said is None
    answer = await browser.ask(LOGOUT)
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert browser.said is None
    assert await browser.may_come_in(token)


async def test_a_page_of_an_allowed_origin_uses_refresh_tokens_but_not_the_cookie(
    database_url: str, clock: TurnedClock
) -> None:
    async with install(database_url, clock=clock, allowed_origins=("https://board.example",)) as installation:
        browser = Browser(installation)
        await browser.log_in()
        browser.origin = "https://board.example"
        assert [error["code"] for error in (await browser.refresh())["errors"]] == ["INVALID"]


async def test_a_logout_ends_the_session_and_clears_the_cookie(installation: Installation) -> None:
    browser = Browser(installation)
    token = await browser.log_in()
    assert await browser.ask(LOGOUT, token=token) == {"data": {"logout": {"errors": []}}}
    assert browser.said == FORGET
    assert browser.kept is None
    assert not await browser.may_come_in(token)


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


@pytest.mark.parametrize("sent", [True, False])
async def test_a_cookie_alone_logs_out_when_the_access_token_has_expired(
    installation: Installation, clock: TurnedClock, sent: bool
) -> None:
    browser = Browser(installation)
    token = await browser.log_in()
    thief = Browser(installation)
    thief.cookies = browser.cookies
    clock.turn(hours=1)
    assert await browser.ask(LOGOUT, token=token if sent else None) == {"data": {"logout": {"errors": []}}}
    assert browser.kept is None
    assert [error["code"] for error in (await thief.refresh())["errors"]] == ["BAD_CREDENTIALS"]


async def test_a_logout_with_a_cookie_that_is_dead_already_is_not_refused(
    installation: Installation, clock: TurnedClock
) -> None:
    browser = Browser(installation)
    await browser.log_in()
    clock.turn(days=31)
    assert await browser.ask(LOGOUT) == {"data": {"logout": {"errors": []}}}
    assert browser.kept is None


async def test_a_logout_closes_the_screens_own_socket(installation: Installation) -> None:
    browser = Browser(installation)
    installation.tokens[Role.VIEWER] = await browser.log_in(Role.VIEWER)
    async with installation.watching("2026-01-12") as socket:
        await browser.ask(LOGOUT)
        await socket.connection.wait_closed()
        assert socket.connection.close_code == 4401


async def test_a_socket_can_neither_set_nor_use_a_cookie(installation: Installation) -> None:
    given = {"email": email(Role.MARKER), "password": PASSWORD, "cookie": True}
    async with installation.socket() as socket:
        await socket.subscribe("1", LOGIN, input=given)
        assert [error["code"] for error in (await socket.event())["login"]["errors"]] == ["INVALID"]
        assert (await socket.receive())["type"] == "complete"
        await socket.subscribe("2", REFRESH)
        assert [error["code"] for error in (await socket.event("2"))["refreshSession"]["errors"]] == ["INVALID"]


async def test_an_event_stream_can_neither_set_nor_use_a_cookie(installation: Installation) -> None:
    browser = Browser(installation)
    await browser.log_in()
    response = await browser.send({"query": REFRESH}, {"Accept": "text/event-stream"})
    assert '"code":"INVALID"' in response.text
    assert "set-cookie" not in response.headers


async def test_a_kept_answer_carries_no_cookie(installation: Installation) -> None:
    browser = Browser(installation)
    token = await browser.log_in()
    for _ in range(2):
        await browser.ask("{ attendanceDay { id } }", token=token)
        assert browser.said is None


@pytest.mark.parametrize("role", list(Role))
async def test_whoever_is_logged_in_learns_where_and_what_day_it_is(
    database_url: str, clock: TurnedClock, role: Role
) -> None:
    clock.turn(hours=4)  # noon in London: in New Zealand the next day has begun
    async with install(
        database_url, clock=clock, organisation="Hill School", time_zone="Pacific/Auckland"
    ) as installation:
        answer = await Browser(installation).ask(
            "{ viewer { organisation today timeZone } }", token=installation.tokens[role]
        )
        assert answer["data"]["viewer"] == {
            "organisation": "Hill School",
            "today": "2026-01-13",
            "timeZone": "Pacific/Auckland",
        }
