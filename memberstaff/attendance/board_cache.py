"""A cache of whole-day boards: a cached board is brought up to date with the changes since, not read again."""

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
from memberstaff.staff.queries import StaffPosition

MOST_PEOPLE = 1_000
"""On a cached board; a larger one is read page by page, each time."""


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """A day's records by name, at one position of its log and one version of the roster."""

    date: date
    epoch: int
    roster_version: int
    position: int
    records: list[Record]
    is_complete: bool
    """Whether it holds the whole roster: only such a board is cached."""
    derived: dict[object, Any] = field(default_factory=dict)
    """Memo of what is made of the board alone; it goes with the board."""
    by_person: dict[int, tuple[Record, Any]] = field(default_factory=dict)
    """Memo of what is made of one record, by person: shared with the boards that this one becomes."""

    @property
    def version(self) -> tuple[int, int]:
        """Rises with every change that a board can show; comparable within one epoch."""
        return self.roster_version, self.position

    def has_roster_of(self, day: Day) -> bool:
        """Whether the two can differ by marks only."""
        return (self.epoch, self.roster_version) == (day.epoch, day.roster_version)

    def with_changes(self, changed: list[Record], day: Day) -> Board:
        """The board at the day's position, with the records that changed since its own."""
        by_person = {record.person.id: record for record in changed}
        records = [by_person.get(record.person.id, record) for record in self.records]
        return replace(self, position=day.position, records=records, derived={})


class BoardCache:
    """Serves boards and summaries from memory, for as long as the day's row shows that they are current.

    A record changes only with its day's position; its person and account names, only with the roster version. Both
    are read in the caller's own snapshot before the cache is consulted, so what the cache returns is never older or
    newer than that snapshot.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._boards: OrderedDict[tuple[date, frozenset[str]], Board] = OrderedDict()
        """By day, and what is hidden on it from its readers."""

    async def page(
        self, reading: Reading, day: Day, which: BoardFilter, *, first: int, after: StaffPosition | None
    ) -> Board:
        """The first `first` records that match, by name."""
        if after is None and which == everybody(day.date):
            reading.require(Right.READ)
            board = await self._current(reading, day)
            if board is not None and len(board.records) < first:
                return board
        found = await queries.board(reading, day, which, first=first, after=after)
        is_complete = after is None and which == everybody(day.date) and len(found) < first
        board = Board(day.date, day.epoch, day.roster_version, day.position, found, is_complete)
        if is_complete and len(found) <= MOST_PEOPLE:
            self._store(reading, board)
        return board

    async def summary(self, reading: Reading, day: Day) -> Summary:
        """How many of the day's roster have each status, and how many are on site."""
        reading.require(Right.READ)
        board = await self._current(reading, day)
        if board is None:
            return await queries.summary(reading, day.date)
        counts = dict.fromkeys(Status, 0)
        for record in board.records:
            counts[record.status] += 1
        return Summary(day.date, counts, sum(record.on_site for record in board.records))

    async def _current(self, reading: Reading, day: Day) -> Board | None:
        """The cached board at exactly the day's position; None when the board has to be read."""
        board = self._boards.get((day.date, reading.hidden))
        if board is None or not board.has_roster_of(day) or board.position > day.position:
            return None
        if board.position < day.position:
            changed = await queries.changed_since(reading, day.date, board.position, until=day.position)
            board = board.with_changes(changed, day)
            self._store(reading, board)
        return board

    def _store(self, reading: Reading, board: Board) -> None:
        key = board.date, reading.hidden
        cached = self._boards.get(key)
        if cached is None or cached.epoch != board.epoch or cached.version < board.version:
            self._boards[key] = board
        self._boards.move_to_end(key)
        while len(self._boards) > self._limit:
            self._boards.popitem(last=False)
