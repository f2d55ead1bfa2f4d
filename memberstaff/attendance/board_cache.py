"""The boards of the days that people look at, kept in memory and brought up to date by what changed since."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from memberstaff.access import Right
from memberstaff.attendance import queries
from memberstaff.attendance.model import Day, Record, Summary
from memberstaff.attendance.queries import BoardFilter, everybody
from memberstaff.changes import Status
from memberstaff.db.work import Reading
from memberstaff.staff.queries import Place

MOST_PEOPLE = 1_000
"""On a board that is kept; one of more people is read by pages, each time."""


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """Records by name, as they were at a position of the day's log and a version of the roster."""

    date: date
    epoch: str
    roster_version: int
    position: int
    records: list[Record]
    is_whole: bool
    """Whether nobody is missing: such a board is cached."""
    derived: dict[object, Any] = field(default_factory=dict)
    """What others make of the board alone, once; it goes with the board."""

    @property
    def version(self) -> tuple[int, int]:
        """Rises with everything that a board can show."""
        return self.roster_version, self.position

    def is_of(self, day: Day) -> bool:
        """Whether nothing but marks can have come between this and the day."""
        return (self.epoch, self.roster_version) == (day.epoch, day.roster_version)

    def with_changed(self, changed: list[Record], day: Day) -> Board:
        """The board at the day's position, where these records have changed."""
        by_person = {record.person.id: record for record in changed}
        records = [by_person.get(record.person.id, record) for record in self.records]
        return replace(self, position=day.position, records=records, derived={})


class BoardCache:
    """Answers what a board shows from memory as far as its day's row says that it is still true.

    A record changes with its day's position, its person and the names of accounts with the roster's version. Both are
    read in the reader's own snapshot before anything is taken from here, so nothing here is ever older, or newer, than
    what that snapshot would show.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._boards: OrderedDict[tuple[date, bool], Board] = OrderedDict()
        """By day, and whether notes are in it: those who may not read notes have boards of their own, without them."""

    async def page(self, reading: Reading, day: Day, which: BoardFilter, *, first: int, after: Place | None) -> Board:
        """The first `first` of those that are asked for, by name."""
        if after is None and which == everybody(day.date):
            reading.require(Right.READ)
            board = await self._current(reading, day)
            if board is not None and len(board.records) < first:
                return board
        found = await queries.board(reading, day, which, first=first, after=after)
        is_whole = after is None and which == everybody(day.date) and len(found) < first
        board = Board(day.date, day.epoch, day.roster_version, day.position, found, is_whole)
        if is_whole and len(found) <= MOST_PEOPLE:
            self._keep(reading, board)
        return board

    async def summary(self, reading: Reading, day: Day) -> Summary:
        """The counts of the day's roster."""
        reading.require(Right.READ)
        board = await self._current(reading, day)
        if board is None:
            return await queries.summary(reading, day.date)
        counts = dict.fromkeys(Status, 0)
        for record in board.records:
            counts[record.status] += 1
        return Summary(day.date, counts)

    async def _current(self, reading: Reading, day: Day) -> Board | None:
        """The kept board at exactly the day's position; None when it has to be read."""
        board = self._boards.get((day.date, reading.reader.may(Right.READ_NOTES)))
        if board is None or not board.is_of(day) or board.position > day.position:
            return None
        if board.position < day.position:
            changed = await queries.changed_since(reading, day.date, board.position, until=day.position)
            board = board.with_changed(changed, day)
            self._keep(reading, board)
        return board

    def _keep(self, reading: Reading, board: Board) -> None:
        key = board.date, reading.reader.may(Right.READ_NOTES)
        known = self._boards.get(key)
        if known is None or known.epoch != board.epoch or known.version < board.version:
            self._boards[key] = board
        self._boards.move_to_end(key)
        while len(self._boards) > self._limit:
            self._boards.popitem(last=False)
