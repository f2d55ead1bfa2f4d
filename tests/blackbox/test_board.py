"""The board of a day, and marks: one, many, at odds with another, and wrong ones."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.blackbox.site import GRAPHQL, Site, change, today
from tests.front_ends import BOARD, MARK

BULK = """mutation Bulk($input: BulkUpdateAttendanceInput!) { bulkUpdateAttendance(input: $input) {
  attendances { staffId status note version feedCursor } errors { code message path } } }"""
INTROSPECTION = "{ __schema { queryType { name } } }"
INSIDE = ("traceback", "site-packages", ".py", "sqlalchemy", "asyncpg", "sqlite", "strawberry", "/opt/", "/data/")
"""What no answer may have in it."""


async def test_the_board_counts_everybody_and_lists_them_in_pages(site: Site) -> None:
    async with site.client("VIEWER") as client:
        first = (await client.ask(BOARD, first=2))["attendanceDay"]
        second = (await client.ask(BOARD, first=2, after=first["records"]["pageInfo"]["endCursor"]))["attendanceDay"]
    pages = [{edge["node"]["staffId"] for edge in day["records"]["edges"]} for day in (first, second)]
    assert first["summary"]["total"] == first["records"]["totalCount"] >= 4
    assert [len(page) for page in pages] == [2, 2]
    assert pages[0] & pages[1] == set()


async def test_a_mark_is_stored_and_says_where_it_stands(site: Site, note: str) -> None:
    async with site.client("MARKER") as client:
        date, _, [person, *_] = await today(client)
        marked = await change(client, person, date, note)
        _, cursor, [stored, *_] = await today(client)
    assert (stored["status"], stored["note"], stored["version"]) == ("LATE", note, marked["version"])
    assert cursor == marked["feedCursor"]


async def test_a_mark_of_what_somebody_else_has_changed_is_refused_with_what_is_stored(site: Site, note: str) -> None:
    async with site.client("MARKER") as client:
        date, _, [person, *_] = await today(client)
        stored = await change(client, person, date, note)
        target = {"staffDate": {"staffId": person["staffId"], "date": date}}
        values = {"target": target, "status": "ABSENT", "expectedVersion": stored["version"] - 1}
        payload = (await client.ask(MARK, input=values))["updateAttendance"]
    [error] = payload["errors"]
    assert (payload["attendance"], error["code"]) == (None, "VERSION_CONFLICT")
    assert error["current"] == {"status": "LATE", "note": note, "version": stored["version"]}


async def test_many_are_marked_at_once_and_a_repeated_request_marks_nobody_again(site: Site, note: str) -> None:
    async with site.client("MARKER") as client:
        date, _, people = await today(client)
        entries = [{"staffId": person["staffId"], "status": "LATE", "note": note} for person in people]
        request = {"date": date, "change": {"entries": entries}, "idempotencyKey": uuid4().hex}
        answers = [(await client.ask(BULK, input=request))["bulkUpdateAttendance"] for _ in range(2)]
    assert answers[0]["errors"] == []
    assert [(each["staffId"], each["note"]) for each in answers[0]["attendances"]] == [
        (person["staffId"], note) for person in people
    ]
    assert answers[1] == answers[0]


async def test_of_many_marks_with_a_wrong_one_none_is_made(site: Site, note: str) -> None:
    async with site.client("MARKER") as client:
        date, before, [person, *_] = await today(client)
        entries = [{"staffId": each, "status": "LATE", "note": note} for each in (person["staffId"], "nobody")]
        answer = await client.send(BULK, input={"date": date, "change": {"entries": entries}})
        _, after, [stored, *_] = await today(client)
    assert "errors" in answer or answer["data"]["bulkUpdateAttendance"]["errors"]
    assert (after, stored["note"] == note) == (before, False)


@pytest.mark.parametrize(
    ("document", "variables", "reason"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        (BOARD, {"date": "tomorrow"}, "BAD_USER_INPUT"),
        (BOARD, {"first": 10_000}, "BAD_USER_INPUT"),
        (BOARD, {"after": "x"}, "BAD_USER_INPUT"),
        (MARK, {"input": {"target": {"id": "\x00"}, "status": "LATE"}}, None),
        ("{ attendanceDay { date " + "a: date " * 20_000 + "} }", {}, None),
        ("{ " + "a { " * 500 + "}" * 501, {}, None),
        ("fragment A on Query { ...A } { ...A }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_of_the_inside_is(
    site: Site, document: str, variables: dict[str, Any], reason: str | None
) -> None:
    async with site.http() as http:
        headers = {"Authorization": f"Bearer {await site.token(http, 'MARKER')}", "Accept": GRAPHQL}
        answer = await http.post("/graphql", json={"query": document, "variables": variables}, headers=headers)
    errors = answer.json()["errors"]
    assert 200 <= answer.status_code < 500
    assert [words for words in INSIDE if words in answer.text.lower()] == []
    if reason is not None:
        assert errors[0]["extensions"]["reason"] == reason


async def test_the_schema_is_an_administrators_and_is_not_sent_twice(site: Site) -> None:
    async with site.http() as http:
        bearer = {"Authorization": f"Bearer {await site.token(http, 'ADMIN')}"}
        sent = await http.get("/schema.graphql", headers=bearer)
        again = await http.get("/schema.graphql", headers={**bearer, "If-None-Match": sent.headers["etag"]})
        asked = await http.post("/graphql", json={"query": INTROSPECTION}, headers=bearer)
        public = await http.get("/schema.graphql")
        stranger = await http.post("/graphql", json={"query": INTROSPECTION})
    assert "\ntype Query {\n" in sent.text
    assert (again.status_code, again.content) == (304, b"")
    assert asked.json() == {"data": {"__schema": {"queryType": {"name": "Query"}}}}
    assert ("data" in stranger.json()) == (public.status_code == 200)
