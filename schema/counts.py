"""How many people have each status: on a day, and in a report."""

from __future__ import annotations

from typing import Any

import strawberry

from memberstaff.attendance.model import Day, Summary
from memberstaff.changes import Status

from .ids import global_id
from .relay import SEQUENCE, Node


@strawberry.interface(description="How many people have each status.")
class StatusCounts:
    """See `model.Summary`."""

    total: int = strawberry.field(description="Everybody who is counted, marked or not.")
    unmarked: int = strawberry.field(description="Not marked yet.")
    present: int = strawberry.field(description="At work.")
    late: int = strawberry.field(description="At work, late.")
    half_day: int = strawberry.field(description="At work for half of the day.")
    remote: int = strawberry.field(description="At work from elsewhere.")
    on_leave: int = strawberry.field(description="On leave, so not expected.")
    absent: int = strawberry.field(description="Expected, and not at work.")
    present_rate: float | None = strawberry.field(
        description="Share at work (0 to 1) of those marked and not on leave; half days count half. Null if none."
    )


def counts_of(summary: Summary) -> dict[str, Any]:
    """The fields of StatusCounts."""
    of = summary.counts
    return {
        "total": summary.total,
        "unmarked": of[Status.UNMARKED],
        "present": of[Status.PRESENT],
        "late": of[Status.LATE],
        "half_day": of[Status.HALF_DAY],
        "remote": of[Status.REMOTE],
        "on_leave": of[Status.ON_LEAVE],
        "absent": of[Status.ABSENT],
        "present_rate": summary.present_rate,
    }


@strawberry.type(
    description=(
        "How many of a day's roster have each status, whatever a list of its records is filtered by. Live: select it "
        "in attendanceDayUpdated, or as `day { summary }` in attendanceUpdated."
    )
)
class DaySummary(Node, StatusCounts):
    """See `model.Summary`."""

    on_site: int = strawberry.field(description="Who have come and not left, as `Attendance.isOnSite` says.")
    sequence: str = strawberry.field(description=SEQUENCE)

    @classmethod
    def of(cls, summary: Summary, day: Day) -> DaySummary:
        """From the domain's summary, and the day as it was read with it."""
        return cls(
            id=global_id("DaySummary", summary.date),
            on_site=summary.on_site,
            sequence=day.sequence,
            **counts_of(summary),
        )
