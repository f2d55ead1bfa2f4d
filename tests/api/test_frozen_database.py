"""Connections to the database that freeze without a word stop nobody: marks, boards and health go on over others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import event

from memberstaff import application
from memberstaff.application import Application
from memberstaff.db import pool
from tests.clock import TODAY
from tests.freezing import Line, line_to
from tests.front_ends import MARK
from tests.installation import Installation, install, settings
from tests.scrapes import scrape
from tests.waiting import WAIT_SECONDS

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])


@pytest.fixture
async def line(furnished_url: str) -> AsyncIterator[Line]:
    async with line_to(furnished_url) as opened:
        yield opened


@pytest.fixture
async def frail(line: Line) -> AsyncIterator[Installation]:
    """A server behind the line, with the patience of a test."""
    async with install(line.url, database_seconds=2, database_pool_size=5, poll_seconds=0.05) as installed:
        yield installed


@pytest.fixture
async def quiet(line: Line) -> AsyncIterator[Installation]:
    """The same, which does not poll: whatever is frozen stays in the pool until it is asked for."""
    async with install(line.url, database_seconds=2, poll_seconds=60) as installed:
        yield installed


async def test_a_mark_on_a_frozen_connection_says_that_it_was_not_applied_and_the_next_one_is(
    quiet: Installation, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PING_AFTER_SECONDS", 60)  # so that a frozen connection is met, not replaced
    amina, day = quiet.staff["Amina"], TODAY
    async with quiet.watching(day) as board:
        await quiet.marker.mark(amina, day, status="PRESENT")
        assert (await board.change())["status"] == "PRESENT"
        line.freeze()
        extensions: list[dict[str, object]] = []
        for _ in range(20):  # each frozen connection of the pool is met once at most
            target = {"staffDate": {"staffId": amina, "date": day}}
            answer = await quiet.marker.send(MARK, input={"target": target, "status": "LATE"})
            if "errors" not in answer:
                break
            extensions.append(answer["errors"][0]["extensions"])
        assert extensions
        assert extensions == [{"code": "UNAVAILABLE", "retryAfter": 1, "applied": False}] * len(extensions)
        assert answer["data"]["updateAttendance"]["attendance"]["version"] == 2
        assert (await board.change())["status"] == "LATE"


async def test_readiness_knows_of_a_database_that_says_nothing_and_of_its_return(
    frail: Installation, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "READINESS_FRESH_SECONDS", 0)
    assert (await frail.http.get("/health/ready")).status_code == 200
    line.freeze()
    line.freeze_new()
    assert (await frail.http.get("/health/ready")).status_code == 503
    assert (await frail.http.get("/health/live")).status_code == 200
    line.thaw_new()
    for _ in range(20):
        if (await frail.http.get("/health/ready")).status_code == 200:
            break
    assert (await frail.http.get("/health/ready")).status_code == 200


async def test_metrics_tell_of_a_database_that_says_nothing_also_when_nobody_watches_a_day(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "READINESS_FRESH_SECONDS", 0)
    monkeypatch.setattr(application, "READINESS_SECONDS", 0.2)
    async with install(line.url, database_seconds=2, poll_seconds=0.05, metrics=True) as server:
        assert (await scrape(server.http))["memberstaff_ready"] == 1
        line.freeze()
        line.freeze_new()
        values = await scrape(server.http)
        assert (values["memberstaff_ready"], values["memberstaff_live_reading"]) == (0, 1)
        line.thaw_new()


async def test_with_every_connection_taken_a_mark_is_not_applied_within_its_time_and_readiness_knows(
    frail: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "READINESS_FRESH_SECONDS", 0)
    monkeypatch.setattr(application, "READINESS_SECONDS", 0.2)
    database = frail.application.database
    target = {"staffDate": {"staffId": frail.staff["Amina"], "date": TODAY}}
    mark = {"target": target, "status": "LATE"}
    async with AsyncExitStack() as taken:
        for _ in range(frail.application.settings.database_pool_size):
            await taken.enter_async_context(database.read())
        answer = await frail.marker.send(MARK, input=mark)
        [error] = answer["errors"]
        assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfter": 1, "applied": False}
        ready = await frail.http.get("/health/ready")
        assert (ready.status_code, ready.json()["database"]) == (503, "unreachable")
        assert (await frail.http.get("/health/live")).status_code == 200
    answer = await frail.marker.send(MARK, input=mark)
    assert answer["data"]["updateAttendance"]["attendance"]["version"] == 1
    assert (await frail.http.get("/health/ready")).status_code == 200


async def test_a_database_that_falls_silent_while_a_server_starts_ends_the_start(line: Line) -> None:
    """Whatever supervises the server then tries again, and its log says why."""
    starting = Application(settings(line.url, database_seconds=0.5))
    event.listen(starting.database.engine.sync_engine, "connect", lambda *_: line.freeze(), insert=True)
    async with asyncio.timeout(WAIT_SECONDS):
        with pytest.raises(TimeoutError):
            async with starting.running():
                pytest.fail("It has started.")
