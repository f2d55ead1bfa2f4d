"""Logging in, going on and logging out; who may do what; and that nobody is who they say."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any
from uuid import uuid4

import pytest

from tests.blackbox.site import GRAPHQL, LOGIN, LOGOUT, ROLES, Site, change, today
from tests.front_ends import MARK, Client

VIEWER = "{ viewer { role } }"
REFRESH = """mutation Refresh($input: RefreshSessionInput!) {
  refreshSession(input: $input) { accessToken refreshToken errors { code } } }"""
AUDIT = """{ audit(first: 50, action: "login") { edges { node { address userAgent } } } }"""
ACCOUNTS = "{ accounts { totalCount } }"


@pytest.mark.parametrize("role", ROLES)
async def test_whoever_logs_in_is_told_their_role(site: Site, role: str) -> None:
    async with site.client(role) as client:
        assert await client.ask(VIEWER) == {"viewer": {"role": role}}


async def test_a_wrong_password_and_an_unknown_address_are_answered_in_the_same_words(site: Site) -> None:
    answers = []
    async with site.client(None) as client:
        for email in (site.logins["ADMIN"].email, f"{uuid4().hex}@nowhere.example"):
            answers.append(await client.send(LOGIN, input={"email": email, "password": "not the password"}))
    assert answers[0] == answers[1]
    assert answers[0]["data"]["login"]["errors"][0]["code"] == "BAD_CREDENTIALS"


async def test_guessing_is_stopped_and_told_when_to_come_back(site: Site) -> None:
    guess = {"email": f"{uuid4().hex}@nowhere.example", "password": "not the password"}
    async with site.http() as http:
        for _ in range(50):
            answer = await http.post("/graphql", json={"query": LOGIN, "variables": {"input": guess}})
            if "errors" in answer.json():
                break
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert answer.headers["retry-after"] == str(error["extensions"]["retryAfter"])


async def test_without_a_login_nothing_is_told(site: Site) -> None:
    async with site.http() as http:
        answer = await http.post(
            "/graphql", json={"query": "{ attendanceDay { date } }"}, headers={"Accept": GRAPHQL, "Authorization": ""}
        )
        plain = await http.post("/graphql", json={"query": "{ attendanceDay { date } }"})
    assert answer.json()["data"] == {"attendanceDay": None}
    assert answer.json() == plain.json()
    assert answer.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."])
async def test_a_token_that_is_none_is_refused(site: Site, token: str) -> None:
    async with site.http() as http:
        code, _ = await Client(http, token).fail("{ attendanceDay { date } }")
    assert code == "UNAUTHENTICATED"


async def test_a_session_goes_on_with_its_refresh_token_alone(site: Site) -> None:
    async with site.http() as http:
        begun = await site.log_in(http, "ADMIN")
        client = Client(http, None)
        renewed = (await client.ask(REFRESH, input={"refreshToken": begun["refreshToken"]}))["refreshSession"]
        assert renewed["errors"] == []
        assert renewed["refreshToken"] != begun["refreshToken"]
        assert await Client(http, renewed["accessToken"]).ask(VIEWER) == {"viewer": {"role": "ADMIN"}}
        invented = (await client.ask(REFRESH, input={"refreshToken": "x" * 43}))["refreshSession"]
        assert (invented["accessToken"], invented["errors"][0]["code"]) == (None, "BAD_CREDENTIALS")
        await Client(http, renewed["accessToken"]).ask(LOGOUT)


async def test_after_a_logout_the_token_is_worth_nothing(site: Site) -> None:
    async with site.http() as http:
        client = Client(http, (await site.log_in(http, "VIEWER"))["accessToken"])
        assert await client.ask(VIEWER) == {"viewer": {"role": "VIEWER"}}
        assert await client.ask(LOGOUT) == {"logout": {"errors": []}}
        assert (await client.fail("{ attendanceDay { date } }"))[0] == "UNAUTHENTICATED"


async def test_a_pages_session_is_in_a_cookie_that_no_script_and_no_other_site_has(site: Site) -> None:
    secure = site.address.startswith("https:")
    async with site.http(headers={"Origin": site.address}) as http:
        login = site.logins["MARKER"]
        values = {"email": login.email, "password": login.password, "cookie": True}
        answer = await http.post("/graphql", json={"query": LOGIN, "variables": {"input": values}})
        payload = answer.json()["data"]["login"]
        assert (payload["errors"], payload["refreshToken"]) == ([], None)
        cookies = [SimpleCookie(header) for header in answer.headers.get_list("set-cookie")]
        [(name, morsel)] = [each for cookie in cookies for each in cookie.items() if each[0].endswith("_refresh")]
        assert name == ("__Host-memberstaff_refresh" if secure else "memberstaff_refresh")
        assert morsel["httponly"]
        assert bool(morsel["secure"]) is secure
        assert (morsel["samesite"], morsel["path"]) == ("Strict", "/" if secure else "/graphql")
        assert int(morsel["max-age"]) > 0
        renewed = (await Client(http, None).ask(REFRESH, input={}))["refreshSession"]
        assert (renewed["errors"], renewed["refreshToken"]) == ([], None)
        elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        body = {"query": REFRESH, "variables": {"input": {}}}
        stolen = (await http.post("/graphql", json=body, headers=elsewhere)).json()["data"]["refreshSession"]
        assert stolen["accessToken"] is None
        await Client(http, renewed["accessToken"]).ask(LOGOUT)


@pytest.mark.parametrize("role", ["VIEWER", "MARKER"])
async def test_accounts_and_the_audit_are_for_administrators(site: Site, role: str) -> None:
    async with site.client(role) as client, site.client("ADMIN") as admin:
        assert (await client.fail(ACCOUNTS))[0] == "FORBIDDEN"
        assert (await client.fail(AUDIT))[0] == "FORBIDDEN"
        assert (await admin.ask(ACCOUNTS))["accounts"]["totalCount"] >= len(ROLES)


async def test_a_wall_display_marks_nobody_and_reads_no_notes(site: Site, note: str) -> None:
    async with site.client("VIEWER") as viewer, site.client("MARKER") as marker:
        date, _, [person, *_] = await today(marker)
        target = {"staffDate": {"staffId": person["staffId"], "date": date}}
        assert (await viewer.fail(MARK, input={"target": target, "status": "ABSENT"}))[0] == "FORBIDDEN"
        assert (await change(marker, person, date, note))["note"] == note
        _, _, [shown, *_] = await today(viewer)
        assert (shown["staffId"], shown["status"], shown["note"]) == (person["staffId"], "LATE", None)


async def test_the_front_desk_marks_no_day_that_is_over(site: Site) -> None:
    async with site.client("MARKER") as marker:
        _, _, [person, *_] = await today(marker)
        target = {"staffDate": {"staffId": person["staffId"], "date": "2020-01-13"}}
        assert (await marker.fail(MARK, input={"target": target, "status": "ABSENT"}))[0] == "FORBIDDEN"


async def test_the_audit_has_the_clients_address_and_not_the_one_it_claims(site: Site) -> None:
    source, claimed, agent = "127.0.0.66", "203.0.113.9", f"seen-from-outside/{uuid4().hex}"
    forged: dict[str, Any] = {"User-Agent": agent, "X-Forwarded-For": claimed, "X-Real-IP": claimed}
    async with site.http(source, headers=forged) as http, site.client("ADMIN") as admin:
        ended = await site.log_in(http, "ADMIN")
        edges = (await admin.ask(AUDIT))["audit"]["edges"]
        await Client(http, ended["accessToken"]).ask(LOGOUT)
    [address] = [edge["node"]["address"] for edge in edges if edge["node"]["userAgent"] == agent]
    assert address != claimed
    if site.has_many_addresses:
        assert address == source
