"""An EventSource ends at any status but 200: no fault that passes shows it one, or takes away the id it came with."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import pytest

from memberstaff.server import graphql_streams
from tests.api.clients import GRAPHQL, api, client, http_served
from tests.clock import TODAY, TurnedClock
from tests.freezing import Line, line_to
from tests.front_ends import BOARD, MARK, WATCH, EventStream
from tests.installation import Installation, install
from tests.services import issuer as oidc
from tests.services.issuer import Issuer

SSE = "text/event-stream"
EVENTS = {"accept": SSE}


@pytest.fixture
def issuer(clock: TurnedClock) -> Iterator[Issuer]:
    made = Issuer(now=clock)
    with oidc.serving(made):
        yield made


@pytest.fixture
async def line(furnished_url: str) -> AsyncIterator[Line]:
    async with line_to(furnished_url) as opened:
        yield opened


async def told(stream: EventStream, last: str) -> tuple[str, int]:
    """Why an EventSource that came with this id is to come back, and after how many whole seconds; it keeps the id."""
    assert (stream.status, stream.headers["content-type"]) == (200, SSE)
    stream.interpreter.last_event_id = last
    text = await stream.content()
    assert stream.interpreter.feed(text) == []
    assert stream.interpreter.last_event_id == last
    assert stream.interpreter.retry is not None
    return text.decode().splitlines()[0].removeprefix(": "), stream.interpreter.retry // 1_000


async def cursor_of(installation: Installation) -> str:
    day = (await installation.viewer.ask(BOARD, date=TODAY))["attendanceDay"]
    return str(day["records"]["feedCursor"])


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_who_is_told_to_come_back_misses_nothing_meanwhile(furnished_url: str, clock: TurnedClock) -> None:
    async with install(furnished_url, clock=clock, max_sockets_per_account=1) as small:
        async with small.stream(WATCH, SSE, date=TODAY) as stream:
            last = await stream.moved()
            resume = {"Last-Event-ID": last}
            async with small.stream(WATCH, SSE, headers=resume, date=TODAY) as refused:
                assert (refused.status, refused.headers["retry-after"]) == (429, "5")
            async with small.stream(WATCH, SSE, get=True, headers=resume, date=TODAY) as refused:
                why, seconds = await told(refused, last)
                assert why.startswith("Too many connections from this account. ")
                assert seconds in {5, 6}
                resume = {"Last-Event-ID": refused.interpreter.last_event_id}
            async with small.stream(WATCH, SSE, get=True, date=TODAY) as refused:
                assert (await told(refused, ""))[0] == why
        await small.marker.mark(small.staff["Amina"], TODAY, status="LATE")
        async with small.stream(WATCH, SSE, get=True, headers=resume, date=TODAY) as stream:
            assert await stream.moved() == last
            assert (await stream.change())["staffName"] == "Amina"


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("last", ["nonsense", "\xc3\xa9", "complete."])
async def test_an_id_that_is_not_ours_is_kept_too_so_that_it_is_refused_later(
    furnished_url: str, clock: TurnedClock, last: str
) -> None:
    async with (
        install(furnished_url, clock=clock, max_sockets_per_account=1) as small,
        small.stream(WATCH, SSE, date=TODAY),
        small.stream(WATCH, SSE, get=True, headers={"Last-Event-ID": last}, date=TODAY) as refused,
    ):
        await told(refused, last)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_an_identity_provider_that_cannot_be_reached_is_waited_for(
    furnished_url: str, clock: TurnedClock, issuer: Issuer
) -> None:
    issuer.ill = True
    why = "The identity provider cannot be reached. Try again in a moment."
    async with install(furnished_url, clock=clock, **oidc.settings(issuer)) as office:
        last = await cursor_of(office)
        theirs = {"Authorization": f"Bearer {issuer.token()}"}
        for resume in ("", last):
            headers = {**theirs, "Last-Event-ID": resume}
            async with office.stream(WATCH, SSE, get=True, headers=headers, date=TODAY) as stream:
                message, seconds = await told(stream, resume)
                assert message == why
                assert 25 <= seconds <= 31  # the keys are not asked for again before
            async with office.stream(WATCH, SSE, headers=headers, date=TODAY) as stream:
                assert stream.status == 503
                assert int(stream.headers["retry-after"]) in range(25, 31)
        change = {"target": {"staffDate": {"staffId": office.staff["Amina"], "date": TODAY}}, "status": "LATE"}
        body = {"query": MARK, "variables": {"input": change}}
        answer = await office.http.post("/graphql", json=body, headers={**theirs, "Accept": GRAPHQL})
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["message"]) == (200, why)
        assert error["extensions"].pop("retryAfter") in range(25, 31)
        assert error["extensions"] == {"code": "UNAVAILABLE", "applied": False}
        async with client(office.address) as socket:
            await socket.say({"type": "connection_init", "payload": {"authorization": theirs["Authorization"]}})
            assert (await socket.closing())[0] == 1013

        issuer.ill = False
        clock.turn(seconds=30)
        await office.marker.mark(office.staff["Amina"], TODAY, status="LATE")
        headers = {**theirs, "Last-Event-ID": last}
        async with office.stream(WATCH, SSE, get=True, headers=headers, date=TODAY) as stream:
            assert (await stream.change())["staffName"] == "Amina"


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_database_that_says_nothing_is_waited_for_no_longer_than_proxies_wait(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphql_streams, "PATIENCE_SECONDS", 0.2)
    async with install(line.url, database_seconds=2, poll_seconds=60) as office:
        last = await cursor_of(office)
        line.freeze()
        line.freeze_new()
        for resume in ("", last):
            headers = {"Last-Event-ID": resume}
            async with office.stream(WATCH, SSE, get=True, headers=headers, date=TODAY) as stream:
                why = "This subscription cannot begin just now. Try again in a moment."
                assert await told(stream, resume) in {(why, 1), (why, 2)}
            async with office.stream(WATCH, SSE, headers=headers, date=TODAY) as stream:
                assert (stream.status, stream.headers["retry-after"]) == (503, "1")
                assert (await stream.body())["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert len(office.application.groups) == 0
        line.thaw_new()
        line.cut_frozen()
        monkeypatch.undo()
        change = {"target": {"staffDate": {"staffId": office.staff["Amina"], "date": TODAY}}, "status": "LATE"}
        while "errors" in await office.marker.send(MARK, input=change):
            pass  # each connection of the pool that was cut is met once
        async with office.stream(WATCH, SSE, get=True, headers={"Last-Event-ID": last}, date=TODAY) as stream:
            assert (await stream.change())["staffName"] == "Amina"


async def test_a_stranger_without_allowance_comes_back_to_learn_that_they_are_one() -> None:
    subscription = {"query": "subscription { count(to: 1) }"}
    async with http_served(anonymous_requests_per_minute=3) as (http, _):
        answers = [await http.get("/graphql", params=subscription, headers=EVENTS) for _ in range(4)]
        resumed = await http.get("/graphql", params=subscription, headers={**EVENTS, "last-event-id": "mine"})
        in_json = await http.get("/graphql", params={"query": "{ hello }"})
    assert ["event: next" in answer.text for answer in answers] == [True, True, True, False]
    comment = "Too many requests without a valid login from this address. Try again later."
    assert re.fullmatch(rf": {comment}\nretry: 2[01]\d\d\d\n\n", answers[-1].text)
    assert (resumed.status_code, resumed.headers["content-type"]) == (200, SSE)
    assert re.fullmatch(rf": {comment}\nretry: \d+\nid: mine\n\n", resumed.text)
    assert in_json.status_code == 429


@pytest.mark.parametrize(
    ("token", "query"),
    [
        ("broken-token", "subscription { count(to: 1) }"),
        ("broken-token", "{ __typename __schema { queryType { name } } }"),
        ("puzzling-token", "subscription { count(to: 1) }"),
    ],
)
async def test_what_fails_inside_may_pass_and_has_a_reference(token: str, query: str) -> None:
    asked = {"query": query}
    headers = {**EVENTS, "authorization": f"Bearer {token}", "last-event-id": "mine"}
    async with api() as (http, _):
        got = await http.get("/graphql", params=asked, headers=headers)
        posted = await http.post("/graphql", json=asked, headers=headers)
    comment = f"Internal server error. If you report it, quote reference {got.headers['x-request-id']}."
    assert got.status_code == 200
    assert re.fullmatch(rf": {comment}\nretry: [56]\d\d\d\nid: mine\n\n", got.text)
    assert (posted.status_code, posted.json()["errors"][0]["extensions"]) == (500, {"code": "INTERNAL"})


async def test_a_query_that_cannot_be_answered_now_is_asked_again_by_get_alone() -> None:
    query = {"query": "{ soon: busy(seconds: 0.2) later: busy(seconds: 6.5) hello }"}
    headers = {**EVENTS, "authorization": "Bearer victor-token"}
    async with api() as (http, _):
        got = await http.get("/graphql", params=query, headers=headers)
        posted = await http.post("/graphql", json=query, headers=headers)
    assert re.fullmatch(r": The database is away\.\nretry: [78]\d\d\d\n\n", got.text)
    assert "event: next" in posted.text
    assert posted.text.endswith("id: complete\nevent: complete\ndata: \n\n")


async def test_a_stream_in_which_something_fails_is_not_over() -> None:
    subscription = {"query": "subscription { forever }"}
    headers = {**EVENTS, "authorization": "Bearer victor-token"}
    async with (
        http_served() as (http, host),
        http.stream("GET", "/graphql", params=subscription, headers=headers) as answer,
    ):
        texts = answer.aiter_text()
        await anext(texts)
        await anext(texts)
        [group] = host.groups._groups.values()  # noqa: SLF001 - no request makes a stream fail so
        [member] = group._live  # noqa: SLF001
        member.listener.end(RuntimeError("a bug"))
        rest = "".join([text async for text in texts])
    assert '"code":"INTERNAL"' in rest
    assert rest.endswith("event: complete\ndata: \n\n")
    assert "id: complete" not in rest
