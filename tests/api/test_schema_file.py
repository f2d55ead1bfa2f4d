"""The schema at an address, for code generators: shown to whoever may introspect, and printed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from memberstaff.engine.schema import Schema
from tests.api.toy import toy
from tests.clock import TurnedClock
from tests.installation import Installation, install
from tests.serving import serving
from tests.web import web_client

SDL = (Path(__file__).parents[2] / "schema.graphql").read_text(encoding="utf-8")
PATH = "/schema.graphql"
WHO_MAY = "Administrators may read the schema; MEMBERSTAFF_INTROSPECTION=true shows it to everybody.\n"

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])


def bearing(token: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_administrators_are_shown_it_and_nobody_else(installation: Installation, clock: TurnedClock) -> None:
    http = installation.http
    shown = await http.get(PATH, headers=bearing(installation.admin.token))
    assert (shown.status_code, shown.text) == (200, SDL)
    assert shown.headers["content-type"] == "text/plain; charset=utf-8"
    assert shown.headers["cache-control"] == "private, no-cache"
    for client in (installation.marker, installation.viewer):
        refused = await http.get(PATH, headers=bearing(client.token))
        assert (refused.status_code, refused.text, refused.headers["cache-control"]) == (403, WHO_MAY, "no-store")
    stranger = await http.get(PATH)
    assert (stranger.status_code, stranger.text) == (401, "Log in first: this needs a valid access token.\n")
    assert stranger.headers["www-authenticate"] == "Bearer"
    clock.turn(minutes=20)
    expired = await http.get(PATH, headers=bearing(installation.admin.token))
    message = "The access token has expired. Refresh the session, or log in again.\n"
    assert (expired.status_code, expired.text) == (401, message)


async def test_whoever_has_logged_out_is_told_to_log_in_and_not_that_they_may_not(installation: Installation) -> None:
    for client in (installation.admin, installation.viewer):
        await client.ask("mutation { logout { errors { message } } }")
        refused = await installation.http.get(PATH, headers=bearing(client.token))
        assert (refused.status_code, refused.text) == (401, "The session has been ended. Log in again.\n")
        assert refused.headers["www-authenticate"] == "Bearer"
        asked = await client.send("{ __schema { queryType { name } } }")
        assert [error["extensions"]["code"] for error in asked["errors"]] == ["UNAUTHENTICATED"]


async def test_everybody_is_shown_it_where_introspection_is_allowed(furnished_url: str) -> None:
    async with install(furnished_url, introspection=True) as school:
        shown = [await school.http.get(PATH), await school.http.get(PATH, headers=bearing(school.viewer.token))]
    assert [(answer.status_code, answer.text) for answer in shown] == [(200, SDL)] * 2


async def test_it_is_printed_once_and_not_sent_to_whoever_has_it(
    furnished_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[Schema] = []
    as_str = Schema.as_str

    def noted(schema: Schema) -> str:
        printed.append(schema)
        return as_str(schema)

    monkeypatch.setattr(Schema, "as_str", noted)
    async with install(furnished_url, introspection=True) as school:
        first = await school.http.get(PATH)
        head = await school.http.head(PATH)
        again = await school.http.get(PATH, headers={"if-none-match": first.headers["etag"]})
        changed = await school.http.get(PATH, headers={"if-none-match": '"another"'})
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", first.headers["etag"])
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (changed.status_code, changed.text) == (200, SDL)
    assert len(printed) == 1


async def test_whoever_has_it_and_may_not_read_it_any_longer_is_told_so(installation: Installation) -> None:
    shown = await installation.http.get(PATH, headers=bearing(installation.admin.token))
    conditional = {"if-none-match": shown.headers["etag"]}
    assert (await installation.http.get(PATH, headers=conditional)).status_code == 401


async def test_it_is_only_read(installation: Installation) -> None:
    answer = await installation.http.post(PATH, headers=bearing(installation.admin.token))
    assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})


async def test_strangers_who_ask_for_it_are_counted(engine: str) -> None:
    app, host = toy(anonymous_requests_per_minute=2)
    async with serving(app, host.settings) as address, web_client(base_url=address.http) as http:
        answers = [await http.get(PATH) for _ in range(3)]
        known = [await http.get(PATH, headers=bearing("amina-token")) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert answers[-1].text == "Too many requests without a valid login from this address. Try again later.\n"
    assert answers[-1].headers["retry-after"] == "30"
    assert [answer.status_code for answer in known] == [200] * 3
    assert {context.closed for context in host.contexts} == {1}
    assert len(host.contexts) == 5
