"""Front ends that use Laravel Echo, where the installation has two servers, and where laravel-echo-server listens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from memberstaff.access import Role
from memberstaff.keyring import Keyring
from memberstaff.notify.redis_backend import redis_client
from memberstaff.notify.seal import Seal
from memberstaff.pusher import presence, relay
from tests.clock import TODAY, TurnedClock
from tests.infrastructure.redis import Redis
from tests.installation import SECRET, Installation, install
from tests.pusher import KEY, authorise, echo
from tests.waiting import WAIT_SECONDS, until


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


@asynccontextmanager
async def one_server(database_url: str, redis: Redis) -> AsyncIterator[tuple[Installation, str, Callable[[Any], None]]]:
    """A server that listens, its presence channel, and how to publish there."""
    channel = uuid4().hex
    settings: dict[str, Any] = {"broadcast_url": redis.url, "broadcast_channel": channel, "echo_key": KEY}
    async with install(database_url, **settings) as installed:
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
    async with one_server(postgres_url, redis_server) as (installed, channel, publish):
        publish(junk)
        publish(Seal(Keyring(SECRET), f"presence on {channel}").seal(junk))
        publish(lease(channel, "other", until=30))
        await until(lambda: known(installed) == 1)
        assert installed.application.gauges()["notifications_refused_total"][0] == 1


async def test_whoever_listens_anew_for_presence_is_counted_too(postgres_url: str, redis_server: Redis) -> None:
    def restarts() -> float:
        return installed.application.gauges()["listener_restarts_total"][0]

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
        assert [leader.leading for leader in leaders].count(True) == 1
    assert [channel for channel, _ in messages] == [f"{prefix}attendance"] * 2
    first = messages[0][1]
    record = first["data"]["attendanceData"]
    assert (record["staff_name"], record["status"]) == ("Amina", "half_day")
    assert (record["note"], record["photo_url"]) == (None, None)
    assert (first["event"], first["socket"], first["data"]["socket"]) == ("attendance.updated", None, None)
    assert messages[1][1]["data"]["attendanceData"]["staff_name"] == "Björn"


def write_junk(client: Any, key: str) -> None:
    client.set(key, "junk")


def write_a_list(client: Any, key: str) -> None:
    client.delete(key)
    client.rpush(key, *range(1_000))


def write_much(client: Any, key: str) -> None:
    client.set(key, b"\xff" * 10_000_000)


def write_another_lease(client: Any, key: str) -> None:
    """A lease for presence, of the same installation."""
    client.set(key, lease(key.removesuffix(":relay"), "other", until=30))


def write_a_lease_that_has_ended(client: Any, key: str) -> None:
    """One that was recorded, with the expiry removed."""
    text = json.dumps({"holder": "dead", "until": now() - 1}).encode()
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
    text = json.dumps({"holder": "other", "until": now() + 30}).encode()
    channel = uuid4().hex
    with redis_server.client() as client:
        client.set(f"{channel}:relay", Seal(Keyring(SECRET), f"relay on {channel}").seal(text), ex=60)
        settings: dict[str, Any] = {"broadcast_url": redis_server.url, "broadcast_channel": channel}
        async with install(postgres_url, **settings, echo_channel=f"{channel}-echo") as installed:
            service: Any = installed.application.services["relay"]
            await until(lambda: installed.application.all_days.watched)
            assert not service.__self__.leading
            client.delete(f"{channel}:relay")  # as if it had expired
            await until(lambda: bool(service.__self__.leading))
