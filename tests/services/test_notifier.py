"""The doorbell over a real Redis."""

from __future__ import annotations

import asyncio

import pytest

from memberstaff.notify.notification import Notification
from memberstaff.notify.notifier import Notifier
from tests.infrastructure.redis import Redis


@pytest.mark.parametrize("turns", range(16))
async def test_a_bell_that_is_told_to_end_while_it_rings_ends(redis_server: Redis, turns: int) -> None:
    heard: asyncio.Queue[Notification] = asyncio.Queue()
    notifier = Notifier(redis_server.url, f"ending-{turns}", heard.put_nowait)
    running = asyncio.create_task(notifier.run())
    assert await heard.get() == Notification(epoch="")  # Redis is there
    notifier.publish(Notification(epoch="e"))
    assert await heard.get() == Notification(epoch="e")  # and the publisher's connection stands
    notifier.publish(Notification(epoch="e"))
    for _ in range(turns):  # of the event loop: each is another place within the sending
        await asyncio.sleep(0)
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=5)
    assert done == {running}
    assert running.cancelled()
