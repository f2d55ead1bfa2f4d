"""Accounts through the API: what administrators see and change, and what everybody may change of their own."""

from __future__ import annotations

from typing import Any

import pytest

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.accounts import directory
from memberstaff.accounts.passwords import GUESSABLE
from memberstaff.db.tables import account as table
from schema.ids import global_id
from tests.clock import TurnedClock
from tests.front_ends import Client
from tests.installation import PASSWORD, Installation, email

FIELDS = "id email displayName role issuer isDisabled createdAt"
ACCOUNTS = f"""query Accounts($first: Int, $after: String, $search: String) {{
  accounts(first: $first, after: $after, search: $search) {{
    totalCount pageInfo {{ hasNextPage hasPreviousPage endCursor }} edges {{ cursor node {{ {FIELDS} }} }} }} }}"""
CREATE = f"""mutation Create($input: CreateAccountInput!) {{
  createAccount(input: $input) {{ account {{ {FIELDS} }} errors {{ code message path }} }} }}"""
UPDATE = f"""mutation Update($input: UpdateAccountInput!) {{
  updateAccount(input: $input) {{ account {{ {FIELDS} }} errors {{ code message path }} }} }}"""
CHANGE = """mutation Change($input: ChangePasswordInput!) {
  changePassword(input: $input) { accessToken refreshToken errors { code message path } } }"""
LOGIN = "mutation Login($input: LoginInput!) { login(input: $input) { accessToken errors { code } } }"
NEW = "a new password of theirs"


async def account(installation: Installation, role: Role) -> dict[str, Any]:
    found = (await installation.admin.ask(ACCOUNTS, search=email(role)))["accounts"]["edges"]
    assert len(found) == 1
    node: dict[str, Any] = found[0]["node"]
    return node


async def update(installation: Installation, **changes: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await installation.admin.ask(UPDATE, input=changes))["updateAccount"]
    return payload


async def log_in(installation: Installation, address: str, password: str) -> str | None:
    given = {"email": address, "password": password}
    token: str | None = (await installation.nobody.ask(LOGIN, input=given))["login"]["accessToken"]
    return token


async def test_an_administrator_lists_accounts_page_by_page_and_knows_their_own(installation: Installation) -> None:
    first = (await installation.admin.ask(ACCOUNTS, first=2))["accounts"]
    assert [edge["node"]["displayName"] for edge in first["edges"]] == ["Admin", "Marker"]
    assert first["totalCount"] == 3
    assert first["pageInfo"]["hasNextPage"]
    rest = (await installation.admin.ask(ACCOUNTS, first=2, after=first["pageInfo"]["endCursor"]))["accounts"]
    assert [edge["node"] for edge in rest["edges"]] == [
        {
            "id": global_id("Account", 1),
            "email": "viewer@school.example",
            "displayName": "Viewer",
            "role": "VIEWER",
            "issuer": None,
            "isDisabled": False,
            "createdAt": "2026-01-12T08:00:00.000Z",
        }
    ]
    assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)
    own = (await installation.admin.ask("{ viewer { accountId } }"))["viewer"]["accountId"]
    assert own == first["edges"][0]["node"]["id"]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_list_of_accounts_refuses_what_it_cannot_serve(installation: Installation) -> None:
    for variables, message in (
        ({"first": 101}, "`first` must be between 0 and 100."),
        ({"after": "nonsense"}, "`after` is not a cursor of this list."),
        ({"search": "x" * 201}, "A search may have at most 200 characters."),
    ):
        assert await installation.admin.fail(ACCOUNTS, **variables) == ("BAD_REQUEST", message)


async def test_an_account_that_is_made_can_log_in_at_once(installation: Installation) -> None:
    given = {"email": "Eve@School.example", "role": "VIEWER", "password": NEW}
    payload = (await installation.admin.ask(CREATE, input=given))["createAccount"]
    assert payload["errors"] == []
    assert (payload["account"]["email"], payload["account"]["displayName"]) == ("eve@school.example", "Eve")
    token = await log_in(installation, "eve@school.example", NEW)
    viewer = (await Client(installation.http, token).ask("{ viewer { displayName role } }"))["viewer"]
    assert viewer == {"displayName": "Eve", "role": "VIEWER"}


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"email": "nonsense"}, ("INVALID", ["email"])),
        ({"email": "ADMIN@school.example"}, ("DUPLICATE", ["email"])),
        ({"password": "short"}, ("INVALID", ["password"])),
        ({"displayName": " "}, ("INVALID", ["displayName"])),
    ],
)
async def test_an_account_that_cannot_be_made_is_refused_at_the_field(
    installation: Installation, changes: dict[str, str], error: tuple[str, list[str]]
) -> None:
    given = {"email": "eve@school.example", "role": "VIEWER", "password": NEW, **changes}
    payload = (await installation.admin.ask(CREATE, input=given))["createAccount"]
    assert payload["account"] is None
    assert [(found["code"], found["path"]) for found in payload["errors"]] == [error]
    assert (await installation.admin.ask(ACCOUNTS))["accounts"]["totalCount"] == 3


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_password_that_is_easy_to_guess_is_refused_wherever_one_is_set(installation: Installation) -> None:
    marker = await account(installation, Role.MARKER)
    await update(installation, id=marker["id"], displayName="Ogbonna")
    common, own = "password1234", "ogbonna-2026!"

    async def create(password: str) -> Any:
        given = {"email": "ogbonna@school.example", "role": "VIEWER", "password": password}
        return (await installation.admin.ask(CREATE, input=given))["createAccount"]["errors"]

    async def set_for_somebody(password: str) -> Any:
        return (await update(installation, id=marker["id"], password=password))["errors"]

    async def change(password: str) -> Any:
        given = {"currentPassword": PASSWORD, "newPassword": password}
        return (await installation.marker.ask(CHANGE, input=given))["changePassword"]["errors"]

    for refuses, path in ((create, "password"), (set_for_somebody, "password"), (change, "newPassword")):
        for password in (common, own):
            error = {"code": "INVALID", "message": GUESSABLE, "path": [path]}
            assert await refuses(password) == [error]
    assert await log_in(installation, email(Role.MARKER), PASSWORD) is not None
    assert (await installation.admin.ask(ACCOUNTS))["accounts"]["totalCount"] == 3


async def test_a_change_sets_what_is_given_and_leaves_the_rest(installation: Installation) -> None:
    before = await account(installation, Role.MARKER)
    assert await update(installation, id=before["id"]) == {"account": before, "errors": []}
    changed = await update(installation, id=before["id"], displayName="Front desk", role="VIEWER")
    assert changed == {"account": {**before, "displayName": "Front desk", "role": "VIEWER"}, "errors": []}
    viewer = (await installation.marker.ask("{ viewer { displayName role } }"))["viewer"]
    assert viewer == {"displayName": "Front desk", "role": "VIEWER"}


async def test_a_disabled_account_loses_its_socket_and_may_come_back_when_enabled(installation: Installation) -> None:
    viewer = await account(installation, Role.VIEWER)
    async with installation.watching("2026-01-12") as socket:
        assert (await update(installation, id=viewer["id"], isDisabled=True))["account"]["isDisabled"] is True
        await socket.connection.wait_closed()
        assert socket.connection.close_code == 4401
    assert await log_in(installation, email(Role.VIEWER), PASSWORD) is None
    assert (await update(installation, id=viewer["id"], isDisabled=False))["account"]["isDisabled"] is False
    assert await log_in(installation, email(Role.VIEWER), PASSWORD) is not None


async def test_a_password_that_an_administrator_sets_ends_the_accounts_sessions(installation: Installation) -> None:
    marker = await account(installation, Role.MARKER)
    assert (await update(installation, id=marker["id"], password=NEW))["errors"] == []
    code, message = await installation.marker.fail("{ attendanceDay { id } }")
    assert (code, message) == ("UNAUTHENTICATED", "The session has been ended. Log in again.")
    assert await log_in(installation, email(Role.MARKER), NEW) is not None


@pytest.mark.parametrize("leaving", [{"role": "MARKER"}, {"isDisabled": True}])
async def test_the_last_administrator_stays(installation: Installation, leaving: dict[str, Any]) -> None:
    admin = await account(installation, Role.ADMIN)
    assert (await update(installation, id=admin["id"], displayName="Gone", **leaving))["errors"] == [
        {
            "code": "INVALID",
            "message": "This is the last active administrator. Make somebody else an administrator first.",
            "path": ["id"],
        }
    ]
    assert await account(installation, Role.ADMIN) == admin


async def test_what_is_no_account_is_not_found(installation: Installation) -> None:
    for id_, message in (
        (installation.staff["Amina"], "This is the id of a Staff, not of an Account."),
        (global_id("Account", 4_711), "There is no such account."),
        ("nonsense", "This id is not valid."),
    ):
        [error] = (await update(installation, id=id_, role="VIEWER"))["errors"]
        assert error == {"code": "NOT_FOUND", "message": message, "path": ["id"]}


async def test_an_account_is_a_node_for_administrators_only(installation: Installation) -> None:
    document = f"query ($id: ID!) {{ node(id: $id) {{ ... on Account {{ {FIELDS} }} }} }}"
    marker = await account(installation, Role.MARKER)
    assert (await installation.admin.ask(document, id=marker["id"]))["node"] == marker
    assert (await installation.admin.ask(document, id=global_id("Account", 4_711)))["node"] is None
    for client in (installation.marker, installation.viewer):  # who learns no more of it than of one that is not there
        assert (await client.ask(document, id=marker["id"]))["node"] is None


async def test_an_account_of_an_identity_provider_shows_it_and_keeps_its_role(installation: Installation) -> None:
    async with installation.application.database.write() as work:
        work.caller = COMMAND_LINE
        outside = {"email": None, "issuer": "https://id.example", "subject": "m", "password_hash": None}
        marker = await directory.find(work, email(Role.MARKER))
        await work.write(table.update().where(table.c.id == marker.id).values(outside))
    changed = await update(installation, id=global_id("Account", marker.id), displayName="Outside")
    assert (changed["account"]["email"], changed["account"]["issuer"]) == (None, "https://id.example")
    for change, what in (({"role": "ADMIN"}, "role"), ({"password": NEW}, "password")):
        [error] = (await update(installation, id=global_id("Account", marker.id), **change))["errors"]
        assert error["message"] == (f"This account's {what} is managed by its identity provider. Change it there.")


async def test_everybody_changes_their_own_password_and_goes_on_in_a_new_session(installation: Installation) -> None:
    given = {"currentPassword": PASSWORD, "newPassword": NEW}
    for role in Role:
        client = Client(installation.http, installation.tokens[role])
        payload = (await client.ask(CHANGE, input=given))["changePassword"]
        assert payload["errors"] == []
        assert payload["refreshToken"]
        assert (await client.fail("{ attendanceDay { id } }"))[0] == "UNAUTHENTICATED"
        await Client(installation.http, payload["accessToken"]).ask("{ attendanceDay { id } }")
        assert await log_in(installation, email(role), NEW) is not None


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_passwords_are_guessed_no_faster_here_than_at_the_login(
    installation: Installation, clock: TurnedClock
) -> None:
    guess = {"currentPassword": "a guess", "newPassword": NEW}
    for _ in range(5):
        payload = (await installation.marker.ask(CHANGE, input=guess))["changePassword"]
        assert [(error["code"], error["path"]) for error in payload["errors"]] == [
            ("BAD_CREDENTIALS", ["currentPassword"])
        ]
    assert (await installation.marker.fail(CHANGE, input=guess))[0] == "RATE_LIMITED"
    clock.turn(minutes=1)
    given = {"currentPassword": PASSWORD, "newPassword": NEW}
    assert (await installation.marker.ask(CHANGE, input=given))["changePassword"]["errors"] == []


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_request_holds_one_guess(installation: Installation) -> None:
    guess = 'changePassword(input: {currentPassword: "a", newPassword: "b"}) { errors { code } }'
    code, message = await installation.marker.fail(f"mutation {{ a: {guess} b: {guess} }}")
    assert (code, message) == ("BAD_REQUEST", "Only one changePassword is allowed in an operation.")
