"""A channel over Redis: whatever others publish or break there, listening goes on, or is begun again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import structlog
from broadcaster import Event
from redis.asyncio.client import PubSub

from memberstaff.application import supervise
from memberstaff.keyring import Keyring
from memberstaff.notify import channel as channels
from memberstaff.notify import redis_backend
from memberstaff.notify.channel import Channel
from memberstaff.notify.redis_backend import MOST_BYTES, RedisBackend
from memberstaff.notify.seal import Seal
from tests.infrastructure.redis import Redis, RedisServer
from tests.listeners import listeners
from tests.services.boards import running
from tests.waiting import until

SEAL = Seal(Keyring("for tests only, and long enough for HS256"), "tests")


class Heard:
    """A channel, and what it has heard."""

    def __init__(self, url: str, name: str) -> None:
        self.messages: list[bytes] = []
        self.missed = 0
        self.channel = Channel(url, name, SEAL, self._hear, self._miss)

    async def run(self) -> None:
        """As a process runs it: begun again whenever it ends."""
        await supervise("channel", self.channel.run)

    def _hear(self, text: bytes) -> None:
        if text == b"breaks":
            raise ZeroDivisionError
        self.messages.append(text)

    def _miss(self) -> None:
        self.missed += 1


@asynccontextmanager
async def listening(redis: Redis, name: str) -> AsyncIterator[Heard]:
    """A channel that is listened to."""
    heard = Heard(redis.url, name)
    async with running(heard.run):
        await until(lambda: heard.channel.subscribed)
        yield heard
    assert not heard.channel.subscribed


async def test_a_message_that_is_published_again_is_heard_once_and_not_opened_again(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str | bytes] = []
    really_open = Seal.open

    def opening(self: Seal, message: str | bytes) -> bytes:
        opened.append(message)
        return really_open(self, message)

    monkeypatch.setattr(Seal, "open", opening)
    recorded = SEAL.seal(b"1" * 100_000)
    async with listening(redis_server, "again") as heard:
        with redis_server.client() as client:
            for _ in range(500):
                client.publish("again", recorded)
        await heard.channel.publish(b"2")
        await until(lambda: heard.messages[-1:] == [b"2"])
    assert heard.messages == [b"1" * 100_000, b"2"]
    assert (len(opened), heard.channel.repeated) == (2, 499)


async def test_what_is_remembered_of_messages_is_bounded(redis_server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "MOST_REMEMBERED", 3)
    recorded = [SEAL.seal(b"%d" % number) for number in range(5)]
    async with listening(redis_server, "memory") as heard:
        with redis_server.client() as client:
            for message in (*recorded, *reversed(recorded)):
                client.publish("memory", message)
        await heard.channel.publish(b"end")
        await until(lambda: heard.messages[-1:] == [b"end"])
    assert heard.messages == [b"0", b"1", b"2", b"3", b"4", b"1", b"0", b"end"]
    assert heard.channel.repeated == 3


async def test_a_message_that_is_too_long_is_not_looked_at(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[int] = []
    really_open = Seal.open

    def opening(self: Seal, message: str | bytes) -> bytes:
        lengths.append(len(message))
        return really_open(self, message)

    monkeypatch.setattr(Seal, "open", opening)
    async with listening(redis_server, "long") as heard:
        with redis_server.client() as client:
            client.publish("long", SEAL.seal(b"x" * MOST_BYTES))
            client.publish("long", b"x" * 20_000_000)
        await heard.channel.publish(b"1")
        await until(lambda: heard.messages == [b"1"])
    assert lengths == [0, 0, len(SEAL.seal(b"1"))]
    assert heard.channel.refused == 2


async def test_a_message_of_ours_that_breaks_its_reader_means_that_something_was_missed(redis_server: Redis) -> None:
    async with listening(redis_server, "breaking") as heard:
        await heard.channel.publish(b"breaks")
        await heard.channel.publish(b"1")
        await until(lambda: heard.messages == [b"1"])
        assert (heard.missed, heard.channel.restarts) == (2, 0)


async def test_a_flood_of_junk_is_told_to_the_log_once_and_piles_up_nowhere(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[int] = []
    arrived = 0
    really_next, really_open = RedisBackend.next_published, Seal.open

    async def arriving(self: RedisBackend) -> Event:
        nonlocal arrived
        event = await really_next(self)
        arrived += 1
        return event

    def opening(self: Seal, message: str | bytes) -> bytes:
        waiting.append(arrived - len(waiting))
        return really_open(self, message)

    monkeypatch.setattr(RedisBackend, "next_published", arriving)
    monkeypatch.setattr(Seal, "open", opening)
    with structlog.testing.capture_logs() as lines:
        async with listening(redis_server, "junk") as heard:
            with redis_server.client() as client, client.pipeline(transaction=False) as pipe:
                for _ in range(2_000):
                    pipe.publish("junk", b"\xff" * 1_000)
                pipe.execute()
            await heard.channel.publish(b"1")
            await until(lambda: heard.messages == [b"1"])
    assert heard.channel.refused == 2_000
    assert max(waiting) <= 2
    assert [line["event"] for line in lines] == [
        "Subscribed to Redis",
        "Dropped a message on our channel that was sealed with another secret, or not",
    ]


async def cancelled(_: RedisBackend) -> Event:
    raise asyncio.CancelledError


async def failing(_: RedisBackend) -> Event:
    raise ZeroDivisionError("which nothing foresaw")


async def hanging(_: RedisBackend) -> Event:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("ending", [cancelled, failing, hanging])
async def test_a_listener_that_ends_or_hangs_unseen_is_begun_again(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch, ending: Callable[[RedisBackend], Any]
) -> None:
    monkeypatch.setattr(redis_backend, "QUIET_SECONDS", 0.4)
    monkeypatch.setattr(channels, "STALLED_SECONDS", 1.0)
    async with listening(redis_server, f"ends-{ending.__name__}") as heard:
        with monkeypatch.context() as patch:
            patch.setattr(RedisBackend, "next_published", ending)
            await heard.channel.publish(b"1")
            await until(lambda: not heard.channel.subscribed)
        await until(lambda: heard.channel.subscribed)
        await heard.channel.publish(b"2")
        await until(lambda: heard.messages == [b"1", b"2"])
        assert heard.channel.restarts == heard.missed - 1 > 0


async def test_a_listener_whose_task_somebody_cancels_is_begun_again(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "STALLED_SECONDS", 2.0)
    async with listening(redis_server, "cancelled") as heard:
        [listener] = listeners()
        listener.cancel()
        await until(lambda: not heard.channel.subscribed)
        await until(lambda: heard.channel.subscribed)
        await heard.channel.publish(b"1")
        await until(lambda: heard.messages == [b"1"])


def restarted(heard: Heard, times: int) -> bool:
    return heard.channel.restarts == times


async def test_connections_that_are_ended_again_and_again_are_begun_again_ever_more_slowly(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def shortest(low: float, high: float) -> float:
        pauses.append(high)
        return low

    monkeypatch.setattr(random, "uniform", shortest)
    with structlog.testing.capture_logs() as lines:
        async with listening(own_redis, "killed") as heard:
            with own_redis.client() as client:
                for number in range(1, 5):
                    client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
                    await until(partial(restarted, heard, number))
        assert (pauses, heard.missed) == ([0.2, 0.4, 0.8, 1.6], 5)
    assert [line["event"] for line in lines] == [
        "Subscribed to Redis",
        "Redis is unreachable; until it is back, changes arrive by polling",
    ]


async def test_a_listener_that_redis_drops_for_being_slow_comes_back(own_redis: RedisServer) -> None:
    async with listening(own_redis, "slow") as heard:
        with own_redis.client() as client:
            client.config_set("client-output-buffer-limit", "pubsub 1mb 0 0")
            with client.pipeline(transaction=False) as pipe:
                for _ in range(30):
                    pipe.publish("slow", b"\xff" * 1_000_000)
                pipe.execute()  # in this loop, so nobody reads meanwhile
        await until(lambda: heard.channel.restarts == 1 and heard.channel.subscribed)
        await heard.channel.publish(b"1")
        await until(lambda: heard.messages == [b"1"])


async def test_a_redis_that_hangs_while_it_is_subscribed_to_is_noticed_and_waited_for(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_backend, "QUIET_SECONDS", 0.05)
    subscribing = asyncio.Event()
    subscribe = PubSub.subscribe

    async def noting(self: PubSub, *names: Any, **handlers: Any) -> None:
        subscribing.set()
        await subscribe(self, *names, **handlers)

    monkeypatch.setattr(PubSub, "subscribe", noting)
    heard = Heard(own_redis.url, "hangs")
    own_redis.pause()
    async with running(heard.run):
        for _ in range(3):
            subscribing.clear()
            async with asyncio.timeout(20):
                await subscribing.wait()  # again: the last attempt has been given up
        assert not heard.channel.subscribed
        own_redis.resume()
        await until(lambda: heard.channel.subscribed)
