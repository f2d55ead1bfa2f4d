"""The data of `attendance.updated`, as the Laravel application sent it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import Change, Status

EVENT = "attendance.updated"
WRAPPER = "attendanceData"
"""The event class's one public property."""

Ids = Callable[[Change], tuple[str, str]]
"""The ids of a change's record and of its person: those that GraphQL has for them."""


@dataclass(frozen=True, slots=True)
class Payload:
    """How this installation writes a change."""

    ids: Ids
    statuses: Mapping[Status, str]
    flat: bool
    """Whether the fields stand at the top instead of in `attendanceData`."""

    def of(self, change: Change, cursor: Cursor | None, *, notes: bool) -> dict[str, Any]:
        """The data for readers who may see notes, or for those who may not."""
        record_id, staff_id = self.ids(change)
        fields = {
            "id": record_id,
            "staff_id": staff_id,
            "staff_name": change.staff_name or "Unknown",
            "staff_category": change.staff_category or "Staff",
            "staff_photo": change.staff_photo_url,
            "status": self.statuses[change.status],
            "note": change.note if notes else None,
            "photo_url": change.photo_url,
            "date": change.date.isoformat(),
            # As Carbon writes an instant into JSON.
            "updated_at": f"{change.changed_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        }
        data: dict[str, Any] = fields if self.flat else {WRAPPER: fields}
        if cursor is not None:
            data["cursor"] = str(cursor)
        return data


def status_words(given: Mapping[Status, str]) -> dict[Status, str]:
    """A word for each status: the given one, or its name in lower case."""
    return {status: given.get(status, status.lower()) for status in Status}
