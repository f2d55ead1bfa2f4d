"""A feed cursor: a position in a day's feed, as an opaque string that clients send back to resume."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import date
from typing import Self

from memberstaff.errors import RestartRequired

LONGEST = 200
"""Characters; a cursor has about sixty."""


def cursor_text(epoch: int, date: date, position: int) -> str:
    """The text of a cursor."""
    text = f"{epoch}.{date.isoformat()}.{position}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Cursor:
    """After `position` of `date`, in the log of this `epoch` (restoring a backup begins a new one)."""

    epoch: int
    date: date
    position: int

    def __str__(self) -> str:
        return cursor_text(self.epoch, self.date, self.position)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a cursor; raises RestartRequired for any text but a cursor's own `str()`."""
        unreadable = RestartRequired("This is not a feed cursor.")
        if len(text) > LONGEST:
            raise unreadable
        try:
            epoch, day, position = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split(".")
            cursor = cls(int(epoch), date.fromisoformat(day), int(position))
        except ValueError:
            raise unreadable from None
        if (
            str(cursor) != text
            or not 0 <= min(cursor.epoch, cursor.position) <= max(cursor.epoch, cursor.position) < 2**63
        ):
            raise unreadable
        return cursor
