"""A Redis that answers and passes nothing on: the feed notices, and listens elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from memberstaff import metrics
from memberstaff.application import Application
from memberstaff.changes import Status
from memberstaff.db.database import Database
from memberstaff.live import announcements
from memberstaff.live.feed import Feed
from memberstaff.settings import Settings
from tests.infrastructure.process import running as started
from tests.infrastructure.redis import Redis, RedisServer
from tests.services.boards import OFTEN, running
from tests.services.school import TODAY, School
from tests.waiting import until

STATUSES = (Status.LATE, Status.PRESENT, Status.ABSENT, Status.REMOTE)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcements, "LATE_SECONDS", 0)


async def mark_again_and_again(school: School, feed: Feed, *, announced: bool) -> None:
    async with feed.watch(TODAY) as watched:
        for status in STATUSES:
            await school.mark("Amina", status)
            if announced:
                feed.on_notification(school.notifications[-1])
            position = await school.position()
            await until(lambda position=position: watched.position == position)  # type: ignore[misc]
        await feed.refresh()


@pytest.mark.parametrize("announced", [True, False])
async def test_changes_that_only_polling_finds_again_and_again_are_noticed(
    school: School, database: Database, announced: bool
) -> None:
    calls: list[None] = []
    feed = Feed(database, poll_seconds=OFTEN, recent_changes=100, max_replay=100, on_deaf=lambda: calls.append(None))
    async with running(feed.run):
        await mark_again_and_again(school, feed, announced=announced)
    assert (feed.announcements.deaf, len(calls)) == ((False, 0) if announced else (True, 1))


@pytest.fixture
def lone_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """As a node that has lost its cluster."""
    with started(RedisServer(tmp_path_factory.mktemp("lone-redis"))) as server:
        yield server


def address(*servers: Redis) -> str:
    return "redis+cluster://" + ",".join(server.url.removeprefix("redis://").split("/")[0] for server in servers)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_process_whose_node_is_cut_off_says_so_and_goes_to_another_one(
    school: School,
    database_url: str,
    redis_server: Redis,
    lone_redis: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("random.sample", lambda nodes, count: list(nodes))

    def process(*servers: Redis) -> Application:
        return Application(
            Settings(
                database_url=database_url,
                broadcast_url=address(*servers),
                broadcast_channel=tmp_path.name,
                secret_key="a secret for tests that is long enough",
                poll_seconds=OFTEN,
            )
        )

    cut_off, other = process(lone_redis, redis_server), process(redis_server)
    before = metrics.REGISTRY.get_sample_value("memberstaff_redis_deaf_total") or 0.0
    async with cut_off.running(), other.running():
        await until(lambda: cut_off.notifier.subscribed and other.notifier.subscribed)
        async with cut_off.feed.watch(TODAY) as watched:
            assert (await cut_off.readiness())[1]["live"] == "well"
            for status in STATUSES:
                await school.mark("Amina", status)
                other.notifier.publish(school.notifications[-1])
                position = await school.position()
                await until(lambda position=position: watched.position == position)  # type: ignore[misc]
            await until(lambda: cut_off.feed.announcements.deaf)
            assert (await cut_off.readiness())[1]["live"] == "polling"
            assert metrics.REGISTRY.get_sample_value("memberstaff_redis_deaf_total") == before + 1
            with redis_server.client() as client:
                while dict(client.pubsub_numsub(tmp_path.name))[tmp_path.name.encode()] < 2:
                    await asyncio.sleep(0)
            await school.mark("Amina", Status.ON_LEAVE)
            other.notifier.publish(school.notifications[-1])
            await until(lambda: cut_off.hearing)
            assert (await cut_off.readiness())[1]["live"] == "well"
