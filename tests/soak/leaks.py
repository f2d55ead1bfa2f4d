"""What stays in memory after boards have come and gone, and after they have seen many events."""

from __future__ import annotations

import gc
from collections import Counter
from contextlib import AsyncExitStack

from psutil import Process

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.attendance import commands
from memberstaff.attendance.queries import BoardFilter
from memberstaff.changes import Status
from memberstaff.staff import importing
from memberstaff.staff.commands import Details
from memberstaff.staff.queries import StaffFilter
from tests.front_ends import WATCH, Socket
from tests.installation import Installation
from tests.waiting import until

NESTED = """subscription ($date: Date!) {
  attendanceUpdated(date: $date) { version staff { name startsOn } day { state summary { present } } } }"""
PEOPLE = 100
TOGETHER = 10
"""Boards that come and go at a time."""


async def left_by_boards(office: Installation, number: int) -> Counter[str]:
    """Objects by type that are left of so many boards that come, watch today and vanish without a word."""
    await _come_and_go(office)
    before = await _when_all_have_gone(office)
    for _ in range(number // TOGETHER):
        await _come_and_go(office)
    return await _when_all_have_gone(office) - before


async def left_by_events(office: Installation, number: int) -> tuple[Counter[str], int]:
    """Objects by type, and bytes of resident memory, that are left of so many events on one nested subscription."""
    await hire(office, PEOPLE - len(office.staff))
    async with office.socket(Role.MARKER) as board:
        async with office.one_more_follower(_today(office)):
            await board.subscribe("1", NESTED, date=_today(office))
        await _events(office, board, 4 * PEOPLE)
        before, resident = _objects(), rss()
        await _events(office, board, number)
        return _objects() - before, rss() - resident


async def _events(office: Installation, board: Socket, number: int) -> None:
    for round_ in range(number // PEOPLE):
        for _ in range(await fill(office, [Status.LATE, Status.PRESENT][round_ % 2])):
            await board.event()


async def _come_and_go(office: Installation) -> None:
    day = office.application.database.now().date()
    await until(lambda: office.application.feed.followers(day) == 0)
    async with AsyncExitStack() as sockets:
        boards = [await sockets.enter_async_context(office.socket(Role.VIEWER)) for _ in range(TOGETHER)]
        for board in boards:
            await board.subscribe("1", WATCH, date=_today(office))
        await until(lambda: office.application.feed.followers(day) == TOGETHER)
        for board in boards:
            board.connection.transport.abort()


async def _when_all_have_gone(office: Installation) -> Counter[str]:
    await until(lambda: not office.application.feed.subscriptions)
    await until(lambda: len(office.address.server.server_state.connections) <= 1)
    await until(lambda: _all_doors_are_closed(office))
    await until(lambda: office.application.feed.watched_days == 0)
    return _objects()


def _all_doors_are_closed(office: Installation) -> bool:
    gc.collect()  # a socket's parts know one another
    return len(office.application.access_watcher) == 0


def _objects() -> Counter[str]:
    gc.collect()
    return Counter(f"{type(kept).__module__}.{type(kept).__qualname__}" for kept in gc.get_objects())


def rss() -> int:
    """Resident memory of this process, in bytes."""
    return Process().memory_info().rss


def _today(office: Installation) -> str:
    return office.application.database.now().date().isoformat()


async def fill(office: Installation, status: Status) -> int:
    """Give everybody this status today; answers how many changes that made."""
    async with office.application.database.write() as work:
        work.caller = COMMAND_LINE
        everybody = BoardFilter(StaffFilter(on=work.today))
        calendar = office.application.calendar
        outcome = await commands.fill(work, calendar, work.today, status, everybody, only_unmarked=False)
    return outcome.after - outcome.before


async def hire(office: Installation, number: int) -> None:
    """Put so many more people on the roster."""
    async with office.application.database.write() as work:
        work.caller = COMMAND_LINE
        await importing.import_staff(work, [Details(name=f"Person {index:04}") for index in range(number)])
