"""Server-sent events by their standard: whoever comes back with the last id misses nothing, and stops when told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from typing import Any
from weakref import WeakSet

import pytest

from memberstaff.access import Caller, Role
from memberstaff.accounts.admissions import Revocable
from memberstaff.accounts.tokens import Claims
from memberstaff.attendance.cursor import Cursor
from tests.clock import TODAY, TurnedClock
from tests.front_ends import BOARD, WATCH
from tests.installation import Installation, install

SSE = "text/event-stream"
MULTIPART = "multipart/mixed;subscriptionSpec=1.0"
STATE = "subscription State($date: Date!) { attendanceDayUpdated(date: $date) { summary { present } } }"
pytestmark = pytest.mark.parametrize("engine", ["sqlite"])

TEACHERS = {"categories": ["Teaching"]}


async def cursor_of(installation: Installation) -> str:
    day = (await installation.viewer.ask(BOARD, date=TODAY))["attendanceDay"]
    return str(day["records"]["feedCursor"])


async def mark(installation: Installation, name: str, status: str) -> None:
    assert (await installation.marker.mark(installation.staff[name], TODAY, status=status))["errors"] == []


async def whole(installation: Installation, document: str, **options: Any) -> str:
    """The text of a stream that ends by itself."""
    async with installation.stream(document, SSE, **options) as stream:
        assert stream.status == 200
        text = b""
        while chunk := await stream.chunk():
            text += chunk
        return text.decode()


@pytest.mark.parametrize("get", [False, True])
async def test_the_id_of_an_event_is_its_cursor_and_the_first_is_where_the_stream_begins(
    installation: Installation, get: bool
) -> None:
    begins = await cursor_of(installation)
    async with installation.stream(WATCH, SSE, get=get, date=TODAY) as stream:
        assert stream.headers["content-type"] == SSE
        assert stream.headers["cache-control"] == "no-store, no-transform"
        assert await stream.moved() == begins
        assert 1_000 <= (stream.interpreter.retry or 0) <= 4_000
        await mark(installation, "Amina", "PRESENT")
        event = await stream.event()
        change = event.json()["data"]["attendanceUpdated"]
        assert event.last_event_id == change["feedCursor"] == await cursor_of(installation)


@pytest.mark.parametrize("get", [False, True])
async def test_a_client_that_comes_back_with_the_last_id_misses_and_repeats_nothing(
    installation: Installation, get: bool
) -> None:
    begins = await cursor_of(installation)
    async with installation.stream(WATCH, SSE, get=get, date=TODAY, after=begins) as stream:
        await mark(installation, "Amina", "PRESENT")
        assert (await stream.change())["staffName"] == "Amina"
        last = stream.interpreter.last_event_id
        stream.reset()
    await mark(installation, "Björn", "LATE")
    await mark(installation, "Chloé", "ABSENT")
    again = {"Last-Event-ID": last}
    async with installation.stream(WATCH, SSE, get=get, headers=again, date=TODAY, after=begins) as stream:
        assert [(await stream.change())["staffName"] for _ in range(2)] == ["Björn", "Chloé"]
        await mark(installation, "Amina", "REMOTE")
        assert (await stream.change())["status"] == "REMOTE"


async def test_a_client_that_has_seen_no_event_yet_comes_back_to_where_it_began(installation: Installation) -> None:
    async with installation.stream(WATCH, SSE, get=True, date=TODAY) as stream:
        begins = await stream.moved()
        stream.reset()
    await mark(installation, "Amina", "PRESENT")
    async with installation.stream(WATCH, SSE, get=True, headers={"Last-Event-ID": begins}, date=TODAY) as stream:
        assert (await stream.change())["staffName"] == "Amina"


async def test_the_last_id_wins_over_a_cursor_that_could_not_be_honoured(installation: Installation) -> None:
    last = {"Last-Event-ID": await cursor_of(installation)}
    await mark(installation, "Amina", "PRESENT")
    async with installation.stream(WATCH, SSE, headers=last, date=TODAY, after="nonsense") as stream:
        assert (await stream.change())["staffName"] == "Amina"


async def test_an_empty_last_id_is_none(installation: Installation) -> None:
    begins = await cursor_of(installation)
    async with installation.stream(WATCH, SSE, headers={"Last-Event-ID": ""}, date=TODAY) as stream:
        assert await stream.moved() == begins


async def test_what_a_scope_leaves_out_moves_the_id_on_and_is_not_replayed(
    furnished_url: str, clock: TurnedClock, event_executions: Counter[str]
) -> None:
    async with install(furnished_url, clock=clock, max_replay=1) as office:
        async with office.stream(WATCH, SSE, date=TODAY, scope=TEACHERS) as stream:
            begins = await stream.moved()
            for name in ("Björn", "Дмитрий"):
                await mark(office, name, "PRESENT")
                assert await stream.moved() == await cursor_of(office)
            last = stream.interpreter.last_event_id
        old, new = {"Last-Event-ID": begins}, {"Last-Event-ID": last}
        async with office.stream(WATCH, SSE, headers=old, date=TODAY, scope=TEACHERS) as refused:
            assert refused.status == 409
        async with office.stream(WATCH, SSE, headers=new, date=TODAY, scope=TEACHERS) as stream:
            await mark(office, "Amina", "PRESENT")
            assert (await stream.change())["staffName"] == "Amina"
    assert event_executions == {"Watch": 1}


async def test_an_event_after_what_a_scope_leaves_out_has_its_own_id_alone(installation: Installation) -> None:
    begins = await cursor_of(installation)
    for name in ("Björn", "Amina", "Дмитрий"):
        await mark(installation, name, "PRESENT")
    async with installation.stream(WATCH, SSE, date=TODAY, after=begins, scope=TEACHERS) as stream:
        event = await stream.event()
        change = event.json()["data"]["attendanceUpdated"]
        assert (change["staffName"], event.last_event_id) == ("Amina", change["feedCursor"])
        assert stream.interpreter.last_event_id == await cursor_of(installation)  # past Дмитрий


async def test_ids_cost_a_group_no_second_rendering_and_other_transports_nothing(
    installation: Installation, event_executions: Counter[str]
) -> None:
    async with (
        installation.watching(TODAY, scope=TEACHERS) as socket,
        installation.stream(WATCH, SSE, date=TODAY, scope=TEACHERS) as events,
        installation.stream(WATCH, SSE, get=True, date=TODAY, scope=TEACHERS) as more_events,
        installation.stream(WATCH, MULTIPART, date=TODAY, scope=TEACHERS) as parts,
    ):
        assert installation.application.groups.members == 4
        for stream in (events, more_events):
            await stream.moved()
        for name in ("Björn", "Amina"):  # what is left out writes nothing, which would be the end of a chunked body
            await mark(installation, name, "PRESENT")
        assert (await socket.change())["staffName"] == "Amina"
        for stream in (events, more_events, parts):
            assert (await stream.change())["staffName"] == "Amina"
        assert len(installation.application.groups) == 1
    assert event_executions == {"Watch": 1}


@pytest.mark.parametrize("last", ["", "nonsense", "complete."])
async def test_a_field_without_a_cursor_has_no_ids_and_ignores_the_last_one(
    installation: Installation, last: str
) -> None:
    async with installation.stream(STATE, SSE, headers={"Last-Event-ID": last}, date=TODAY) as stream:
        assert stream.status == 200
        for present in (0, 1):
            event = await stream.event()
            assert event.json() == {"data": {"attendanceDayUpdated": {"summary": {"present": present}}}}
            assert stream.interpreter.last_event_id == event.last_event_id == ""
            await mark(installation, "Amina", "PRESENT")


@pytest.mark.parametrize("get", [False, True])
async def test_a_resume_that_is_refused_is_answered_before_the_stream(installation: Installation, get: bool) -> None:
    now = Cursor.parse(await cursor_of(installation))

    async def refusal(last: str, document: str = WATCH, **options: Any) -> tuple[int, str, str]:
        headers = {"Last-Event-ID": last, **options.pop("headers", {})}
        async with installation.stream(document, SSE, get=get, headers=headers, date=TODAY, **options) as stream:
            [error] = (await stream.body())["errors"]
            return stream.status, stream.headers["content-type"], error["extensions"]["code"]

    media = "application/json; charset=utf-8"
    for last in (
        "nonsense",
        "\xc3\xa9",
        str(now)[:-1],
        str(Cursor(1, now.date, 0)),
        str(Cursor(now.epoch, now.date, now.position + 1)),
        str(Cursor(now.epoch, now.date.replace(day=1), 0)),
    ):
        assert await refusal(last) == (409, media, "RESTART_REQUIRED")
    for authorization in ("Bearer nonsense", ""):
        stranger = {"Authorization": authorization}
        assert await refusal(str(now), headers=stranger) == (401, media, "UNAUTHENTICATED")
    assert await refusal(str(now), "{ __schema { queryType { name } } }") == (403, media, "FORBIDDEN")
    assert await refusal(str(now), "subscription { unknown }") == (400, media, "BAD_REQUEST")
    assert len(installation.application.groups) == 0


async def test_what_is_refused_at_first_is_an_event_since_an_event_source_shows_no_status(
    installation: Installation,
) -> None:
    for document, code in ((WATCH, "RESTART_REQUIRED"), ("subscription { unknown }", "BAD_REQUEST")):
        text = await whole(installation, document, get=True, date=TODAY, after="nonsense")
        retry, event, complete, nothing = text.split("\n\n")
        assert event.startswith('event: next\ndata: {"errors":[{"message":')
        assert f'"code":"{code}"' in event
        assert (complete, nothing) == ("id: complete\nevent: complete\ndata: ", "")


@pytest.mark.parametrize("get", [False, True])
async def test_a_single_result_is_not_asked_for_again(installation: Installation, get: bool) -> None:
    text = await whole(installation, "{ viewer { role } }", get=get)
    retry, event, complete, nothing = text.split("\n\n")
    assert event == 'event: next\ndata: {"data":{"viewer":{"role":"VIEWER"}}}'
    assert (complete, nothing) == ("id: complete\nevent: complete\ndata: ", "")
    over = {"Last-Event-ID": "complete"}
    async with installation.stream("{ viewer { role } }", SSE, get=get, headers=over) as stream:
        assert stream.status == 204
        assert "content-length" not in stream.headers


@pytest.mark.parametrize("get", [False, True])
async def test_a_mutation_is_not_repeated_by_who_comes_back(installation: Installation, get: bool) -> None:
    document = "mutation ($i: CreateStaffInput!) { createStaff(input: $i) { errors { code } } }"
    names = {"name": "Eva", "category": "Teaching"}
    async with installation.stream(document, SSE, Role.ADMIN, get=get, i=names) as stream:
        assert stream.status == (405 if get else 200)
        assert stream.headers.get("allow") == ("POST" if get else None)
    over = {"Last-Event-ID": "complete"}
    async with installation.stream(document, SSE, Role.ADMIN, get=get, headers=over, i=names) as stream:
        assert stream.status == 204
    day = (await installation.viewer.ask(BOARD, date=TODAY))["attendanceDay"]
    assert day["summary"]["total"] == (4 if get else 5)


async def test_a_stream_whose_access_ends_may_go_on_with_another_login(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = installation.application.access_watcher
    admit, connections = watcher.admit, WeakSet[Revocable]()

    def noting(connection: Revocable, claims: Claims) -> Awaitable[Caller]:
        connections.add(connection)
        return admit(connection, claims)

    monkeypatch.setattr(watcher, "admit", noting)
    async with installation.stream(WATCH, SSE, date=TODAY) as stream:
        begins = await stream.moved()
        [connection] = connections
        connection.end(4403, "Your token has expired.")
        event = await stream.event()
        assert event.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        complete = await stream.event()
        assert (complete.type, complete.data, complete.last_event_id) == ("complete", "", begins)
    await mark(installation, "Amina", "LATE")
    again = {"Last-Event-ID": complete.last_event_id}
    async with installation.stream(WATCH, SSE, Role.MARKER, headers=again, date=TODAY) as stream:
        assert (await stream.change())["staffName"] == "Amina"


async def test_multipart_knows_no_last_id(installation: Installation) -> None:
    async with installation.stream(WATCH, MULTIPART, headers={"Last-Event-ID": "complete"}, date=TODAY) as stream:
        assert stream.status == 200
        await stream.chunk()
        await mark(installation, "Amina", "LATE")
        assert (await stream.change())["status"] == "LATE"
