"""Front ends that use Laravel Echo, where the installation has two servers, and where laravel-echo-server listens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from memberstaff.access import Role
from memberstaff.keyring import Keyring
from memberstaff.notify.redis_backend import redis_client
from memberstaff.notify.seal import Seal
from memberstaff.pusher import presence
from tests.clock import TODAY
from tests.infrastructure.redis import Redis
from tests.installation import SECRET, Installation, install
from tests.pusher import KEY, authorise, echo
from tests.waiting import WAIT_SECONDS, until


def known(installation: Installation) -> int:
    """How many members the presence channel has, as a server knows them."""
    service: Any = installation.application.services["presence"]
    return int(service.__self__.subscription_data()["presence"]["count"])


def ghost(channel: str) -> str:
    """The lease of a server that is not there, with one member."""
    return Seal(Keyring(SECRET), f"presence on {channel}").seal(b'{"QWNjb3VudDo5":"Ghost"}')


@asynccontextmanager
async def two_servers(database_url: str, redis: Redis, **changes: Any) -> AsyncIterator[list[Installation]]:
    changes = {"broadcast_url": redis.url, "broadcast_channel": uuid4().hex, "echo_key": KEY, **changes}
    async with (
        install(database_url, **changes) as one,
        install(database_url, furnish=False, **changes) as other,
    ):
        await until(lambda: one.application.notifier.subscribed and other.application.notifier.subscribed)
        other.staff = one.staff
        yield [one, other]


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


async def test_members_of_a_server_that_died_go_with_its_lease(
    postgres_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "RENEW_SECONDS", 0.1)
    channel = uuid4().hex
    async with (
        redis_client(redis_server.url, retries=1) as redis,
        install(postgres_url, broadcast_url=redis_server.url, broadcast_channel=channel, echo_key=KEY) as installed,
        echo(installed) as client,
    ):
        await redis.set(f"{channel}:presence:dead", ghost(channel), ex=30)
        await redis.sadd(f"{channel}:presence:nodes", f"{channel}:presence:dead")
        await until(lambda: known(installed) == 1)
        answer = await client.subscribe("presence-attendance", Role.VIEWER)
        assert answer["data"]["presence"]["hash"]["QWNjb3VudDo5"] == {"name": "Ghost"}
        await redis.pexpire(f"{channel}:presence:dead", 1)
        removed = await client.hear()
        assert (removed["event"], removed["data"]) == ("pusher_internal:member_removed", {"user_id": "QWNjb3VudDo5"})
        assert f"{channel}:presence:dead".encode() not in await redis.smembers(f"{channel}:presence:nodes")


@pytest.mark.parametrize("lease", [b"not json", b"\xff\xfe", b'{"a":"b"}', b"[" * 100_000, b"AAAA", b""])
async def test_a_lease_that_no_server_wrote_is_removed_and_harms_nobody(
    postgres_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch, lease: bytes
) -> None:
    monkeypatch.setattr(presence, "RENEW_SECONDS", 0.1)
    channel = uuid4().hex
    nodes, forged = f"{channel}:presence:nodes", b"\xfe" + channel.encode()
    async with (
        redis_client(redis_server.url, retries=1) as redis,
        install(postgres_url, broadcast_url=redis_server.url, broadcast_channel=channel, echo_key=KEY) as installed,
        echo(installed) as client,
    ):
        await redis.set(forged, lease, ex=30)
        await redis.set(f"{channel}:presence:other", ghost(channel), ex=30)
        await redis.sadd(nodes, forged, f"{channel}:presence:other")
        await until(lambda: known(installed) == 1)
        assert await redis.smembers(nodes) == {f"{channel}:presence:other".encode()}
        answer = await client.subscribe("presence-attendance", Role.VIEWER)
        assert answer["data"]["presence"]["hash"]["QWNjb3VudDo5"] == {"name": "Ghost"}


async def test_each_change_is_published_once_in_laravels_envelope(postgres_url: str, redis_server: Redis) -> None:
    prefix = f"{uuid4().hex}-database-"
    async with (
        two_servers(postgres_url, redis_server, echo_channel="attendance", echo_prefix=prefix) as (one, other),
        redis_client(redis_server.url, retries=1) as redis,
        redis.pubsub() as pubsub,
    ):
        await pubsub.psubscribe(f"{prefix}*")
        leaders = [installed.application.services["relay"].__self__ for installed in (one, other)]  # type: ignore[attr-defined]
        await until(lambda: any(leader.leading for leader in leaders))
        await until(lambda: all(installed.application.all_days.watched for installed in (one, other)))
        await other.admin.mark(one.staff["Amina"], TODAY, status="HALF_DAY", note="Dentist", photoUrl="/1.jpg")
        await one.admin.mark(one.staff["Björn"], TODAY, status="PRESENT")
        messages: list[tuple[str, Any]] = []
        async with asyncio.timeout(WAIT_SECONDS):
            while len(messages) < 2:
                message = await pubsub.get_message(timeout=1)
                if message is not None and message["type"] == "pmessage":
                    messages.append((message["channel"].decode(), json.loads(message["data"])))
        assert await pubsub.get_message(timeout=0) is None
    assert [channel for channel, _ in messages] == [f"{prefix}attendance"] * 2
    first = messages[0][1]
    record = first["data"]["attendanceData"]
    assert (record["staff_name"], record["status"]) == ("Amina", "half_day")
    assert (record["note"], record["photo_url"]) == (None, None)
    assert (first["event"], first["socket"], first["data"]["socket"]) == ("attendance.updated", None, None)
    assert messages[1][1]["data"]["attendanceData"]["staff_name"] == "Björn"
    assert [leader.leading for leader in leaders].count(True) == 1
