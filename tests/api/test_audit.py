"""The audit log through the API: what administrators see of a login, and how they look for it."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memberstaff.access import Role
from schema.ids import global_id
from tests.api import browsers
from tests.clock import TurnedClock
from tests.installation import PASSWORD, Installation, email
from tests.web import web_client

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"
FIELDS = """id at by { email } operator action subject subjectId details { name value } address userAgent device
  count"""
AUDIT = f"""query Audit($first: Int, $after: String, $from: DateTime, $to: DateTime, $subject: AuditSubject,
    $action: String, $account: ID) {{
  audit(first: $first, after: $after, from: $from, to: $to, subject: $subject, action: $action, account: $account) {{
    pageInfo {{ hasNextPage hasPreviousPage endCursor }} edges {{ cursor node {{ {FIELDS} }} }} }} }}"""
LOGIN = "mutation Login($input: LoginInput!) { login(input: $input) { accessToken errors { code } } }"
MARKER = global_id("Account", 2)


async def entries(installation: Installation, **variables: Any) -> list[dict[str, Any]]:
    return [edge["node"] for edge in (await installation.admin.ask(AUDIT, **variables))["audit"]["edges"]]


class Browser:
    """A browser at the front desk, which keeps its cookies."""

    def __init__(self, installation: Installation) -> None:
        self.server = installation.address.http
        self.cookies = httpx2.Cookies()
        self.said: list[str] = []

    async def log_in(self, password: str = PASSWORD, *, cookie: bool = True, origin: str | None = None) -> str | None:
        """Log in as the front desk; what went wrong, if anything did."""
        given = {"email": email(Role.MARKER), "password": password, "cookie": cookie}
        headers = {"Origin": origin or self.server, "User-Agent": "Firefox"}
        async with web_client(base_url=self.server, cookies=self.cookies) as http:
            body = {"query": LOGIN, "variables": {"input": given}}
            response = await http.post("/graphql", json=body, headers=headers)
            self.cookies, self.said = http.cookies, response.headers.get_list("set-cookie")
        answer = response.json()
        if "errors" in answer:
            return str(answer["errors"][0]["extensions"]["code"])
        errors = answer["data"]["login"]["errors"]
        return str(errors[0]["code"]) if errors else None

    @property
    def device(self) -> str:
        return (self.cookies.get("memberstaff_device") or "").partition(".")[0]


async def test_administrators_see_who_logged_in_from_where_and_with_which_device(installation: Installation) -> None:
    marker = (await entries(installation, account=MARKER))[-1]["subjectId"]
    browser = Browser(installation)
    for _ in range(2):
        assert await browser.log_in() is None
    second, first, *_ = await entries(installation, account=marker)
    [session] = first.pop("details")
    assert first == {
        "id": first["id"],
        "at": "2026-01-12T08:00:00.000Z",
        "by": {"email": email(Role.MARKER)},
        "operator": None,
        "action": "login",
        "subject": "ACCOUNT",
        "subjectId": marker,
        "address": "127.0.0.1",
        "userAgent": "Firefox",
        "device": None,
        "count": 1,
    }
    assert session["name"] == "session"
    assert second["device"] == browser.device
    document = f"query ($id: ID!) {{ node(id: $id) {{ ... on AuditEntry {{ {FIELDS} }} }} }}"
    assert (await installation.admin.ask(document, id=second["id"]))["node"] == second
    for client in (installation.marker, installation.viewer):
        assert (await client.ask(document, id=second["id"]))["node"] is None
    assert (await installation.admin.ask(document, id=global_id("AuditEntry", 4_711)))["node"] is None


async def test_the_front_desk_logs_in_although_its_school_is_full_of_guesses(installation: Installation) -> None:
    desk, pupil = Browser(installation), Browser(installation)
    assert await desk.log_in() is None
    while (outcome := await pupil.log_in("a guess")) != "RATE_LIMITED":
        assert outcome == "BAD_CREDENTIALS"
    assert await pupil.log_in() == "RATE_LIMITED"
    assert await desk.log_in() is None
    assert [(entry["action"], entry["count"], entry["by"]) for entry in await entries(installation, first=3)] == [
        ("login", 1, {"email": email(Role.MARKER)}),
        ("rate_limited", 2, None),
        ("login_failed", 4, None),
    ]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_the_devices_cookie_is_out_of_scripts_reach_and_comes_with_the_other_one(
    installation: Installation,
) -> None:
    browser = Browser(installation)
    assert await browser.log_in("a guess") == "BAD_CREDENTIALS"
    assert browser.said == []
    assert await browser.log_in(cookie=False) is None
    assert browser.said == []
    assert await browser.log_in() is None
    assert browser.said[1] == (
        f"memberstaff_device={browser.cookies.get('memberstaff_device')}; HttpOnly; SameSite=Strict; Path=/; "
        "Max-Age=34560000"
    )


async def test_an_action_names_what_was_changed(installation: Installation, clock: TurnedClock) -> None:
    update = """mutation ($input: UpdateAccountInput!) {
      updateAccount(input: $input) { account { id displayName } errors { code } } }"""
    clock.turn(minutes=1)
    changed = await installation.admin.ask(update, input={"id": MARKER, "displayName": "Front desk", "role": "VIEWER"})
    account = changed["updateAccount"]["account"]
    renamed, role = await entries(installation, **{"from": "2026-01-12T08:01:00Z"})
    assert [(entry["action"], entry["by"]["email"], entry["subjectId"]) for entry in (renamed, role)] == [
        (action, email(Role.ADMIN), account["id"]) for action in ("renamed", "role_set")
    ]
    assert (renamed["details"], role["details"]) == (
        [{"name": "displayName", "value": "Front desk"}],
        [{"name": "role", "value": "VIEWER"}],
    )
    assert len({entry["userAgent"] for entry in (renamed, role)} - {None}) == 1


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_is_done_in_a_known_browser_names_it(installation: Installation, clock: TurnedClock) -> None:
    browser = browsers.Browser(installation)
    token = await browser.log_in(Role.ADMIN)
    device = (browser.cookies.get("memberstaff_device") or "").partition(".")[0]
    clock.turn(minutes=1)
    update = "mutation ($input: UpdateAccountInput!) { updateAccount(input: $input) { errors { code } } }"
    await browser.ask(update, token=token, input={"id": MARKER, "role": "VIEWER"})
    change = "mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { accessToken } }"
    given = {"currentPassword": PASSWORD, "newPassword": "a new password of hers"}
    token = (await browser.ask(change, token=token, input=given))["data"]["changePassword"]["accessToken"]
    await browser.ask(browsers.LOGOUT, token=token)
    given = {"email": email(Role.ADMIN), "password": "a new password of hers"}
    token = (await browser.ask(browsers.LOGIN, input=given))["data"]["login"]["accessToken"]
    found = await browser.ask(AUDIT, token=token, **{"from": "2026-01-12T08:01:00Z"})
    told = [(edge["node"]["action"], edge["node"]["device"]) for edge in found["data"]["audit"]["edges"]]
    assert told == [(action, device) for action in ("login", "logout", "login", "password_changed", "role_set")]


async def test_the_log_is_read_page_by_page(installation: Installation) -> None:
    whole = await entries(installation)
    assert len(whole) == len(Role) + 4  # the accounts and people of the installation
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = (await installation.admin.ask(AUDIT, first=2, after=after))["audit"]
        found += [edge["node"] for edge in page["edges"]]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == whole
    assert {entry["subject"] for entry in await entries(installation, subject="STAFF")} == {"STAFF"}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_the_query_on_its_page_works_as_written(installation: Installation) -> None:
    [document] = re.findall(r"^```graphql\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert (await installation.admin.ask(document))["audit"]["edges"] == []


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_the_log_refuses_what_it_cannot_look_for(installation: Installation) -> None:
    foreign = "`after` is not a cursor of this list."
    for variables, message in (
        ({"first": 101}, "`first` must be between 0 and 100."),
        ({"after": "nonsense"}, foreign),
        ({"after": cursor('["2026-01-12T08:00:00Z",1]')}, foreign),
        ({"after": cursor("[9000000000000000000,1]")}, foreign),
        ({"after": cursor("[-9000000000000000000,1]")}, foreign),
        ({"action": "x" * 33}, "An action has at most 32 characters."),
        ({"account": installation.staff["Amina"]}, "This is the id of a Staff, not of an Account."),
    ):
        assert (await installation.admin.fail(AUDIT, **variables))[1] == message
    for nothing in ({"action": "nothing"}, {"account": global_id("Account", 4_711)}, {"to": "0001-01-01T00:00:00Z"}):
        assert await entries(installation, **nothing) == []
    assert await entries(installation, **{"from": "9999-12-31T23:59:59Z"}) == []


def cursor(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")
