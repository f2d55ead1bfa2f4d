"""Front ends that use Laravel Echo, where the installation has two servers, and where laravel-echo-server listens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from memberstaff import metrics
from memberstaff.access import Role
from memberstaff.keyring import Keyring
from memberstaff.notify.seal import Seal
from memberstaff.pusher import presence
from tests.clock import TODAY, TurnedClock
from tests.infrastructure.redis import Redis
from tests.installation import SECRET, Installation, install
from tests.live.echo_servers import two_servers
from tests.pusher import KEY, authorise, echo
from tests.waiting import until


def known(installation: Installation) -> int:
    """How many members the presence channel has, as a server knows them."""
    return int(presence_of(installation)["count"])


def presence_of(installation: Installation) -> dict[str, Any]:
    """The members of the presence channel, as a server knows them."""
    service: Any = installation.application.services["presence"]
    members: dict[str, Any] = service.__self__.subscription_data()["presence"]
    return members


def lease(channel: str, process: str, *, until: float, **values: Any) -> str:
    """What a server tells the others, until so many seconds from now, by the clock that all servers of a test have."""
    text = {"process": process, "until": now() + until, "members": {"QWNjb3VudDo5": "Ghost"}, **values}
    return Seal(Keyring(SECRET), f"presence on {channel}").seal(json.dumps(text).encode())


def now() -> float:
    return TurnedClock()().timestamp()


async def test_an_authorisation_of_one_server_is_good_on_the_other_and_ends_there(
    postgres_url: str, redis_server: Redis
) -> None:
    async with two_servers(postgres_url, redis_server, poll_seconds=60) as (one, other), echo(other) as client:
        for channel in (f"private-attendance.{TODAY}", "private-attendance"):
            auth = (await authorise(one, Role.VIEWER, client.socket_id, channel)).json()
            await client.send("pusher:subscribe", {"channel": channel, **auth})
            assert (await client.hear())["event"] == "pusher_internal:subscription_succeeded"
        await one.admin.mark(one.staff["Amina"], TODAY, status="LATE")
        heard = [await client.change() for _ in range(2)]
        assert [each["attendanceData"]["staff_name"] for each in heard] == ["Amina", "Amina"]
        await one.viewer.ask("mutation { logout { errors { code } } }")
        assert (await client.closing())[0] == 4009


async def test_presence_is_that_of_all_servers(postgres_url: str, redis_server: Redis) -> None:
    async with two_servers(postgres_url, redis_server) as (one, other), echo(one) as here:
        await here.joined("presence-attendance", Role.MARKER)
        await until(lambda: known(other) == 1)
        async with echo(other) as there:
            answer = await there.subscribe("presence-attendance", Role.VIEWER)
            names = [member["name"] for member in answer["data"]["presence"]["hash"].values()]
            assert sorted(names) == ["Marker", "Viewer"]
            added = await here.hear()
            assert (added["event"], added["data"]["user_info"]) == ("pusher_internal:member_added", {"name": "Viewer"})
        removed = await here.hear()
        assert (removed["event"], removed["data"]["user_id"]) == (
            "pusher_internal:member_removed",
            added["data"]["user_id"],
        )


@asynccontextmanager
async def one_server(
    furnished_url: str, redis: Redis
) -> AsyncIterator[tuple[Installation, str, Callable[[Any], None]]]:
    """A server that listens, its presence channel, and how to publish there."""
    channel = uuid4().hex
    settings: dict[str, Any] = {"broadcast_url": redis.url, "broadcast_channel": channel, "echo_key": KEY}
    async with install(furnished_url, **settings) as installed:
        await until(lambda: listens(installed).subscribed)
        with redis.client() as client:
            yield installed, channel, lambda message: client.publish(f"{channel}:presence", message)


def listens(installation: Installation) -> Any:
    service: Any = installation.application.services["presence"]
    return service.__self__.channel


async def test_members_of_a_server_that_died_go_when_it_has_told_nothing_for_too_long(
    postgres_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "RENEW_SECONDS", 0.1)
    async with one_server(postgres_url, redis_server) as (installed, channel, publish), echo(installed) as client:
        publish(lease(channel, "dead", until=0.05))
        await until(lambda: known(installed) == 1)
        answer = await client.subscribe("presence-attendance", Role.VIEWER)
        assert answer["data"]["presence"]["hash"]["QWNjb3VudDo5"] == {"name": "Ghost"}
        monkeypatch.setattr(presence, "LEASE_SECONDS", 0.1)
        publish(lease(channel, "dead", until=0.15))
        removed = await client.hear()
        assert (removed["event"], removed["data"]) == ("pusher_internal:member_removed", {"user_id": "QWNjb3VudDo5"})


@pytest.mark.parametrize("junk", [b"not json", b"\xff\xfe", b'{"a":"b"}', b"[" * 100_000, b"AAAA", b""])
async def test_what_no_server_said_about_presence_harms_nobody(
    postgres_url: str, redis_server: Redis, junk: bytes
) -> None:
    refused = counted("notifications_refused_total")
    async with one_server(postgres_url, redis_server) as (installed, channel, publish):
        publish(junk)
        publish(Seal(Keyring(SECRET), f"presence on {channel}").seal(junk))
        publish(lease(channel, "other", until=30))
        await until(lambda: known(installed) == 1)
        assert counted("notifications_refused_total") == refused + 1


async def test_whoever_listens_anew_for_presence_is_counted_too(postgres_url: str, redis_server: Redis) -> None:
    def restarts() -> float:
        return counted("listener_restarts_total")

    async with one_server(postgres_url, redis_server) as (installed, _, _):
        await until(lambda: installed.application.notifier.subscribed)
        before = restarts()
        with redis_server.client() as client:
            client.client_kill_filter(_type="pubsub")
        await until(lambda: restarts() == before + 2)


async def test_a_lease_that_was_recorded_brings_nobody_back(postgres_url: str, redis_server: Redis) -> None:
    async with one_server(postgres_url, redis_server) as (installed, channel, publish):
        recorded = lease(channel, "other", until=29)
        publish(lease(channel, "other", until=29.5, members={}))
        publish(recorded)
        publish(lease(channel, "gone", until=-1))
        publish(lease(channel, "far", until=3_600))
        publish(lease(channel, "here", until=30, members={"QWNjb3VudDo4": "Robin"}))
        await until(lambda: known(installed) == 1)
        assert presence_of(installed)["hash"] == {"QWNjb3VudDo4": {"name": "Robin"}}


async def test_what_others_tell_of_members_is_bounded(
    postgres_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "MOST_PROCESSES", 2)
    monkeypatch.setattr(presence, "MOST_MEMBERS", 3)
    async with one_server(postgres_url, redis_server) as (installed, channel, publish):
        for process in "abc":
            publish(lease(channel, process, until=30, members={f"{process}{number}": "x" for number in range(9)}))
        await until(lambda: known(installed) == 6)


async def test_redis_keeps_nothing_of_presence(postgres_url: str, redis_server: Redis) -> None:
    async with two_servers(postgres_url, redis_server) as (one, other), echo(one) as here:
        await here.joined("presence-attendance", Role.MARKER)
        await until(lambda: known(other) == 1)
        with redis_server.client() as client:
            assert client.keys(f"{one.application.settings.broadcast_channel}*") == []


def counted(name: str) -> float:
    """A counter of this process."""
    return metrics.REGISTRY.get_sample_value(f"memberstaff_{name}") or 0.0
