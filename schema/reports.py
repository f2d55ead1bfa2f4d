"""The attendance report: daily counts by category."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import strawberry

from memberstaff.attendance import report
from memberstaff.attendance.reasons import MOST
from memberstaff.attendance.report import ReportedDay, ReportFilter
from memberstaff.changes import Status
from memberstaff.errors import RequestError, RequestErrorCode

from .context import Info
from .counts import StatusCounts, counts_of
from .people import LONGEST_SPAN, NO_CATEGORY
from .reasons import Reason
from .scope import StaffScope, unique_values

MOST_REASON_COUNTS = MOST * (len(Status) - 1)
MOST_CATEGORIES = 40
"""Categories in a report: with a quarter's days they are 3,721 objects, within the cost limit."""


@strawberry.type(description="How many people of a category have each status on a day.")
class AttendanceReportDay(StatusCounts):
    """See `ReportedDay`."""

    date: dt.date = strawberry.field(description="The day.")
    is_working_day: bool = strawberry.field(description="Whether people are expected.")

    @classmethod
    def of(cls, reported: ReportedDay) -> AttendanceReportDay:
        """From a day of the domain's report."""
        return cls(date=reported.summary.date, is_working_day=reported.working, **counts_of(reported.summary))


@strawberry.type(description="A category's daily counts.")
class AttendanceReportCategory:
    """A line of the chart."""

    category: str = strawberry.field(description='The current category; "Staff" for people without one.')
    days: list[AttendanceReportDay] = strawberry.field(
        description="Every calendar day of the report, oldest first.", metadata={"list_size": LONGEST_SPAN}
    )


@strawberry.type(description="How often a reason was given with a status.")
class ReasonCount:
    """See `report.ReasonCount`."""

    reason: Reason = strawberry.field(description="The reason.")
    status: Status = strawberry.field(description="Of the records that have it.")
    count: int = strawberry.field(description="Records: people, each day on its own.")


@strawberry.type(
    description=(
        "Daily counts by category, as they were when the report was read. Not live: ask again after an event of one "
        "of its days, or when a `rosterVersion` rises."
    )
)
class AttendanceReport:
    """See `report.report`."""

    from_: dt.date = strawberry.field(name="from", description="The first day.")
    to: dt.date = strawberry.field(description="The last day.")
    categories: list[AttendanceReportCategory] = strawberry.field(
        description="Ordered by name; without those that have no people on any day.",
        metadata={"list_size": MOST_CATEGORIES},
    )
    which: strawberry.Private[ReportFilter]

    @strawberry.field(
        description=(
            "How often each reason was given to a marked record, by name and status; a VIEWER is shown reasons for "
            "VIEWERs."
        ),
        metadata={"list_size": MOST_REASON_COUNTS},
    )
    async def reasons(self, info: Info) -> list[ReasonCount]:
        found = await report.reasons_given(await info.context.snapshot(), self.from_, self.to, self.which)
        return [ReasonCount(reason=Reason.of(each.reason), status=each.status, count=each.number) for each in found]


@strawberry.type
class ReportsQuery:
    """Root fields about reports."""

    @strawberry.field(
        description=(
            f"Daily counts by category, from one day to another; at most {LONGEST_SPAN} days and "
            f"{MOST_CATEGORIES} categories. Days to come count the leave that is planned."
        )
    )
    async def attendance_report(
        self,
        info: Info,
        from_: Annotated[dt.date, strawberry.argument(name="from", description="The first day.")],
        to: Annotated[dt.date, strawberry.argument(description="The last day.")],
        scope: Annotated[StaffScope | None, strawberry.argument(description="Default: everybody.")] = None,
    ) -> AttendanceReport | None:
        if not 0 <= (to - from_).days < LONGEST_SPAN:
            raise RequestError(
                RequestErrorCode.BAD_REQUEST, f"Select 1 to {LONGEST_SPAN} days, with `from` not after `to`."
            )
        snapshot, calendar = await info.context.snapshot(), info.context.application.calendar
        which = _report_filter(scope)
        found = await report.report(snapshot, calendar, from_, to, which, no_category=NO_CATEGORY)
        if len(found) > MOST_CATEGORIES:
            why = f"The report has {len(found):,} categories; the limit is {MOST_CATEGORIES}. Select some in `scope`."
            raise RequestError(RequestErrorCode.BAD_REQUEST, why)
        categories = [
            AttendanceReportCategory(category=name, days=[AttendanceReportDay.of(day) for day in days])
            for name, days in found.items()
        ]
        return AttendanceReport(from_=from_, to=to, categories=categories, which=which)


def _report_filter(scope: StaffScope | None) -> ReportFilter:
    """The report's filter for a scope; raises Refusal."""
    scope = scope or StaffScope()
    return ReportFilter(unique_values(scope.categories, "categories", "categories"), scope.numbers())
