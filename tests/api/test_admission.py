"""When too many come at once: whoever would wait for more than ten seconds is told when to come instead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from websockets.exceptions import ConnectionClosed

from memberstaff.access import Role
from memberstaff.application import Application
from memberstaff.attendance.board_cache import BoardCache
from memberstaff.fanout.admission_control import SAMPLES, AdmissionControl
from tests.api.clients import GRAPHQL
from tests.clock import TODAY, TurnedClock
from tests.databases import Engine
from tests.front_ends import WATCH
from tests.installation import WS, Installation, install
from tests.waiting import WAIT_SECONDS, until
from tests.web import web_client

WHY = "Too many clients are connecting at this moment."
KEPT = "{ attendanceDay { summary { total } } }"
NOT_KEPT = "{ viewer { id } attendanceDay { id } }"
"""Nothing that can be cached."""
STATE = "subscription ($date: Date!) { attendanceDayUpdated(date: $date) { id } }"


@asynccontextmanager
async def crowd(office: Installation, number: int = 11) -> AsyncIterator[AdmissionControl]:
    """So many wait to be let in, one at a time, which takes a second each; time stands still."""
    now = [0.0]
    queue = AdmissionControl(1, clock=lambda: now[0])
    for owner in range(SAMPLES):
        async with queue.turn(owner):
            now[0] += 1
    assert queue.cost == 1.0

    async def wait(owner: int) -> None:
        async with queue.turn(owner):
            pass

    usual, office.application.admission = office.application.admission, queue
    async with queue.turn("the first"):
        waiting = [asyncio.create_task(wait(-owner)) for owner in range(number)]
        await until(lambda: len(queue) == number)
        yield queue
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    await until(lambda: not len(queue))
    office.application.admission = usual


async def closed(office: Installation, role: Role = Role.VIEWER) -> tuple[int, str]:
    """Code and reason with which a new socket is closed."""
    async with websockets.connect(f"{office.address.ws}/graphql", subprotocols=[WS]) as socket:
        payload = {"authorization": f"Bearer {office.tokens[role]}"}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(WAIT_SECONDS):
                await socket.recv()
        return socket.close_code or 0, socket.close_reason or ""


@pytest.fixture
def engine() -> Engine:
    """Queues know no database."""
    return "sqlite"


async def test_new_sockets_are_accepted_and_closed_with_the_seconds_to_wait_one_after_the_other(
    installation: Installation,
) -> None:
    async with crowd(installation):
        assert [await closed(installation) for _ in range(3)] == [
            (1013, f"{WHY} Retry-After: 11"),
            (1013, f"{WHY} Retry-After: 12"),
            (1013, f"{WHY} Retry-After: 13"),
        ]
        assert len(installation.application.access_watcher) == 0
    async with installation.socket():
        pass


async def test_event_streams_and_queries_are_refused_with_retry_after(installation: Installation) -> None:
    office = installation
    async with crowd(office):
        async with office.stream(WATCH, "text/event-stream", date=TODAY) as stream:
            assert (stream.status, stream.headers["retry-after"]) == (503, "11")
            assert (await stream.body())["errors"] == [
                {"message": WHY, "extensions": {"code": "UNAVAILABLE", "retryAfter": 11}}
            ]
        async with office.stream(WATCH, "text/event-stream", get=True, date=TODAY) as stream:  # an EventSource
            assert (stream.status, stream.headers["retry-after"]) == (200, "12")
        answers = [
            await office.http.post(
                "/graphql",
                json={"query": query},
                headers={"Authorization": f"Bearer {office.viewer.token}", "Accept": accept},
            )
            for query in (KEPT, NOT_KEPT)
            for accept in (GRAPHQL, "application/json")
        ]
        assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [
            *((503, "13"), (200, "14")),
            *((503, "15"), (200, "16")),
        ]
        for number, answer in enumerate(answers, start=13):
            error = {"message": WHY, "extensions": {"code": "UNAVAILABLE", "retryAfter": number}}
            assert answer.json()["errors"] == [error]


async def test_marks_kept_answers_open_sockets_and_probes_go_on(installation: Installation) -> None:
    office = installation
    query = f"query Kept {KEPT}"
    board = await office.viewer.ask(query)
    async with office.watching(TODAY) as watching, crowd(office):
        assert await office.viewer.ask(query) == board
        assert (await office.marker.mark(office.staff["Amina"], TODAY, status="LATE"))["errors"] == []
        assert (await watching.change())["status"] == "LATE"
        await watching.send(type="ping", payload={"authorization": f"Bearer {office.tokens[Role.VIEWER]}"})
        assert await watching.receive() == {"type": "pong"}
        await watching.subscribe("2", STATE, date=TODAY)
        assert (await watching.event("2"))["attendanceDayUpdated"] is not None
        for path in ("/health/live", "/health/ready"):
            assert (await office.http.get(path)).status_code == 200


async def test_a_shorter_queue_is_waited_for(installation: Installation) -> None:
    office = installation
    async with crowd(office, 9) as queue:
        asking = [
            asyncio.create_task(office.viewer.ask(NOT_KEPT)),
            asyncio.create_task(office.marker.ask(NOT_KEPT)),
        ]
        await until(lambda: len(queue) == 11)
        assert await closed(office, Role.ADMIN) == (1013, f"{WHY} Retry-After: 11")
    for answer in await asyncio.gather(*asking):
        assert answer["viewer"] is not None


async def test_for_those_who_have_left_meanwhile_nothing_is_done(
    furnished_url: str, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    admit, summary = Application.admit, BoardCache.summary

    async def admitted(*arguments: Any) -> Any:
        done.append("admitted")
        return await admit(*arguments)

    async def rendered(*arguments: Any) -> Any:
        done.append("rendered")
        return await summary(*arguments)

    async with install(furnished_url, clock=clock) as office:
        connections = office.address.server.server_state.connections
        headers = {"Authorization": f"Bearer {office.viewer.token}"}
        await office.marker.ask(NOT_KEPT)
        before = len(connections)
        monkeypatch.setattr(Application, "admit", admitted)
        monkeypatch.setattr(BoardCache, "summary", rendered)
        async with crowd(office, 1) as queue:
            socket = await websockets.connect(f"{office.address.ws}/graphql", subprotocols=[WS])
            payload = {"authorization": f"Bearer {office.viewer.token}"}
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            await until(lambda: len(queue) == 2)
            async with web_client(base_url=office.address.http) as client:
                asking = asyncio.create_task(client.post("/graphql", json={"query": KEPT}, headers=headers))
                await until(lambda: len(queue) == 3)
                asking.cancel()
                await asyncio.wait({asking})
            socket.transport.abort()
            await until(lambda: len(connections) == before)
        await office.marker.ask(NOT_KEPT)
        assert done == []
        await office.viewer.ask(KEPT)
        assert done == ["rendered"]
