"""The log of access changes: whose access has changed or ended, in the order of the commits.

`Work.announce_access` writes it. Every process reads it from its own position, so that to watch over thousands of
sessions costs what has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, true

from memberstaff.db.tables import access_change, access_head, installation
from memberstaff.db.work import Reading

PAGE = 1_000
"""Changes that are read at a time."""

Subject = int | str
"""The id of an account, or of a session."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far the log was read, and in which epoch."""

    epoch: int
    number: int


_HEAD = select(installation.c.epoch, access_head.c.number).select_from(installation.join(access_head, true()))


async def after(reading: Reading, position: Position | None) -> tuple[Position, Sequence[Subject] | None]:
    """Whose access has changed since `position`, a page of them at most, and the position of the last one.

    None instead, with the log's last position, when nobody can tell: at the start, in another epoch, when a backup was
    restored, or when some of the changes have been deleted.
    """
    head = await reading.row(_HEAD)
    assert head is not None
    last = Position(head.epoch, head.number)
    if position is None or position.epoch != last.epoch or position.number > last.number:
        return last, None
    if position.number == last.number:
        return last, ()
    later = access_change.c.number > position.number
    rows = await reading.rows(select(access_change).where(later).order_by(access_change.c.number).limit(PAGE))
    reached = min(last.number, position.number + PAGE)
    if [row.number for row in rows] != list(range(position.number + 1, reached + 1)):
        return last, None
    subjects = [row.session_id if row.account_id is None else row.account_id for row in rows]
    return Position(last.epoch, reached), subjects
