"""What is refused for now says when to come back, in a form that depends on what the client accepts alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from memberstaff.server.app import create_app
from tests.api.clients import GRAPHQL, http_served
from tests.api.toy import toy, toy_schema
from tests.clock import TODAY, TurnedClock
from tests.front_ends import WATCH
from tests.installation import install
from tests.pusher import KEY
from tests.services import issuer as oidc
from tests.services.issuer import Issuer
from tests.web import web_client

JSON = "application/json"
SSE = "text/event-stream"
MULTIPART = "multipart/mixed;subscriptionSpec=1.0"
FORMS = [
    ("POST", SSE, JSON),
    ("POST", MULTIPART, JSON),
    ("POST", f"{JSON}, {SSE}", JSON),
    ("POST", f"{GRAPHQL}, {JSON};q=0.9, {SSE}", GRAPHQL),
    ("POST", f"{MULTIPART}, {JSON}", JSON),
    ("GET", f"{JSON}, {SSE}", JSON),
    ("GET", f"{SSE}, */*;q=0.1", JSON),
    ("GET", f"{GRAPHQL}, {JSON};q=0.9, {SSE}", GRAPHQL),
    ("GET", SSE, SSE),
]
"""Requests for a stream by what they accept, and the media type in which they are refused."""


@pytest.fixture
def issuer(clock: TurnedClock) -> Iterator[Issuer]:
    made = Issuer(now=clock)
    with oidc.serving(made):
        yield made


async def subscribe(
    http: httpx.AsyncClient, method: str, accept: str, token: str = "", **variables: str
) -> httpx.Response:
    request = {"query": WATCH if variables else "subscription { count(to: 1) }"}
    headers = {"accept": accept, "authorization": token}
    if method == "POST":
        return await http.post("/graphql", json={**request, "variables": variables}, headers=headers)
    inputs = ", ".join(f'{name}: "{value}"' for name, value in variables.items())
    query = f"subscription {{ attendanceUpdated({inputs}) {{ id }} }}" if variables else request["query"]
    return await http.get("/graphql", params={"query": query}, headers=headers)


def said_in(form: str, refused: httpx.Response, seconds: int) -> str:
    """Why a request is refused, in this form and for so long."""
    assert refused.headers["content-type"].partition(";")[0] == form
    assert refused.headers["retry-after"] == str(seconds)
    if form == SSE:
        assert refused.status_code == 200
        comment, retry, _ = refused.text.split("\n", 2)
        assert int(retry.removeprefix("retry: ")) // 1_000 in {seconds, seconds + 1}
        return comment.removeprefix(": ")
    [error] = refused.json()["errors"]
    assert (refused.status_code, error["extensions"]) == (429, {"code": "RATE_LIMITED", "retryAfter": seconds})
    return str(error["message"])


@pytest.mark.parametrize(("method", "accept", "form"), FORMS)
async def test_before_the_request_is_read(method: str, accept: str, form: str) -> None:
    async with http_served(anonymous_requests_per_minute=1) as (http, _):
        assert (await subscribe(http, method, accept)).status_code == 200
        refused = await subscribe(http, method, accept)
    assert said_in(form, refused, 60) == "Too many requests without a valid login from this address. Try again later."


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_before_the_stream_begins(furnished_url: str, clock: TurnedClock) -> None:
    async with (
        install(furnished_url, clock=clock, max_sockets_per_account=1) as small,
        small.stream(WATCH, SSE, date=TODAY),
    ):
        token = f"Bearer {small.viewer.token}"
        for method, accept, form in FORMS:
            refused = await subscribe(small.http, method, accept, token, date=TODAY)
            assert said_in(form, refused, 5) == "Too many connections from this account. Close some, then try again."


async def test_a_fault_is_a_status_to_whoever_is_no_event_source() -> None:
    async with http_served() as (http, _):
        for token in ("Bearer broken-token", "Bearer puzzling-token"):
            for method, accept, form in FORMS:
                refused = await subscribe(http, method, accept, token)
                assert refused.status_code == (200 if form == SSE else 500)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_while_the_identity_provider_is_away(furnished_url: str, clock: TurnedClock, issuer: Issuer) -> None:
    issuer.ill = True
    headers = {"authorization": f"Bearer {issuer.token()}", "accept": GRAPHQL}
    async with install(furnished_url, clock=clock, echo_key=KEY, **oidc.settings(issuer)) as office:
        refused = [
            await office.http.post("/graphql", content=b"x" * 20_000, headers={**headers, "content-type": JSON}),
            await office.http.get("/schema.graphql", headers=headers),
            await office.http.post("/broadcasting/auth", data={"channel_name": "private-attendance"}, headers=headers),
        ]
    assert [answer.status_code for answer in refused] == [503] * 3
    assert {int(answer.headers["retry-after"]) for answer in refused} <= set(range(25, 31))
    assert refused[-1].json() == {"message": "The identity provider cannot be reached. Try again in a moment."}


async def test_whatever_else_answers_429_or_503(tmp_path: Path) -> None:
    app, host = toy()
    host.ready = False

    async def busy(request: Request) -> PlainTextResponse:
        own = {"retry-after": "7"} if "own" in request.query_params else {}
        return PlainTextResponse("Busy.\n", int(request.path_params["status"]), own)

    app.add_route("/busy/{status}", busy)
    unbuilt = create_app(toy_schema(), host, tmp_path / "nothing")
    answers = {}
    for one, paths in (
        (app, ("/busy/429", "/busy/503", "/busy/503?own", "/busy/500", "/health/ready")),
        (unbuilt, "/"),
    ):
        async with web_client(transport=httpx.ASGITransport(one), base_url="http://localhost") as http:
            for path in paths:
                answer = await http.get(path)
                answers[path] = (answer.status_code, answer.headers.get("retry-after"))
    assert answers == {
        "/busy/429": (429, "5"),
        "/busy/503": (503, "5"),
        "/busy/503?own": (503, "7"),
        "/busy/500": (500, None),
        "/health/ready": (503, "5"),
        "/": (503, "5"),
    }
