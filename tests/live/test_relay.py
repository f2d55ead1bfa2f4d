"""The relay to laravel-echo-server: one server of an installation publishes, and it alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis as Client

from memberstaff.keyring import Keyring
from memberstaff.notify.seal import Seal
from memberstaff.pusher import relay
from tests.clock import TODAY, TurnedClock
from tests.infrastructure.redis import Redis
from tests.installation import SECRET, Installation, install
from tests.live.echo_servers import two_servers
from tests.waiting import WAIT_SECONDS, until


def relays(*installed: Installation) -> list[Any]:
    """The relay of each."""
    services: list[Any] = [each.application.services["relay"] for each in installed]
    return [service.__self__ for service in services]


@asynccontextmanager
async def published(redis: Redis, channel: str) -> AsyncIterator[Callable[[int], Awaitable[list[str]]]]:
    """Whose changes laravel-echo-server is told: waits for so many, and that there are no more of them."""
    async with Client.from_url(redis.url) as client, client.pubsub() as pubsub:
        await pubsub.subscribe(channel)

        async def heard(seconds: float) -> list[str]:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=seconds)
            return [] if message is None else [json.loads(message["data"])["data"]["attendanceData"]["staff_name"]]

        async def names(number: int) -> list[str]:
            found: list[str] = []
            async with asyncio.timeout(WAIT_SECONDS):
                while len(found) < number:
                    found += await heard(1)
                while more := await heard(0):
                    found += more
            return found

        yield names


async def test_each_change_is_published_once_in_laravels_envelope(postgres_url: str, redis_server: Redis) -> None:
    prefix = f"{uuid4().hex}-database-"
    async with (
        two_servers(postgres_url, redis_server, echo_channel="attendance", echo_prefix=prefix) as (one, other),
        Client.from_url(redis_server.url) as redis,
        redis.pubsub() as pubsub,
    ):
        await pubsub.psubscribe(f"{prefix}*")
        leaders = relays(one, other)
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
        assert [leader.leading for leader in leaders].count(True) == 1
    assert [channel for channel, _ in messages] == [f"{prefix}attendance"] * 2
    first = messages[0][1]
    record = first["data"]["attendanceData"]
    assert (record["staff_name"], record["status"]) == ("Amina", "half_day")
    assert [record[name] for name in ("note", "photo_url", "arrived_at", "left_at")] == [None] * 4
    assert (first["event"], first["socket"], first["data"]["socket"]) == ("attendance.updated", None, None)
    assert messages[1][1]["data"]["attendanceData"]["staff_name"] == "Björn"


async def test_two_servers_whose_clocks_differ_do_not_both_publish(
    postgres_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.05)
    channel, clock, ahead = uuid4().hex, TurnedClock(), TurnedClock()
    ahead.turn(seconds=40)
    changes: dict[str, Any] = {"broadcast_url": redis_server.url, "broadcast_channel": channel}
    changes["echo_channel"] = f"{channel}-echo"
    async with (
        install(postgres_url, clock=clock, **changes) as one,
        install(postgres_url, clock=ahead, furnish=False, **changes) as other,
        published(redis_server, f"{channel}-echo") as names,
    ):
        await until(lambda: all(each.application.all_days.watched for each in (one, other)))
        leases: set[bytes] = set()
        both = relays(one, other)
        leading: set[int] = set()
        with redis_server.client() as client:

            def renewed() -> bool:
                leases.add(client.get(f"{channel}:relay"))
                leading.update(index for index, each in enumerate(both) if each.leading)
                return len(leases) > 10

            await until(renewed)
        assert len(leading) == 1
        await one.admin.mark(one.staff["Amina"], TODAY, status="LATE")
        await one.admin.mark(one.staff["Björn"], TODAY, status="LATE")
        assert await names(2) == ["Amina", "Björn"]


async def test_whoever_has_lost_the_lease_without_noticing_publishes_nothing_more(
    postgres_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a process that was stopped for a while."""
    monkeypatch.setattr(relay, "RENEW_SECONDS", 3_600)
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.05)
    async with (
        two_servers(postgres_url, redis_server, echo_channel="attendance", echo_prefix=uuid4().hex) as (one, other),
        published(redis_server, f"{one.application.settings.echo_prefix}attendance") as names,
    ):
        both = relays(one, other)
        await until(lambda: any(each.leading for each in both))
        await until(lambda: all(each.application.all_days.watched for each in (one, other)))
        with redis_server.client() as client:
            client.delete(f"{one.application.settings.broadcast_channel}:relay")
        await until(lambda: all(each.leading for each in both))
        await one.admin.mark(one.staff["Amina"], TODAY, status="LATE")
        await until(lambda: [each.leading for each in both].count(True) == 1)
        await one.admin.mark(one.staff["Björn"], TODAY, status="LATE")
        assert await names(2) == ["Amina", "Björn"]


def write_junk(client: Any, key: str) -> None:
    client.set(key, "junk")


def write_a_list(client: Any, key: str) -> None:
    client.delete(key)
    client.rpush(key, *range(1_000))


def write_much(client: Any, key: str) -> None:
    client.set(key, b"\xff" * 10_000_000)


def write_another_lease(client: Any, key: str) -> None:
    """A lease for presence, of the same installation."""
    text = json.dumps({"process": "other", "until": client.time()[0] + 30, "members": {}}).encode()
    client.set(key, Seal(Keyring(SECRET), f"presence on {key.removesuffix(':relay')}").seal(text))


def write_a_lease_that_has_ended(client: Any, key: str) -> None:
    """One that was recorded, with the expiry removed."""
    text = json.dumps({"holder": "dead", "until": client.time()[0] - 1}).encode()
    client.set(key, Seal(Keyring(SECRET), f"relay on {key.removesuffix(':relay')}").seal(text))


def keep_for_ever(client: Any, key: str) -> None:
    client.persist(key)


@pytest.mark.parametrize(
    "write",
    [write_junk, write_a_list, write_much, write_another_lease, write_a_lease_that_has_ended, keep_for_ever],
)
async def test_whatever_others_write_over_the_lease_the_relay_goes_on(
    postgres_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch, write: Callable[[Any, str], None]
) -> None:
    monkeypatch.setattr(relay, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.05)
    channel = uuid4().hex
    settings: dict[str, Any] = {"broadcast_url": redis_server.url, "broadcast_channel": channel}
    async with install(postgres_url, **settings, echo_channel=f"{channel}-echo") as installed:
        service: Any = installed.application.services["relay"]
        await until(lambda: bool(service.__self__.leading))
        with redis_server.client() as client:
            key = f"{channel}:relay"
            write(client, key)
            await until(lambda: 0 < client.ttl(key) <= relay.LEASE_SECONDS)
            assert client.type(key) == b"string"
            assert len(client.get(key)) < relay.LEASE_BYTES
        await until(lambda: bool(service.__self__.leading))


async def test_the_relays_lease_is_held_by_one(
    postgres_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.05)
    channel = uuid4().hex
    with redis_server.client() as client:
        text = json.dumps({"holder": "other", "until": client.time()[0] + 30}).encode()
        client.set(f"{channel}:relay", Seal(Keyring(SECRET), f"relay on {channel}").seal(text), ex=60)
        settings: dict[str, Any] = {"broadcast_url": redis_server.url, "broadcast_channel": channel}
        async with install(postgres_url, **settings, echo_channel=f"{channel}-echo") as installed:
            service: Any = installed.application.services["relay"]
            await until(lambda: installed.application.all_days.watched)
            assert not service.__self__.leading
            client.delete(f"{channel}:relay")  # as if it had expired
            await until(lambda: bool(service.__self__.leading))
