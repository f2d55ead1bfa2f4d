"""The data of `attendance.updated`, in the Laravel application's format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import Change, Status

EVENT = "attendance.updated"
WRAPPER = "attendanceData"
"""The public property of the Laravel event class."""

Ids = Callable[[Change], tuple[str, str]]
"""The GraphQL ids of a change's record and person."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Formats changes as the settings say."""

    ids: Ids
    statuses: Mapping[Status, str]
    flat: bool
    """Whether the fields are at the top level rather than in `attendanceData`."""

    def of(self, change: Change, cursor: Cursor | None, hidden: frozenset[str]) -> dict[str, Any]:
        """The data of a change, without what is hidden from its readers."""
        change = change.shown(hidden)
        record_id, staff_id = self.ids(change)
        fields = {
            "id": record_id,
            "staff_id": staff_id,
            "staff_name": change.staff_name or "Unknown",
            "staff_category": change.staff_category or "Staff",
            "staff_photo": change.staff_photo_url,
            "status": self.statuses[change.status],
            "note": change.note,
            "reason": change.reason.name if change.reason is not None else None,
            "photo_url": change.photo_url,
            "date": change.date.isoformat(),
            "arrived_at": _as_carbon(change.arrived_at),
            "left_at": _as_carbon(change.left_at),
            "updated_at": _as_carbon(change.changed_at),
        }
        data: dict[str, Any] = fields if self.flat else {WRAPPER: fields}
        if cursor is not None:
            data["cursor"] = str(cursor)
        return data


def _as_carbon(instant: datetime | None) -> str | None:
    """An instant in Carbon's JSON format."""
    return None if instant is None else f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def status_words(given: Mapping[Status, str]) -> dict[Status, str]:
    """The word for each status: the given one, or its name in lower case."""
    return {status: given.get(status, status.lower()) for status in Status}
