"""Large answers to queries are compressed; whatever could carry a token never is."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import brotli
import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLUnionType, get_named_type

from memberstaff.access import Role
from memberstaff.engine.limits import Limits
from memberstaff.server import compression
from schema.root import make_schema
from tests.clock import TODAY
from tests.databases import Engine
from tests.front_ends import WATCH
from tests.installation import PASSWORD, Installation, email

KEPT = "query Board($date: Date) { attendanceDay(date: $date) { records { edges { node { staffName note } } } } }"
EXECUTED = f"query Both($date: Date) {{ viewer {{ role }} {KEPT.partition('{')[2]}"
"""More than one root field: not cached."""
DECODE = {"br": brotli.decompress, "gzip": lambda body: zlib.decompress(body, wbits=31), None: bytes}


@pytest.fixture
def engine() -> Engine:
    """What is compressed looks the same on either."""
    return "sqlite"


@pytest.fixture
def compressions(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a body has been compressed, by content coding."""
    counted: Counter[str] = Counter()

    def counting(name: str, body: bytes) -> bytes:
        counted[name] += 1
        return real[name](body)

    real = dict(compression.CODINGS)
    counters = {name: lambda body, name=name: counting(name, body) for name in real}
    monkeypatch.setattr(compression, "CODINGS", counters)
    return counted


async def make_large(installation: Installation) -> None:
    for name, staff_id in installation.staff.items():
        payload = await installation.marker.mark(staff_id, TODAY, status="LATE", note=f"{name} and the bus. " * 80)
        assert payload["errors"] == []


async def ask(
    installation: Installation, document: str, accepted: str | None, token: str | None = None, **variables: Any
) -> tuple[bytes, Mapping[str, str]]:
    """The body as it was sent, and the headers."""
    headers = {"Authorization": f"Bearer {token or installation.tokens[Role.MARKER]}"}
    headers["Accept-Encoding"] = accepted or "identity"
    request = installation.http.build_request(
        "POST", "/graphql", json={"query": document, "variables": variables}, headers=headers
    )
    if accepted is None:
        del request.headers["Accept-Encoding"]
    response = await installation.http.send(request, stream=True)
    body = b"".join([chunk async for chunk in response.aiter_raw()])
    await response.aclose()
    assert int(response.headers["content-length"]) == len(body)
    return body, response.headers


@pytest.mark.parametrize("document", [KEPT, EXECUTED])
async def test_a_large_answer_comes_as_the_client_accepts_it(
    installation: Installation, document: str, compressions: Counter[str]
) -> None:
    await make_large(installation)
    answers = {}
    codings = {None: None, "identity": None, "br;q=0, *": "gzip", "gzip, br": "br", "gzip": "gzip"}
    for accepted, coding in codings.items():
        body, headers = await ask(installation, document, accepted, date=TODAY)
        assert headers.get("content-encoding") == coding
        assert headers["content-type"] == "application/json; charset=utf-8"
        assert headers["vary"] == "Accept-Encoding, Origin"
        assert headers["cache-control"] == "no-store"
        answers[accepted] = json.loads(DECODE[coding](body))
        assert (len(body) < 1_000) == (coding is not None)
    assert len(answers[None]["data"]["attendanceDay"]["records"]["edges"]) == 4
    assert all(answer == answers[None] for answer in answers.values())
    assert compressions == {"br": 1, "gzip": 1 if document == KEPT else 2}


async def test_a_query_by_get_is_compressed_too(installation: Installation) -> None:
    await make_large(installation)
    response = await installation.http.get(
        "/graphql",
        params={"query": KEPT, "variables": json.dumps({"date": TODAY})},
        headers={"Authorization": f"Bearer {installation.tokens[Role.MARKER]}", "Accept-Encoding": "br"},
    )
    assert (response.headers["content-encoding"], response.status_code) == ("br", 200)
    assert len(response.json()["data"]["attendanceDay"]["records"]["edges"]) == 4


async def test_fifty_equal_questions_are_compressed_once(
    installation: Installation, compressions: Counter[str]
) -> None:
    await make_large(installation)
    asked = [ask(installation, KEPT, "br", date=TODAY) for _ in range(50)]
    answers = await asyncio.gather(*asked)
    assert len({body for body, _ in answers}) == 1
    assert {headers["content-encoding"] for _, headers in answers} == {"br"}
    assert compressions == {"br": 1}
    await installation.marker.mark(installation.staff["Amina"], TODAY, note="")
    body, _ = await ask(installation, KEPT, "br", date=TODAY)
    assert body != answers[0][0]  # another version is another answer
    assert compressions == {"br": 2}


async def test_a_role_is_never_given_what_another_may_read(installation: Installation) -> None:
    await make_large(installation)
    mine, _ = await ask(installation, KEPT, "br", date=TODAY)
    theirs, headers = await ask(installation, KEPT, "br", installation.tokens[Role.VIEWER], date=TODAY)
    assert b"the bus" in brotli.decompress(mine)
    assert (b"the bus" in theirs, "content-encoding" in headers) == (False, False)


async def test_an_answer_with_a_token_is_not_compressed_however_small_others_may_be(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, compressions: Counter[str]
) -> None:
    monkeypatch.setattr(compression, "LEAST_BYTES", 0)
    tokens = "accessToken refreshToken errors { code }"
    login = f"mutation L($i: LoginInput!) {{ login(input: $i) {{ {tokens} }} }}"
    refresh = f"mutation R($i: RefreshSessionInput!) {{ refreshSession(input: $i) {{ {tokens} }} }}"
    change = f"mutation C($i: ChangePasswordInput!) {{ changePassword(input: $i) {{ {tokens} }} }}"
    query = "query Q { viewer { role } }"

    async def told(document: str, token: str | None = None, **given: Any) -> dict[str, Any]:
        # With a query beside it: what counts is the operation, not the document.
        both = {
            "query": f"{document} {query}",
            "variables": {"i": given},
            "operationName": document.split("(")[0].split()[1],
        }
        headers = {"Accept-Encoding": "br, gzip"} | ({"Authorization": f"Bearer {token}"} if token else {})
        response = await installation.http.post("/graphql", json=both, headers=headers)
        assert ("content-encoding" in response.headers, response.headers["vary"]) == (False, "Origin")
        [payload] = response.json()["data"].values()
        assert payload["errors"] == []
        return dict(payload)

    first = await told(login, email=email(Role.MARKER), password=PASSWORD)
    known = await told(login, first["accessToken"], email=email(Role.MARKER), password=PASSWORD)
    second = await told(refresh, known["accessToken"], refreshToken=first["refreshToken"])
    await told(change, second["accessToken"], currentPassword=PASSWORD, newPassword="another long battery")
    assert compressions == {}
    _, headers = await ask(installation, query, "br", installation.tokens[Role.VIEWER])
    assert headers["content-encoding"] == "br"


def test_no_query_can_show_a_token() -> None:
    """Whatever a query can show is compressed."""
    schema = make_schema(Limits()).core
    assert schema.query_type is not None
    waiting: list[Any] = [schema.query_type]
    seen: set[str] = set()
    fields: set[str] = set()
    while waiting:
        reached = waiting.pop()
        if reached.name in seen or not isinstance(reached, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType):
            continue
        seen.add(reached.name)
        if isinstance(reached, GraphQLUnionType | GraphQLInterfaceType):
            waiting += schema.get_possible_types(reached)
        if not isinstance(reached, GraphQLUnionType):
            fields |= {f"{reached.name}.{name}" for name in reached.fields}
            waiting += [get_named_type(field.type) for field in reached.fields.values()]
    assert "Viewer.role" in fields
    secrets = ("token", "password", "secret")
    assert [field for field in fields if any(word in field.lower() for word in secrets)] == []


async def test_errors_and_other_methods_are_as_they_were(installation: Installation) -> None:
    large = "{ " + "nothing " * 900 + "}"
    body, headers = await ask(installation, large, "br")
    assert "errors" in json.loads(body)
    assert "content-encoding" not in headers
    response = await installation.http.head("/graphql", headers={"Accept-Encoding": "br"})
    assert (response.status_code, "content-encoding" in response.headers) == (405, False)


async def test_no_stream_is_compressed(installation: Installation, compressions: Counter[str]) -> None:
    accepted = {"Accept-Encoding": "br, gzip"}
    note = "late " * 350
    async with (
        installation.stream(WATCH, "text/event-stream", Role.MARKER, headers=accepted, date=TODAY) as events,
        installation.stream(
            WATCH, "multipart/mixed;subscriptionSpec=1.0", Role.MARKER, headers=accepted, date=TODAY
        ) as parts,
    ):
        await events.moved()
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE", note=note)
        for stream in (events, parts):
            assert "content-encoding" not in stream.headers
            assert (await stream.change())["note"] == note.strip()
    assert compressions == {}
