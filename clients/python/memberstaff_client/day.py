"""A day, to be read and followed."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import Any

from memberstaff_client.answers import understood
from memberstaff_client.connection import Connection
from memberstaff_client.errors import RequestRefused
from memberstaff_client.patience import RESTART_REQUIRED
from memberstaff_client.records import RECORD, Board, Record

BOARD = f"""query Board($date: Date, $after: String) {{
  attendanceDay(date: $date) {{
    date state isWorkingDay label sequence
    records(first: 1000, after: $after) {{
      feedCursor pageInfo {{ hasNextPage endCursor }} edges {{ node {{ ...Record }} }}
    }}
  }}
}}
{RECORD}"""

CHANGES = f"""subscription Changes($date: Date!) {{
  attendanceUpdated(date: $date) {{ ...Record }}
}}
{RECORD}"""

STATES = "subscription States($date: Date!) { attendanceDayUpdated(date: $date) { sequence } }"


class Seen:
    """How far a reader has come in a day: the last that they were given of each record, and where changes go on."""

    def __init__(self, records: Mapping[str, Record], feed_cursor: str, due: Iterable[Record] = ()) -> None:
        self.records = dict(records)
        self.feed_cursor = feed_cursor
        self.due = deque(due)
        """What differed on a board that was read in place of changes, and was not given yet."""

    @classmethod
    def on(cls, board: Board) -> Seen:
        """All of a board."""
        return cls({record.staff_id: record for record in board.records}, board.feed_cursor)

    def copy(self) -> Seen:
        """For another reader."""
        return Seen(self.records, self.feed_cursor, self.due)

    def begin_anew(self, board: Board) -> None:
        """Take a board in place of the changes since the last one."""
        self.due.extend(sorted(filter(self._differs, board.records), key=_when))
        self.records = {record.staff_id: record for record in board.records}
        self.feed_cursor = board.feed_cursor

    def _differs(self, record: Record) -> bool:
        """Whether it was changed; not because a person was renamed, and not for a greater sequence alone."""
        known = self.records.get(record.staff_id)
        return record.version > 0 if known is None else _values(record) != _values(known)


def _values(record: Record) -> tuple[object, ...]:
    values = record.note, record.photo_url, record.arrived_at, record.left_at
    return record.version, record.updated_at, record.status, *values


def _when(record: Record) -> float:
    return record.updated_at.timestamp() if record.updated_at is not None else 0.0


class Day:
    """A day, and how far it was followed: `changes` go on after the board or the change that it has given last."""

    def __init__(self, connection: Connection, date: dt.date | None) -> None:
        self.date = date
        """None before today has been read."""
        self._connection = connection
        self._seen: Seen | None = None

    async def board(self) -> Board:
        """The day as it is now."""
        board = await self._read()
        self._seen = Seen.on(board)
        return board

    async def changes(self) -> AsyncGenerator[Record]:
        """Each change after the last board: the record as it was then, once and in order.

        Broken connections, restarts of the server and expired tokens are bridged. When the server cannot give all
        changes since the last one (a backup was restored, or there are too many), the board is read again, and each
        record on it that differs from the one last seen counts as one change. Raises LoginRefused and SessionEnded,
        and RequestRefused for what trying again cannot mend.
        """
        patience = self._connection.patience()
        seen = self._seen.copy() if self._seen is not None else None
        restart = False
        while True:
            refusal = None
            try:
                if seen is None:
                    self._seen = seen = Seen.on(await self._read())
                elif restart:
                    seen.begin_anew(await self._read())
                restart = False
                while seen.due:
                    self._seen = seen
                    yield seen.due.popleft()
                variables = {"date": self.date}
                events = self._connection.events(CHANGES, variables, patience, last_event_id=seen.feed_cursor)
                async with aclosing(events):
                    async for cursor, data in events:
                        with understood():
                            record = Record.of(data["attendanceUpdated"])
                            if cursor in {"", seen.feed_cursor}:  # what follows would be missed, or come again
                                raise ValueError(cursor)
                        seen.records[record.staff_id] = record
                        seen.feed_cursor = cursor
                        self._seen = seen
                        yield record
            except RequestRefused as error:
                refusal = error
                restart = restart or error.code == RESTART_REQUIRED
            if self._connection.closed:
                return
            await patience.wait_after(refusal)

    async def live(self) -> AsyncGenerator[Board]:
        """The board as it is, and the whole board again after each change of a record, the roster or the day.

        When changes come faster than boards are read, it skips to the newest. Goes on and raises as `changes` does.
        """
        patience = self._connection.patience()
        shown = ""
        while True:
            refusal = None
            try:
                if not shown:
                    board = await self._read()
                    shown = board.sequence
                    yield board
                events = self._connection.events(STATES, {"date": self.date}, patience)
                async with aclosing(events):
                    async for _, data in events:
                        with understood():
                            is_newer = data["attendanceDayUpdated"]["sequence"] > shown
                        if is_newer:
                            board = await self._read()
                            shown = board.sequence
                            yield board
            except RequestRefused as error:
                refusal = error
            if self._connection.closed:
                return
            await patience.wait_after(refusal)

    async def _read(self) -> Board:
        pages: list[dict[str, Any]] = []
        more, after = True, None
        while more:
            answer = await self._connection.execute(BOARD, {"date": self.date, "after": after})
            with understood():
                pages.append(day := answer["attendanceDay"])
                self.date = dt.date.fromisoformat(day["date"])  # it stays with this one when midnight comes
                page = day["records"]["pageInfo"]
                if more := page["hasNextPage"]:
                    if page["endCursor"] in {None, after}:
                        raise ValueError(after)
                    after = page["endCursor"]
        with understood():
            return Board.of(pages)
