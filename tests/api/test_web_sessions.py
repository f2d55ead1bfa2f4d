"""A browser's session over HTTP: its refresh token stays in a cookie that no answer and no other page can read."""

from __future__ import annotations

import asyncio

import pytest

from memberstaff.access import Role
from tests.api.browsers import DAY, LOGIN, LOGOUT, REFRESH, SESSION, Browser
from tests.clock import TurnedClock
from tests.databases import Engine
from tests.installation import PASSWORD, Installation, email, install

FORGET = "memberstaff_refresh=; HttpOnly; SameSite=Strict; Path=/graphql; Max-Age=0"


@pytest.fixture
def engine() -> Engine:
    """Cookies and origins; how sessions are stored is for tests/services to show on both."""
    return "sqlite"


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
            "message": "The session has ended. Log in again.",
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


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null"])
async def test_a_page_of_another_origin_can_neither_use_nor_set_the_cookie(
    installation: Installation, origin: str
) -> None:
    browser = Browser(installation)
    token = await browser.log_in()
    browser.origin = origin
    refused = {
        "code": "INVALID",
        "message": "The session cookie needs an HTTP request from a page of this server. Elsewhere, log in without it.",
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
    furnished_url: str, clock: TurnedClock
) -> None:
    async with install(furnished_url, clock=clock, allowed_origins=("https://board.example",)) as installation:
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
    furnished_url: str, clock: TurnedClock, role: Role
) -> None:
    clock.turn(hours=4)  # noon in London: in New Zealand the next day has begun
    async with install(
        furnished_url, clock=clock, organisation="Hill School", time_zone="Pacific/Auckland"
    ) as installation:
        answer = await Browser(installation).ask(
            "{ viewer { organisation today timeZone } }", token=installation.tokens[role]
        )
        assert answer["data"]["viewer"] == {
            "organisation": "Hill School",
            "today": "2026-01-13",
            "timeZone": "Pacific/Auckland",
        }
