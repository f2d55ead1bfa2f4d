"""A day's board and the records on it, as read from answers and events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal


class Keep(Enum):
    """The type of `KEEP`."""

    KEEP = "KEEP"


KEEP: Literal[Keep.KEEP] = Keep.KEEP
"""What is not to be changed, where None would clear it."""

RECORD = """fragment Record on Attendance {
  id staffId staffName staffCategory staffPhotoUrl date status note photoUrl reason { name } arrivedAt leftAt isOnSite
  version sequence updatedAt updatedBy
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One person on one day."""

    id: str
    staff_id: str
    name: str
    category: str
    staff_photo_url: str | None
    date: dt.date
    status: str
    """Of the enum `AttendanceStatus`, to which later servers may add."""
    note: str | None
    """Always None for a VIEWER, as `photo_url` is."""
    photo_url: str | None
    reason: str | None
    """Its name; for a VIEWER, of reasons for viewers alone."""
    arrived_at: dt.datetime | None
    """None if it is unknown, and for whoever has not come; for a VIEWER as a setting says, as `left_at` is."""
    left_at: dt.datetime | None
    is_on_site: bool
    """Whether they have come and not left."""
    version: int
    """The number of changes to this record, 0 before the first one; send it as `expected_version`."""
    sequence: str
    """Of two states of a record, the newer one has the greater sequence, compared as text."""
    updated_at: dt.datetime | None
    updated_by: str | None

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> Record:
        """From the fields of `RECORD`."""
        return cls(
            id=node["id"],
            staff_id=node["staffId"],
            name=node["staffName"],
            category=node["staffCategory"],
            staff_photo_url=node["staffPhotoUrl"],
            date=dt.date.fromisoformat(node["date"]),
            status=node["status"],
            note=node["note"],
            photo_url=node["photoUrl"],
            reason=node["reason"]["name"] if node["reason"] else None,
            arrived_at=_instant(node["arrivedAt"]),
            left_at=_instant(node["leftAt"]),
            is_on_site=node["isOnSite"],
            version=node["version"],
            sequence=node["sequence"],
            updated_at=_instant(node["updatedAt"]),
            updated_by=node["updatedBy"],
        )


def _instant(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A day at one moment, with everybody on its roster, ordered by name."""

    date: dt.date
    state: str
    """OPEN or LOCKED, which cannot be marked; later servers may add to these."""
    is_working_day: bool
    label: str | None
    records: tuple[Record, ...]
    sequence: str
    """Of two boards of a day, the newer one has the greater sequence, compared as text."""
    feed_cursor: str
    """Where the changes after this board begin."""

    @classmethod
    def of(cls, pages: Sequence[Mapping[str, Any]]) -> Board:
        """From the pages of a day: as the first one has it, since what is changed meanwhile comes as a change."""
        day = pages[0]
        feed_cursor = day["records"]["feedCursor"]
        if not isinstance(feed_cursor, str) or not feed_cursor:  # without one, changes would begin anywhere
            raise TypeError(feed_cursor)
        return cls(
            date=dt.date.fromisoformat(day["date"]),
            state=day["state"],
            is_working_day=day["isWorkingDay"],
            label=day["label"],
            records=tuple(Record.of(edge["node"]) for page in pages for edge in page["records"]["edges"]),
            sequence=day["sequence"],
            feed_cursor=feed_cursor,
        )
