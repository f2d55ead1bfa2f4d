"""Where a reader stands in a day's feed, as an opaque string that clients hand back."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import date
from typing import Self

from memberstaff.errors import RestartRequired

LONGEST = 200
"""Characters; a cursor is some sixty."""


def cursor_text(epoch: str, date: date, position: int) -> str:
    """How a cursor is written."""
    plain = f"{epoch}.{date.isoformat()}.{position}"
    return urlsafe_b64encode(plain.encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Cursor:
    """After `position` of `date`, in the log that `epoch` names (a restored backup begins a new epoch)."""

    epoch: str
    date: date
    position: int

    def __str__(self) -> str:
        return cursor_text(self.epoch, self.date, self.position)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a cursor back; raises RestartRequired for anything that `str()` of a cursor never made."""
        unreadable = RestartRequired("This is not a feed cursor.")
        if len(text) > LONGEST:
            raise unreadable
        try:
            epoch, day, position = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split(".")
            cursor = cls(epoch, date.fromisoformat(day), int(position))
        except ValueError:
            raise unreadable from None
        if str(cursor) != text or not 0 <= cursor.position < 2**63:
            raise unreadable
        return cursor
