"""What anybody on the network can ask without a login costs little, and is counted by address."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from graphql import get_introspection_query

from memberstaff.access import Role
from tests.api.clients import GRAPHQL, INIT, SECONDS, client
from tests.api.toy import toy
from tests.clock import TurnedClock
from tests.front_ends import MARK
from tests.installation import PASSWORD, Installation, email, install
from tests.serving import serving
from tests.web import web_client

LOGIN = "mutation ($input: LoginInput!) { login(input: $input) { accessToken refreshToken errors { code } } }"
REFRESH = (
    "mutation ($token: String!) { refreshSession(input: {refreshToken: $token}) { refreshToken errors { code } } }"
)
EXPENSIVE = "{" + " ".join("viewer {" + " id" * 60 + " }" for _ in range(9)) + "}"
"""1.7 KB, which took 39 ms to refuse."""


def limited(retry_after: int) -> dict[str, Any]:
    message = "Too many requests without a valid login from this address. Try again later."
    return {"errors": [{"message": message, "extensions": {"retryAfter": retry_after, "code": "RATE_LIMITED"}}]}


async def test_strangers_have_an_allowance_and_nobody_else_is_held_to_it() -> None:
    app, host = toy(anonymous_requests_per_minute=3)
    hello = {"query": "{ hello }"}
    async with serving(app, host.settings) as address, web_client(base_url=address.http) as http:
        made_up = {"authorization": "Bearer made-up"}
        answers = [await http.post("/graphql", json=hello, headers=made_up) for _ in range(2)]
        answers += [await http.get("/graphql", params=hello) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].json() == limited(20)
        assert answers[-1].headers["retry-after"] == "20"
        streamed = await http.post("/graphql", json=hello, headers={"accept": "text/event-stream"})
        assert (streamed.status_code, streamed.json()) == (429, limited(20))
        assert len(host.contexts) == 3
        for known in (
            {"authorization": "Bearer victor-token"},
            {"cookie": "memberstaff_refresh=signed-by-us.1"},
            {"cookie": "memberstaff_device=known-1"},
        ):
            for _ in range(3):
                assert (await http.post("/graphql", json=hello, headers=known)).status_code == 200
        for path, status in (("/health/live", 200), ("/health/ready", 200), ("/nothing.js", 404)):
            assert {(await http.get(path)).status_code for _ in range(10)} == {status}


@pytest.mark.parametrize("body", [b"{", b'"' + b"x" * 20_000 + b'"'], ids=["no JSON", "too large for a stranger"])
async def test_a_strangers_request_that_cannot_be_read_is_counted_too(body: bytes) -> None:
    app, host = toy(anonymous_requests_per_minute=3)
    json_body = {"content-type": "application/json"}
    async with serving(app, host.settings) as address, web_client(base_url=address.http) as http:
        answers = [await http.post("/graphql", content=body, headers=json_body) for _ in range(4)]
        assert [answer.status_code == 429 for answer in answers] == [False, False, False, True]
        assert "connection" not in answers[-1].headers


async def test_of_many_strangers_at_once_one_is_begun_in_each_iteration_of_the_loop() -> None:
    app, host = toy()
    iterations = 0

    async def count() -> None:
        nonlocal iterations
        while len(host.contexts) < 40:
            iterations += 1
            await asyncio.sleep(0)

    async with serving(app, host.settings) as address, web_client(base_url=address.http) as http:
        asked = [asyncio.ensure_future(http.get("/graphql", params={"query": "{ waiting }"})) for _ in range(40)]
        await asyncio.wait_for(count(), SECONDS)
        host.gate.set()
        assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
    assert iterations >= 40


async def test_a_cookie_of_another_origins_page_is_none_of_ours() -> None:
    app, host = toy(anonymous_requests_per_minute=1)
    headers = {"cookie": "memberstaff_refresh=signed-by-us.1", "origin": "https://evil.example"}
    async with serving(app, host.settings) as address, web_client(base_url=address.http) as http:
        statuses = [
            (await http.post("/graphql", json={"query": "{ hello }"}, headers=headers)).status_code for _ in "12"
        ]
    assert statuses == [200, 429]


async def test_sockets_without_a_valid_token_draw_from_the_same_allowance() -> None:
    app, host = toy(anonymous_requests_per_minute=2)
    made_up = {"type": "connection_init", "payload": {"authorization": "Bearer made-up"}}
    async with serving(app, host.settings) as address:
        codes = []
        for init in (made_up, {"type": "connection_init"}, made_up):
            async with client(address) as socket:
                await socket.say(init)
                codes.append((await socket.closing())[0])
        assert codes == [4403, 4403, 1013]
        async with client(address) as socket:
            await socket.say(INIT)
            assert await socket.hear() == {"type": "connection_ack"}


async def test_a_proxys_clients_have_an_allowance_each() -> None:
    app, host = toy(anonymous_requests_per_minute=1, trusted_proxies="127.0.0.1")
    async with serving(app, host.settings) as address, web_client(base_url=address.http) as http:
        statuses = [
            (
                await http.get("/graphql", params={"query": "{ hello }"}, headers={"x-forwarded-for": forwarded})
            ).status_code
            for forwarded in ("9.9.9.9", "8.8.8.8", "9.9.9.9", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")
        ]
    assert statuses == [200, 200, 429, 200, 429, 200]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_school_refreshes_in_the_morning_however_few_strangers_are_let_in(furnished_url: str) -> None:
    async with install(furnished_url, anonymous_requests_per_minute=3) as school:
        logins = [
            await school.nobody.ask(LOGIN, input={"email": email(Role.VIEWER), "password": PASSWORD}) for _ in range(3)
        ]
        assert (await school.nobody.fail(LOGIN, input={"email": "x", "password": "y"}))[0] == "RATE_LIMITED"
        for login in logins:
            token = login["login"]["refreshToken"]
            for _ in range(2):
                refreshed = await school.nobody.ask(REFRESH, token=token)
                token = refreshed["refreshSession"]["refreshToken"]
                assert token is not None


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_school_learns_that_its_tokens_have_expired_however_few_strangers_are_let_in(
    furnished_url: str, clock: TurnedClock
) -> None:
    async with install(furnished_url, clock=clock, anonymous_requests_per_minute=3) as school:
        expired = school.tokens[Role.VIEWER]
        clock.turn(minutes=20)
        for _ in range(3):
            await school.http.post("/graphql", json={"query": "{ __typename }"})
        assert (await school.nobody.fail("{ __typename }"))[0] == "RATE_LIMITED"
        async with client(school.address) as socket:
            await socket.say({"type": "connection_init", "payload": {"authorization": f"Bearer {expired}"}})
            assert (await socket.closing())[0] == 4403
        assert (await school.viewer.fail("{ viewer { role } }"))[0] == "UNAUTHENTICATED"
        school.tokens[Role.VIEWER] = f"{expired[:-4]}AAAA"
        assert (await school.viewer.fail("{ viewer { role } }"))[0] == "RATE_LIMITED"


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_large_document_needs_a_login_and_a_strangers_is_not_kept(furnished_url: str) -> None:
    own_schema: dict[str, Any] = {"max_tokens": 998}  # with documents that no other test has sent
    async with install(furnished_url, metrics=True, **own_schema) as school:
        for query in ("{ __typename }", "{ viewer { displayName role } }"):
            assert "errors" not in (await school.http.post("/graphql", json={"query": query})).json()
        large = await school.http.post("/graphql", json={"query": EXPENSIVE}, headers={"accept": GRAPHQL})
        assert (large.status_code, large.json()["errors"][0]["extensions"]) == (401, {"code": "UNAUTHENTICATED"})
        padded = {"query": "{ __typename }", "variables": {"x": "y" * 20_000}}
        made_up = {"authorization": "Bearer made-up"}
        refused = await school.http.post("/graphql", json=padded, headers=made_up)
        assert refused.json()["errors"][0]["extensions"] == {"reason": "TOKEN_INVALID", "code": "UNAUTHENTICATED"}
        assert "memberstaff_document_cache_bytes 0.0" in (await school.http.get("/metrics")).text
        await school.viewer.ask("{ __typename }")
        assert "memberstaff_document_cache_bytes 3780.0" in (await school.http.get("/metrics")).text


async def test_a_large_document_with_an_expired_token_says_that_it_has_expired(
    installation: Installation, clock: TurnedClock
) -> None:
    viewer = installation.viewer
    clock.turn(minutes=20)
    large = MARK + "fragment Unused on Staff { " + "id " * 100 + "}"
    code, message = await viewer.fail(large, input={})
    assert (code, message) == ("UNAUTHENTICATED", "The access token has expired. Refresh the session, or log in again.")


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_whoever_may_introspect_without_a_login_can(furnished_url: str) -> None:
    query = get_introspection_query(input_value_deprecation=True, schema_description=True)
    async with install(furnished_url, introspection=True) as school:
        answer = await school.http.post("/graphql", json={"query": query})
        assert answer.json()["data"]["__schema"]["queryType"]["name"] == "Query"
