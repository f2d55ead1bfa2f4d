"""The report: how the days of a few weeks went, category by category."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import strawberry

from memberstaff.attendance import report
from memberstaff.attendance.report import ReportedDay, ReportFilter
from memberstaff.changes import Status
from memberstaff.errors import RequestError, RequestErrorCode
from schema.context import Info
from schema.entities import LONGEST_SPAN, NO_CATEGORY
from schema.scope import StaffScope, listed

MOST_CATEGORIES = 40
"""Categories of one report: with a quarter's days they are 3,721 objects, within what an answer may hold."""


@strawberry.type(description="How many of a category's people have each status on a day.")
class AttendanceReportDay:
    """Counts."""

    date: dt.date = strawberry.field(description="The day.")
    is_working_day: bool = strawberry.field(description="Whether people are expected.")
    total: int = strawberry.field(description="Everybody of the category on the day's roster.")
    unmarked: int = strawberry.field(description="No decision yet.")
    present: int = strawberry.field(description="At work.")
    late: int = strawberry.field(description="At work, late.")
    half_day: int = strawberry.field(description="At work for half of the day.")
    remote: int = strawberry.field(description="At work from elsewhere.")
    on_leave: int = strawberry.field(description="Not expected.")
    absent: int = strawberry.field(description="Expected, and not at work.")
    present_rate: float | None = strawberry.field(
        description="At work (a half day counts half) among those marked and not on leave; null while there is nobody."
    )

    @classmethod
    def of(cls, reported: ReportedDay) -> AttendanceReportDay:
        """For a day of a category."""
        summary, of = reported.summary, reported.summary.counts
        return cls(
            date=summary.date,
            is_working_day=reported.working,
            total=summary.total,
            unmarked=of[Status.UNMARKED],
            present=of[Status.PRESENT],
            late=of[Status.LATE],
            half_day=of[Status.HALF_DAY],
            remote=of[Status.REMOTE],
            on_leave=of[Status.ON_LEAVE],
            absent=of[Status.ABSENT],
            present_rate=summary.present_rate,
        )


@strawberry.type(description="A category's days.")
class AttendanceReportCategory:
    """One line of a chart."""

    category: str = strawberry.field(description='As it is today; "Staff" for people without one.')
    days: list[AttendanceReportDay] = strawberry.field(
        description="Every calendar day of the report, oldest first.", metadata={"list_size": LONGEST_SPAN}
    )


@strawberry.type(description="How the days went, category by category.")
class AttendanceReport:
    """A report."""

    from_: dt.date = strawberry.field(name="from", description="Its first day.")
    to: dt.date = strawberry.field(description="Its last day.")
    categories: list[AttendanceReportCategory] = strawberry.field(
        description="By name; those that have people on one of the days.", metadata={"list_size": MOST_CATEGORIES}
    )


@strawberry.type
class ReportsQuery:
    """The root's part about reports."""

    @strawberry.field(
        description=(
            f"Counts of each day from one to another, by category; at most {LONGEST_SPAN} days and "
            f"{MOST_CATEGORIES} categories."
        )
    )
    async def attendance_report(
        self,
        info: Info,
        from_: Annotated[dt.date, strawberry.argument(name="from")],
        to: dt.date,
        scope: StaffScope | None = None,
    ) -> AttendanceReport:
        """Counted in the operation's snapshot."""
        if not 0 <= (to - from_).days < LONGEST_SPAN:
            raise RequestError(
                RequestErrorCode.BAD_REQUEST, f"Ask for 1 to {LONGEST_SPAN} days: `from` not after `to`."
            )
        snapshot, calendar = await info.context.snapshot(), info.context.application.calendar
        found = await report.report(snapshot, calendar, from_, to, _which(scope), no_category=NO_CATEGORY)
        if len(found) > MOST_CATEGORIES:
            several = f"These people are of {len(found):,} categories; a report has {MOST_CATEGORIES} at most."
            raise RequestError(RequestErrorCode.BAD_REQUEST, f"{several} Name some in `scope`.")
        categories = [
            AttendanceReportCategory(category=name, days=[AttendanceReportDay.of(day) for day in days])
            for name, days in found.items()
        ]
        return AttendanceReport(from_=from_, to=to, categories=categories)


def _which(scope: StaffScope | None) -> ReportFilter:
    """A scope as the report takes it; raises Refusal."""
    scope = scope or StaffScope()
    return ReportFilter(listed(scope.categories, "categories", "categories"), scope.numbers())
