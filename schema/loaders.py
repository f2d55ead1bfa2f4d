"""DataLoaders: a list of a thousand objects takes as many statements as a list of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from datetime import date
from functools import cached_property
from typing import TypeVar

from strawberry.dataloader import DataLoader

from memberstaff.accounts import directory
from memberstaff.attendance import queries
from memberstaff.attendance.board_cache import Board, BoardCache
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.model import Day, Record, Summary
from memberstaff.attendance.queries import BoardFilter, Revision
from memberstaff.db.work import Reading, uninterrupted
from memberstaff.staff import queries as staff_queries
from memberstaff.staff.model import Person
from memberstaff.staff.queries import StaffPosition

Key = TypeVar("Key", bound=Hashable)
Loaded = TypeVar("Loaded")


class Loader(DataLoader[Key, Loaded]):
    """A DataLoader whose waiters can be given up one by one.

    Strawberry's share a future. graphql-core gives up the neighbours of a field that fails, and with the first of them
    all who wait for the same key would be cancelled.
    """

    def load(self, key: Key) -> Awaitable[Loaded]:
        """What belongs to a key; several loads make one batch."""
        return uninterrupted(super().load(key))


class Loaders:
    """The DataLoaders of one snapshot."""

    def __init__(self, snapshot: Callable[[], Awaitable[Reading]], calendar: Calendar, boards: BoardCache) -> None:
        self._snapshot = snapshot
        self._calendar = calendar
        self._board_cache = boards
        self._histories: dict[tuple[int, int | None], Loader[tuple[int, date], list[Revision]]] = {}
        self._marked: dict[tuple[date, date], Loader[int, list[Record]]] = {}

    @cached_property
    def day(self) -> Loader[date, Day]:
        """Days by date."""

        async def load(dates: list[date]) -> list[Day]:
            found = await self._calendar.days(await self._snapshot(), dates)
            return [found[day] for day in dates]

        return Loader(load_fn=load)

    @cached_property
    def summary(self) -> Loader[date, Summary]:
        """The counts of days by date."""

        async def load(dates: list[date]) -> list[Summary]:
            days = await self.day.load_many(dates)
            reading = await self._snapshot()
            return [await self._board_cache.summary(reading, day) for day in days]

        return Loader(load_fn=load)

    @cached_property
    def board(self) -> Loader[tuple[Day, BoardFilter, int, StaffPosition | None], Board]:
        """Pages of a day's board: the first so many of those who match, after a place. Many records lead to one day."""

        async def load(pages: list[tuple[Day, BoardFilter, int, StaffPosition | None]]) -> list[Board]:
            reading, boards = await self._snapshot(), self._board_cache
            return [
                await boards.page(reading, day, which, first=size, after=place) for day, which, size, place in pages
            ]

        return Loader(load_fn=load)

    @cached_property
    def count(self) -> Loader[tuple[Day, BoardFilter], int]:
        """How many of a day's roster match."""

        async def load(filters: list[tuple[Day, BoardFilter]]) -> list[int]:
            reading = await self._snapshot()
            return [await queries.count(reading, day, which) for day, which in filters]

        return Loader(load_fn=load)

    @cached_property
    def person(self) -> Loader[int, Person | None]:
        """People by number; None if there is no such person."""

        async def load(ids: list[int]) -> list[Person | None]:
            found = await staff_queries.by_id(await self._snapshot(), ids)
            return [found.get(staff_id) for staff_id in ids]

        return Loader(load_fn=load)

    @cached_property
    def account(self) -> Loader[int, directory.Account | None]:
        """Accounts by number, for those who may see them."""

        async def load(ids: list[int]) -> list[directory.Account | None]:
            found = {each.id: each for each in await directory.by_ids(await self._snapshot(), ids)}
            return [found.get(account_id) for account_id in ids]

        return Loader(load_fn=load)

    def history(self, first: int, before: int | None) -> Loader[tuple[int, date], list[Revision]]:
        """The newest `first` revisions of each record, older than version `before`, if given."""
        if (first, before) not in self._histories:

            async def load(keys: list[tuple[int, date]]) -> list[list[Revision]]:
                found = await queries.history(await self._snapshot(), keys, first=first, before=before)
                return [found[key] for key in keys]

            self._histories[first, before] = Loader(load_fn=load)
        return self._histories[first, before]

    def marked(self, start: date, end: date) -> Loader[int, list[Record]]:
        """Marked records of people from `start` to `end`."""
        if (start, end) not in self._marked:

            async def load(ids: list[int]) -> list[list[Record]]:
                found = await queries.marked(await self._snapshot(), ids, start, end)
                return [found[staff_id] for staff_id in ids]

            self._marked[start, end] = Loader(load_fn=load)
        return self._marked[start, end]
