"""Notifications between processes: what is published is heard by all, and what is lost is known to be lost."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from redis.asyncio.client import PubSub
from structlog.testing import capture_logs

from memberstaff.changes import Change, DayProgress, Status
from memberstaff.keyring import Keyring
from memberstaff.notify import codec, redis_backend
from memberstaff.notify import notifier as notifiers
from memberstaff.notify.codec import MISSED, MOST_CHANGES
from memberstaff.notify.notification import Notification
from memberstaff.notify.notifier import Notifier
from memberstaff.notify.seal import Seal
from tests.clock import MONDAY
from tests.infrastructure.process import free_port
from tests.infrastructure.redis import Redis, RedisServer
from tests.services.boards import running
from tests.waiting import until

SECRET = "for tests only, and long enough for HS256"


def numbered(number: int) -> Notification:
    return Notification(epoch=5, roster_version=number)


def with_changes(number: int) -> Notification:
    changes = [
        Change(
            date=MONDAY,
            position=position,
            staff_id=position,
            version=1,
            status=Status.LATE,
            note="Bus",
            photo_url=None,
            changed_at=datetime(2026, 1, 12, 8, tzinfo=UTC),
            changed_by=1,
            changed_by_name="Front desk",
            staff_name="Chloé",
            staff_category=None,
            staff_photo_url=None,
            roster_version=1,
        )
        for position in range(1, number + 1)
    ]
    return Notification(epoch=5, days=(DayProgress(MONDAY, number, 0),), changes=tuple(changes))


class Process:
    """A process that publishes and hears."""

    def __init__(self, url: str, channel: str = "board", secret: str = SECRET) -> None:
        self._heard: asyncio.Queue[Notification] = asyncio.Queue()
        self.notifier = Notifier(url, channel, Keyring(secret), self._heard.put_nowait)

    async def hears(self) -> Notification:
        """The next notification."""
        async with asyncio.timeout(10):
            return await self._heard.get()

    @property
    def has_heard_all(self) -> bool:
        return self._heard.empty()


@asynccontextmanager
async def process(url: str, channel: str = "board", secret: str = SECRET) -> AsyncIterator[Process]:
    """A process that has begun to listen."""
    opened = Process(url, channel, secret)
    async with running(opened.notifier.run):
        assert await opened.hears() == MISSED
        assert opened.notifier.subscribed
        yield opened
    assert not opened.notifier.subscribed


@pytest.fixture(params=["memory", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """Where one process, or several, publish."""
    if request.param == "memory":
        return "memory://"
    server: Redis = request.getfixturevalue("redis_server")
    return server.url


async def test_a_process_hears_what_it_publishes_in_order(url: str) -> None:
    async with process(url, "own") as own:
        sent = [numbered(1), with_changes(3), numbered(2)]
        for notification in sent:
            own.notifier.publish(notification)
        assert [await own.hears() for _ in sent] == sent
        assert own.notifier.unsent == 0


async def test_every_process_of_an_installation_hears_it_and_no_other_does(redis_server: Redis) -> None:
    async with (
        process(redis_server.url, "one school") as one,
        process(redis_server.url, "one school") as two,
        process(redis_server.url, "another") as other,
    ):
        one.notifier.publish(numbered(1))
        assert [await one.hears(), await two.hears()] == [numbered(1)] * 2
        other.notifier.publish(numbered(2))
        assert await other.hears() == numbered(2)
        assert one.has_heard_all
        assert two.has_heard_all


async def test_a_notification_with_too_many_changes_has_the_first_and_the_last(url: str) -> None:
    async with process(url, "bulk") as own:
        own.notifier.publish(with_changes(MOST_CHANGES))
        assert await own.hears() == with_changes(MOST_CHANGES)
        more = with_changes(MOST_CHANGES + 1)
        own.notifier.publish(more)
        assert await own.hears() == replace(more, changes=(more.changes[0], more.changes[-1]))


@pytest.mark.parametrize(
    "message",
    ["", "{}", "ring", '{"epoch": 1}', "\x00", b"\xff\xfe", b"\xed\xa0\x80", b"[" * 1_000_000, b"9" * 5_000_000],
    ids=range(9),
)
async def test_a_message_that_is_no_notification_is_passed_over(redis_server: Redis, message: str | bytes) -> None:
    async with process(redis_server.url, "strangers") as own:
        with redis_server.client() as client:
            client.publish("strangers", message)
        own.notifier.publish(numbered(1))
        assert await own.hears() == numbered(1)
        assert own.notifier.channel.refused == 1


async def test_a_notification_under_another_secret_or_for_another_channel_is_dropped(redis_server: Redis) -> None:
    real = codec.encode(numbered(7))
    forged = [
        real,
        Seal(Keyring(f"{SECRET}!"), "notifications on sealed").seal(real),
        Seal(Keyring(SECRET), "notifications on other").seal(real),
        Seal(Keyring(SECRET), "presence on sealed").seal(real),
    ]
    async with process(redis_server.url, "sealed") as own, process(redis_server.url, "sealed", "another") as other:
        with redis_server.client() as client:
            for message in forged:
                client.publish("sealed", message)
        own.notifier.publish(numbered(1))
        assert await own.hears() == numbered(1)
        assert own.notifier.channel.refused == len(forged)
        await until(lambda: other.notifier.channel.refused == len(forged) + 1)
        assert other.has_heard_all


async def test_who_shares_the_channel_under_another_secret_is_told_of_once(redis_server: Redis) -> None:
    with capture_logs() as logged:
        async with process(redis_server.url, "shared") as own, process(redis_server.url, "shared", "another") as other:
            for number in range(1, 4):
                other.notifier.publish(numbered(number))
            await until(lambda: own.notifier.channel.refused == 3)
    assert [line for line in logged if line["log_level"] == "warning"] == [
        {
            "event": "Dropped a message on our channel that was sealed with another secret, or not",
            "log_level": "warning",
            "channel": "shared",
            "refused": 1,
        }
    ]


async def test_what_a_later_version_says_that_this_one_does_not_understand_means_that_the_log_is_read(
    redis_server: Redis,
) -> None:
    async with process(redis_server.url, "later") as own:
        with redis_server.client() as client:
            client.publish("later", Seal(Keyring(SECRET), "notifications on later").seal(b'{"epoch":1}'))
        assert await own.hears() == MISSED
        assert own.notifier.channel.refused == 0


async def test_nothing_that_crosses_redis_can_be_read_there(redis_server: Redis) -> None:
    async with process(redis_server.url, "dark") as own:
        with redis_server.client() as client, client.pubsub() as listening:
            listening.subscribe("dark")
            assert listening.get_message(timeout=5)["type"] == "subscribe"
            own.notifier.publish(with_changes(1))
            assert await own.hears() == with_changes(1)
            message = listening.get_message(timeout=5)
    sealed = message["data"]
    for word in (b"Bus", "Chloé".encode(), b"LATE", b"Front desk"):
        assert word not in sealed
        assert word not in b64decode(sealed)


async def test_a_listener_that_fails_for_any_reason_is_heard_of_and_started_again(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = [ZeroDivisionError("a bug")]
    get_message = PubSub.get_message

    async def fail_once(self: PubSub, *arguments: Any, **options: Any) -> Any:
        message = await get_message(self, *arguments, **options)
        if failing and message is not None and message["type"] == "message":
            raise failing.pop()
        return message

    async with process(redis_server.url, "frail") as own:
        monkeypatch.setattr(PubSub, "get_message", fail_once)
        own.notifier.publish(numbered(1))
        assert await own.hears() == numbered(1)  # the call that was waiting already
        own.notifier.publish(numbered(2))
        assert await own.hears() == MISSED
        own.notifier.publish(numbered(3))
        assert await own.hears() == numbered(3)


async def test_what_is_published_while_redis_is_not_there_is_passed_over_and_costs_nobody_anything() -> None:
    lonely = Process(f"redis://127.0.0.1:{free_port()}/0")
    async with running(lonely.notifier.run):
        for number in range(10):
            lonely.notifier.publish(numbered(number))
        await until(lambda: lonely.notifier.unsent == 0)
        assert not lonely.notifier.subscribed
    assert lonely.has_heard_all


async def test_what_is_queued_is_bounded_and_the_oldest_goes_first(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifiers, "MOST_UNSENT", 3)
    own = Process(redis_server.url, "queue")
    for number in range(5):
        own.notifier.publish(numbered(number))
    assert own.notifier.unsent == 3
    async with process(redis_server.url, "queue") as other, running(own.notifier.run):
        assert [await other.hears() for _ in range(3)] == [numbered(2), numbered(3), numbered(4)]


async def test_after_an_outage_a_process_is_told_that_it_may_have_missed_something(own_redis: RedisServer) -> None:
    async with process(own_redis.url) as own, process(own_redis.url) as other:
        own_redis.kill()
        await until(lambda: not own.notifier.subscribed and not other.notifier.subscribed)
        with structlog.testing.capture_logs() as lines:
            own.notifier.publish(numbered(1))  # which nobody hears
            await until(lambda: any(line["event"].startswith("A notification was not sent") for line in lines))
        own_redis.start()
        assert [await own.hears(), await other.hears()] == [MISSED, MISSED]
        assert own.notifier.subscribed
        own.notifier.publish(numbered(2))
        assert [await own.hears(), await other.hears()] == [numbered(2)] * 2


async def test_a_redis_that_hangs_is_noticed_by_its_silence(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_backend, "QUIET_SECONDS", 0.05)
    async with process(own_redis.url) as own:
        own_redis.pause()
        await until(lambda: not own.notifier.subscribed)
        own_redis.resume()
        assert await own.hears() == MISSED


@pytest.mark.parametrize("turns", range(16))
async def test_one_that_is_told_to_end_while_it_publishes_ends(redis_server: Redis, turns: int) -> None:
    channel = f"ending-{turns}"
    own = Process(redis_server.url, channel)
    task = asyncio.create_task(own.notifier.run())
    assert await own.hears() == MISSED
    own.notifier.publish(numbered(1))
    assert await own.hears() == numbered(1)  # and the publisher's connection stands
    own.notifier.publish(numbered(2))
    for _ in range(turns):  # of the event loop: each is another place within the sending
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done == {task}
    assert task.cancelled()
