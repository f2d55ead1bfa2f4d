"""The Python client, left in the middle of something, and used by several at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from memberstaff.access import Role
from memberstaff_client import Attendance, Record, TokenFile, sync
from tests.clients.odd_server import BOARD, OddServer, change, client_of, odd_server, stream
from tests.clock import TODAY, TurnedClock
from tests.installation import PASSWORD, Installation, email
from tests.waiting import WAIT_SECONDS, until


async def closed(server: OddServer) -> None:
    """Wait until the client has closed the connection of a silent stream."""
    (writer,) = server.silent
    with suppress(ConnectionError):
        while True:
            writer.write(b": ping\n\n")
            await writer.drain()
            await asyncio.sleep(0.01)


async def test_a_loop_that_is_cancelled_ends_at_once_and_its_connection_with_it() -> None:
    async with client_of(BOARD, None) as (attendance, server):
        before = asyncio.all_tasks()

        async def follow() -> None:
            async for _ in attendance.day().changes():
                pass

        following = asyncio.ensure_future(follow())
        await until(lambda: bool(server.silent))
        assert asyncio.all_tasks() == before | {following}
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
        await closed(server)
        assert asyncio.all_tasks() == before


async def test_a_loop_that_is_broken_out_of_is_gone_on_with_after_its_last_change() -> None:
    async with client_of(BOARD, stream(change(1), change(2)), stream(change(2))) as (attendance, server):
        day, seen = attendance.day(), []
        for _ in range(2):
            async for record in day.changes():
                seen.append(record.version)
                break
    assert seen == [1, 2]
    assert [each.last_event_id for each in server.asked] == [None, "0", "1"]


async def test_an_error_in_a_loop_over_changes_is_the_loops_own() -> None:
    async with client_of(BOARD, stream(change(1))) as (attendance, _):
        with pytest.raises(ZeroDivisionError):
            async for record in attendance.day().changes():
                print(record.version / 0)


def in_a_thread(play: Callable[[sync.Attendance], object], server: OddServer) -> asyncio.Future[object]:
    """Play something without an event loop."""

    def played() -> object:
        with sync.Attendance(server.address, token=lambda: "a-token") as attendance:
            return play(attendance)

    return asyncio.ensure_future(asyncio.to_thread(played))


async def test_breaking_out_without_an_event_loop_closes_the_connection_and_leaves_no_thread() -> None:
    async with asyncio.timeout(WAIT_SECONDS), odd_server(BOARD, stream(change(1), change(2)), BOARD) as server:

        def play(attendance: sync.Attendance) -> object:
            threads, day, seen = threading.active_count(), attendance.day(), []
            for record in day.changes():
                seen.append(record.version)
                break
            day.board()
            return seen, threading.active_count() - threads

        assert await in_a_thread(play, server) == ([1], 0)


async def test_closing_it_from_another_thread_ends_a_loop_without_an_event_loop() -> None:
    async with asyncio.timeout(WAIT_SECONDS), odd_server(BOARD, None) as server:
        attendance = sync.Attendance(server.address, token=lambda: "a-token")
        following = asyncio.ensure_future(asyncio.to_thread(lambda: list(attendance.day().changes())))
        await until(lambda: bool(server.silent))
        attendance.close()
        assert await following == []


async def test_without_an_event_loop_it_can_be_used_where_one_runs() -> None:
    async with asyncio.timeout(WAIT_SECONDS), odd_server(BOARD, stream(change(1))) as server:

        async def cell() -> list[Record]:  # as of a notebook
            with sync.Attendance(server.address, token=lambda: "a-token") as attendance:
                return [next(attendance.day().changes())]

        [record] = await asyncio.to_thread(asyncio.run, cell())
        assert record.version == 1


async def test_two_boards_are_followed_at_once_and_one_board_by_two(installation: Installation) -> None:
    first, second, third = "2026-01-12", "2026-01-09", "2026-01-08"
    address, who = installation.address.http, email(Role.ADMIN)
    async with asyncio.timeout(WAIT_SECONDS), Attendance(address, email=who, password=PASSWORD) as attendance:
        board, *_ = days = [attendance.day(date) for date in (first, second, first, third)]
        for day in days:
            await day.board()

        async def two(changes: AsyncGenerator[Record]) -> list[str]:
            said: list[str] = []
            async for change in changes:
                said.append(f"{change.name} {change.date} {change.status}")
                if len(said) == 2:
                    break
            return said

        following = [asyncio.ensure_future(two(day.changes())) for day in (*days, board)]
        for name in ("Amina", "Björn"):
            for date in (first, second, third):
                await attendance.mark(installation.staff[name], date, "LATE")
        assert await asyncio.gather(*following) == [
            [f"Amina {date} LATE", f"Björn {date} LATE"] for date in (first, second, first, third, first)
        ]


async def test_many_requests_with_an_expired_token_renew_the_session_once(
    installation: Installation, clock: TurnedClock, tmp_path: Path
) -> None:
    saved: list[str] = []

    class Counted(TokenFile):
        def save(self, refresh_token: str) -> None:
            saved.append(refresh_token)
            super().save(refresh_token)

    storage, names = Counted(tmp_path / "session"), list(installation.staff)
    address, who = installation.address.http, email(Role.MARKER)

    def play(attendance: sync.Attendance, status: str) -> list[str]:
        with ThreadPoolExecutor(len(names)) as pool:
            marks = [pool.submit(attendance.mark, installation.staff[name], TODAY, status) for name in names]
            return [mark.result().status for mark in marks]

    async with asyncio.timeout(WAIT_SECONDS):
        with sync.Attendance(address, email=who, password=PASSWORD, storage=storage) as threads:
            assert await asyncio.to_thread(play, threads, "LATE") == ["LATE"] * len(names)
            clock.turn(seconds=installation.application.settings.access_token_seconds + 1)
            assert await asyncio.to_thread(play, threads, "PRESENT") == ["PRESENT"] * len(names)
        assert len(saved) == 2
        async with Attendance(address, storage=storage) as attendance:
            records = await asyncio.gather(
                *(attendance.mark(installation.staff[name], TODAY, "ABSENT") for name in names)
            )
        assert [record.status for record in records] == ["ABSENT"] * len(names)
        assert len(saved) == 3
