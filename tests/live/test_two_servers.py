"""Two servers on one PostgreSQL and one Redis show each other's changes, with Redis and without."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from memberstaff.access import Role
from memberstaff.db.installation import new_epoch
from tests.clock import TODAY, TurnedClock
from tests.infrastructure.redis import RedisServer
from tests.installation import Installation, install
from tests.waiting import until


@asynccontextmanager
async def two_servers(furnished_url: str, redis_url: str, **changes: Any) -> AsyncIterator[list[Installation]]:
    clock = TurnedClock()
    async with (
        install(furnished_url, clock=clock, broadcast_url=redis_url, **changes) as one,
        install(furnished_url, clock=clock, broadcast_url=redis_url, furnish=False, **changes) as other,
    ):
        await until(lambda: one.application.notifier.subscribed and other.application.notifier.subscribed)
        other.staff = one.staff
        yield [one, other]


async def test_a_mark_on_one_server_is_heard_on_the_other(postgres_url: str, own_redis: RedisServer) -> None:
    # A poll would find it too, but only after a minute: what arrives here came through Redis.
    async with two_servers(postgres_url, own_redis.url, poll_seconds=60) as (one, other):
        async with other.watching(TODAY) as board, one.watching(TODAY, Role.MARKER) as desk:
            await one.marker.mark(one.staff["Amina"], TODAY, status="LATE", note="Bus")
            await other.marker.mark(one.staff["Björn"], TODAY, status="PRESENT")
            for socket, note in ((board, None), (desk, "Bus")):
                first, second = await socket.change(), await socket.change()
                assert (first["staffName"], first["note"]) == ("Amina", note)
                assert (second["staffName"], second["updatedBy"]) == ("Björn", "Marker")


async def test_without_redis_marks_succeed_and_arrive_by_polling(postgres_url: str, own_redis: RedisServer) -> None:
    async with two_servers(postgres_url, own_redis.url, poll_seconds=0.2) as (one, other):
        async with other.watching(TODAY) as board:
            own_redis.kill()
            await until(lambda: not one.application.notifier.subscribed and not other.application.notifier.subscribed)
            payload = await one.marker.mark(one.staff["Amina"], TODAY, status="LATE")
            assert payload["errors"] == []
            assert (await board.change())["staffName"] == "Amina"
            assert (await other.http.get("/health/ready")).json()["live"] == "polling"


async def test_after_an_outage_redis_is_heard_again_and_nothing_was_missed(
    postgres_url: str, own_redis: RedisServer
) -> None:
    async with two_servers(postgres_url, own_redis.url, poll_seconds=60) as (one, other):
        async with other.watching(TODAY) as board:
            own_redis.kill()
            await until(lambda: not one.application.notifier.subscribed and not other.application.notifier.subscribed)
            await one.marker.mark(one.staff["Amina"], TODAY, status="LATE")
            own_redis.start()
            assert (await board.change())["staffName"] == "Amina"
            await until(lambda: one.application.notifier.subscribed)
            await one.marker.mark(one.staff["Björn"], TODAY, status="PRESENT")
            assert (await board.change())["staffName"] == "Björn"


async def test_a_redis_that_hangs_holds_up_neither_marks_nor_boards(postgres_url: str, own_redis: RedisServer) -> None:
    async with two_servers(postgres_url, own_redis.url, poll_seconds=0.2) as (one, other):
        async with other.watching(TODAY) as board:
            own_redis.pause()
            assert (await one.marker.mark(one.staff["Amina"], TODAY, status="LATE"))["errors"] == []
            assert (await board.change())["staffName"] == "Amina"
            await until(lambda: not one.application.notifier.subscribed)
            own_redis.resume()
            await until(lambda: one.application.notifier.subscribed)


async def test_a_day_that_jumps_far_is_followed_without_a_hole(postgres_url: str, own_redis: RedisServer) -> None:
    """A bulk mark is announced without most of its changes, and goes beyond what is kept in memory."""
    fill = """mutation Fill($input: BulkUpdateAttendanceInput!) {
      bulkUpdateAttendance(input: $input) { errors { message } attendances { staffName } }
    }"""
    async with two_servers(postgres_url, own_redis.url, poll_seconds=60, recent_changes=2) as (one, other):
        async with other.watching(TODAY) as board:
            for status in ("PRESENT", "LATE"):
                change = {"fill": {"status": status, "onlyUnmarked": False}}
                answer = await one.marker.ask(fill, input={"date": TODAY, "change": change})
                assert len(answer["bulkUpdateAttendance"]["attendances"]) == 4
            seen = [await board.change() for _ in range(8)]
            assert [change["status"] for change in seen] == ["PRESENT"] * 4 + ["LATE"] * 4
            assert [change["staffName"] for change in seen] == [*one.staff] * 2


async def test_a_new_epoch_sends_every_board_back_to_the_start(postgres_url: str, own_redis: RedisServer) -> None:
    async with two_servers(postgres_url, own_redis.url, poll_seconds=0.2) as (one, other):
        async with other.watching(TODAY) as board:
            async with one.application.database.write() as work:
                await new_epoch(work)
            message = await board.receive()
            assert message["type"] == "error"
            assert message["payload"][0]["extensions"]["code"] == "RESTART_REQUIRED"
