"""A stranger on Redis who reads and writes whatever they like: boards show what is true, and at once."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from memberstaff.keyring import Keyring
from memberstaff.notify import throttle
from memberstaff.notify.seal import Seal
from tests.clock import TODAY
from tests.infrastructure.redis import Redis
from tests.installation import SECRET, install
from tests.statements import statements
from tests.waiting import until

JUNK = [b"", b"\xff\xfe", b"{}", b"x" * 3_000_000, b"[" * 1_000_000, b"AAAA" * 100_000]
TRICKS = [b"", b"null", b"{}", b'{"epoch":""}', b'{"epoch":"x"}', b'{"epoch":1}', b"[" * 100_000, b"\xff"]
"""What only another version of memberstaff could have sealed."""
READING = "FROM installation LEFT OUTER JOIN attendance_day"


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_whatever_is_published_boards_are_told_what_is_true_and_the_database_is_asked_once(
    furnished_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "CHECK_SECONDS", 3_600)
    name = uuid4().hex
    settings: dict[str, Any] = {"broadcast_url": redis_server.url, "broadcast_channel": name, "poll_seconds": 60}
    async with install(furnished_url, **settings) as office:
        application = office.application
        await until(lambda: application.notifier.subscribed)
        with redis_server.client() as client, client.pubsub() as listening:
            listening.subscribe(name)
            assert listening.get_message(timeout=5)["type"] == "subscribe"
            async with office.watching(TODAY) as board:
                people = iter(office.staff)
                for status in ("LATE", "ABSENT"):
                    person = next(people)
                    await office.admin.mark(office.staff[person], TODAY, status=status)
                    assert (await board.change())["staffName"] == person
                recorded = [listening.get_message(timeout=5)["data"] for _ in range(2)]
                seal = Seal(Keyring(SECRET), f"notifications on {name}")
                with statements(application.database) as sent:
                    for message in (*recorded * 200, *JUNK, *map(seal.seal, TRICKS * 20)):
                        client.publish(name, message)
                    channel = application.notifier.channel
                    await until(lambda: (channel.repeated, channel.refused) == (400, len(JUNK)))
                    person = next(people)
                    await office.admin.mark(office.staff[person], TODAY, status="PRESENT")
                    assert (await board.change())["staffName"] == person
                assert sum(READING in statement for statement in sent) <= 1
                assert application.notifier.subscribed
                assert channel.restarts == 0
