"""Readiness is for anybody to ask, so asking costs the database next to nothing."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from memberstaff import application
from memberstaff.db.migrate import Compatibility, compatibility
from memberstaff.notify import channel, redis_backend
from tests.clock import TODAY
from tests.databases import Engine
from tests.infrastructure.redis import RedisServer
from tests.installation import Installation, install
from tests.listeners import listeners
from tests.scrapes import risen, scrape
from tests.waiting import until

RESTARTS = "memberstaff_listener_restarts_total"


@pytest.fixture
def engine() -> Engine:
    """Whoever is asked, and however often."""
    return "sqlite"


@pytest.mark.parametrize(("fresh", "times"), [(60, range(1, 2)), (0, range(3, 61))])
async def test_the_database_is_asked_once_for_all_who_ask_within_a_second(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, fresh: float, times: range
) -> None:
    asked = 0

    async def counting(engine: AsyncEngine) -> Compatibility:
        nonlocal asked
        asked += 1
        return await compatibility(engine)

    monkeypatch.setattr(application, "compatibility", counting)
    monkeypatch.setattr(application, "READINESS_FRESH_SECONDS", fresh)
    for _ in range(3):
        answers = await asyncio.gather(*(installation.http.get("/health/ready") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
    assert asked in times
    assert answers[0].json() == {"status": "ok", "database": "well", "live": "well"}


async def test_while_redis_is_not_heard_live_updates_are_said_to_come_by_polling(
    furnished_url: str, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_backend, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(channel, "STALLED_SECONDS", 0.5)
    async with install(furnished_url, broadcast_url=own_redis.url, metrics=True, poll_seconds=0.05) as office:
        notifier = office.application.notifier

        async def live() -> object:
            return (await office.http.get("/health/ready")).json()["live"]

        async def restarts() -> float:
            return risen(before, await scrape(office.http), RESTARTS).get(RESTARTS, 0)

        before = await scrape(office.http)

        await until(lambda: notifier.subscribed)
        assert (await live(), await restarts()) == ("well", 0)
        async with office.watching(TODAY) as board:
            own_redis.pause()
            await until(lambda: not notifier.subscribed)
            assert await live() == "polling"
            await office.admin.mark(office.staff["Amina"], TODAY, status="LATE")
            assert (await board.change())["staffName"] == "Amina"
            own_redis.resume()
            await until(lambda: notifier.subscribed)
            assert (await live(), await restarts()) == ("well", 1)
            [listener] = listeners()
            listener.cancel()
            await until(lambda: not notifier.subscribed)
            assert await live() == "polling"
            await until(lambda: notifier.subscribed)
            assert (await live(), await restarts()) == ("well", 2)
