"""When the Redis master is killed, another one takes its place: changes, presence and the relay go on there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis.asyncio

from memberstaff.access import Role
from memberstaff.pusher import relay
from tests.clock import TODAY
from tests.infrastructure.process import running
from tests.infrastructure.redis_groups import Cluster, RedisGroup, Sentinels
from tests.installation import Installation, install
from tests.pusher import KEY, echo
from tests.waiting import WAIT_SECONDS, until

CHANNEL = "school"
LEASE = f"{CHANNEL}:relay"


@pytest.fixture(params=[Sentinels, Cluster])
def group(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisGroup]:
    with running(request.param(tmp_path_factory.mktemp("redis-group"))) as servers:
        yield servers


@asynccontextmanager
async def two_servers(furnished_url: str, group: RedisGroup) -> AsyncIterator[tuple[Installation, Installation]]:
    """Whose polling finds nothing within a test: what arrives was heard, or read because Redis came back."""
    settings: dict[str, Any] = {
        "broadcast_url": group.url,
        "broadcast_channel": CHANNEL,
        "poll_seconds": 60,
        "echo_key": KEY,
        "echo_channel": "echo",
    }
    async with (
        install(furnished_url, **settings) as one,
        install(furnished_url, furnish=False, **settings) as other,
    ):
        other.staff = one.staff
        await until(lambda: subscribed(one) and subscribed(other))
        yield one, other


def service(installation: Installation, name: str) -> Any:
    running: Any = installation.application.services[name]
    return running.__self__


def subscribed(*installations: Installation) -> bool:
    return all(
        each.application.notifier.subscribed and service(each, "presence").channel.subscribed for each in installations
    )


def restarts(*installations: Installation) -> int:
    return sum(each.application.notifier.channel.restarts for each in installations)


def leaders(*installations: Installation) -> int:
    return sum(service(each, "relay").leading for each in installations)


def members(installation: Installation) -> list[str]:
    hash_ = service(installation, "presence").subscription_data()["presence"]["hash"]
    return sorted(member["name"] for member in hash_.values())


async def live(*installations: Installation) -> set[str]:
    """What they say of their live updates."""
    return {(await each.http.get("/health/ready")).json()["live"] for each in installations}


@asynccontextmanager
async def relayed(group: RedisGroup) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Whose changes are published for laravel-echo-server from now on: the name in the next one."""
    async with redis.asyncio.Redis.from_url(group.masters()[0].url) as client, client.pubsub() as pubsub:
        await pubsub.subscribe("echo")
        assert (await pubsub.get_message(timeout=WAIT_SECONDS))["type"] == "subscribe"

        async def next_name() -> str:
            message = await pubsub.get_message(timeout=WAIT_SECONDS)
            name: str = json.loads(message["data"])["data"]["attendanceData"]["staff_name"]
            return name

        yield next_name


async def test_a_killed_master_costs_no_change_and_presence_goes_on(postgres_url: str, group: RedisGroup) -> None:
    async with (
        two_servers(postgres_url, group) as (one, other),
        other.watching(TODAY) as board,
        echo(one) as here,
        echo(other) as there,
    ):
        await here.joined("presence-attendance", Role.MARKER)
        await until(lambda: members(other) == ["Marker"])
        assert await live(one, other) == {"well"}
        group.listening(CHANNEL).kill()
        if isinstance(group, Sentinels):
            await until(lambda: not one.application.notifier.subscribed and not other.application.notifier.subscribed)
            assert await live(one, other) == {"polling"}
        else:  # the other nodes serve at once
            await until(lambda: restarts(one, other) > 0)
        await one.marker.mark(one.staff["Amina"], TODAY, status="LATE")
        assert (await board.change())["staffName"] == "Amina"
        await until(lambda: subscribed(one) and subscribed(other))
        assert await live(one, other) == {"well"}
        await one.marker.mark(one.staff["Björn"], TODAY, status="LATE")
        assert (await board.change())["staffName"] == "Björn"
        await there.joined("presence-attendance", Role.VIEWER)
        await until(lambda: members(one) == members(other) == ["Marker", "Viewer"])


async def test_the_relay_goes_on_at_the_master_that_has_its_lease_now(
    postgres_url: str, group: RedisGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.1)
    async with two_servers(postgres_url, group) as (one, other):
        await until(lambda: group.has(LEASE) and leaders(one, other) == 1)
        masters = len(group.masters())
        group.holding(LEASE).kill()
        await until(lambda: leaders(one, other) == 0)
        await until(lambda: len(group.masters()) == masters and group.has(LEASE) and leaders(one, other) == 1)
        async with relayed(group) as next_name:
            await other.admin.mark(one.staff["Chloé"], TODAY, status="LATE")
            assert await next_name() == "Chloé"
