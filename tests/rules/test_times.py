"""When somebody came and left: any marks, in the order in which the server took them, equal a simple model."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memberstaff.attendance.model import Day, Record
from memberstaff.attendance.rules import ClockAhead, Mark, Moment, apply
from memberstaff.attendance.times import bounds, day_of
from memberstaff.changes import Status
from memberstaff.errors import ErrorCode, Refusal, Unavailable
from memberstaff.inputs import UNSET, Unset
from memberstaff.staff.model import Person

NIGHTS = [
    ("UTC", date(2026, 1, 12)),
    ("Europe/Berlin", date(2026, 3, 28)),  # the clocks are put forward in the night after it
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 24)),  # and back
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/Sao_Paulo", date(2018, 11, 3)),
    ("America/Sao_Paulo", date(2018, 11, 4)),  # has no midnight
    ("America/Sao_Paulo", date(2018, 2, 17)),  # its last hour comes twice
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour longer
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/St_Johns", date(2010, 11, 6)),  # ends, and begins again a minute later
    ("America/St_Johns", date(2010, 11, 7)),
    ("Pacific/Apia", date(2011, 12, 29)),  # the next day was left out
    ("Pacific/Apia", date(2011, 12, 31)),
]
WEEK = timedelta(days=7)
HERE = {"PRESENT", "LATE", "HALF_DAY"}
ANA = Person(1, "Ana", None, None, None, date(1990, 1, 1), None, 1, "ana")


@cache
def first_instant(on: date, zone: str) -> datetime:
    """The first minute that is of this date, or a later one, by looking at each."""
    instant = datetime(on.year, on.month, on.day, tzinfo=UTC) - timedelta(hours=26)
    while local_date(instant, zone) < on:
        instant += timedelta(minutes=1)
    return instant


def local_date(instant: datetime, zone: str) -> date:
    return instant.astimezone(ZoneInfo(zone)).date()


@pytest.mark.parametrize(("zone", "on"), NIGHTS)
def test_a_day_s_times_are_from_its_first_instant_to_sixteen_hours_after_its_last(zone: str, on: date) -> None:
    tomorrow = on + timedelta(days=1)
    expected = first_instant(on, zone), first_instant(tomorrow, zone) + timedelta(hours=16)
    assert bounds(on, ZoneInfo(zone)) == expected


def test_the_ends_of_the_calendar_have_times_too() -> None:
    for zone in ("Pacific/Kiritimati", "Pacific/Niue", "UTC"):
        for on in (date.min, date.max):
            start, end = bounds(on, ZoneInfo(zone))
            assert start < end
            assert day_of(start, ZoneInfo(zone)) <= on


INSTANTS = st.integers(-30 * 60, 54 * 60).map(lambda minutes: timedelta(minutes=minutes))
"""Around a day, from its first instant."""
TIMES = st.just(UNSET) | st.none() | INSTANTS
MARKS = st.tuples(
    st.integers(0, 600),  # minutes after the mark before it
    st.just(UNSET) | st.sampled_from(Status),
    TIMES,
    TIMES,
    st.none() | st.timedeltas(timedelta(days=-9), timedelta(minutes=3)),  # how late it comes
)


@settings(max_examples=150)
@given(st.sampled_from(NIGHTS), st.integers(-120, 1_800), st.lists(MARKS, max_size=8))
def test_marks_corrections_and_late_marks_equal_a_simple_model(
    night: tuple[str, date], begin: int, marks: list[tuple[int, Status | Unset, object, object, timedelta | None]]
) -> None:
    zone, on = night
    start = first_instant(on, zone)
    record = Record(ANA, on, Status.UNMARKED, None, None, 0, 0, None, None, None)
    model = Model(zone, on)
    now = start + timedelta(minutes=begin)
    for minutes, status, arrived, left, age in marks:
        now += timedelta(minutes=minutes)
        mark = Mark(
            1,
            status=status,
            arrived_at=start + arrived if isinstance(arrived, timedelta) else arrived,  # type: ignore[arg-type]
            left_at=start + left if isinstance(left, timedelta) else left,  # type: ignore[arg-type]
            occurred_at=None if age is None else now + age,
        ).checked()
        refusal = model.mark(mark, now)
        try:
            record = apply(mark, record, day(on), Moment(now, ZoneInfo(zone), WEEK)) or record
        except Refusal as refused:
            assert refused.code == refusal
        else:
            assert refusal is None
        assert (record.status, record.arrived_at, record.left_at) == (model.status, model.arrived, model.left)
        assert record.on_site == (model.status in HERE and model.left is None)


class Model:
    """The issue's sentences, one after the other."""

    def __init__(self, zone: str, on: date) -> None:
        self.zone, self.on = zone, on
        self.status = "UNMARKED"
        self.arrived: datetime | None = None
        self.left: datetime | None = None

    def mark(self, mark: Mark, now: datetime) -> str | None:
        """Take a mark, or say why not."""
        late = mark.occurred_at is not None
        moment = mark.occurred_at or now
        if late and moment > now + timedelta(seconds=60):
            return "CLOCK_AHEAD"
        status = self.status if mark.status is UNSET else str(mark.status)
        arrived, left = self.arrived, self.left
        if status in HERE and self.status not in HERE:
            left = None
            arrived = moment if local_date(moment, self.zone) == self.on else None
        if status not in HERE:
            arrived = left = None
        if mark.arrived_at is not UNSET:
            arrived = mark.arrived_at
        if mark.left_at is not UNSET:
            left = mark.left_at
        if (status, arrived, left) == (self.status, self.arrived, self.left):
            return None
        if late and now - moment > WEEK:
            return "TOO_LATE"
        if self.on > local_date(moment, self.zone) and status not in {"ON_LEAVE", "UNMARKED"}:
            return "FUTURE_DATE"
        tomorrow = first_instant(self.on + timedelta(days=1), self.zone)
        for given_time in (mark.arrived_at, mark.left_at):
            if given_time is None or given_time is UNSET:
                continue
            if status not in HERE:
                return "INVALID"
            if given_time < first_instant(self.on, self.zone) or given_time > tomorrow + timedelta(hours=16):
                return "OUTSIDE_DAY"
        if arrived is not None and left is not None and left < arrived:
            return "LEFT_BEFORE_ARRIVED"
        self.status, self.arrived, self.left = status, arrived, left
        return None


def day(on: date, *, locked: bool = False, finished: bool = True) -> Day:
    return Day(on, locked, True, None, 0, 0, 1, 1, finished)


MONDAY = date(2026, 1, 12)
EIGHT = datetime(2026, 1, 12, 8, tzinfo=UTC)
UNMARKED = Record(ANA, MONDAY, Status.UNMARKED, None, None, 0, 0, None, None, None)
PRESENT = UNMARKED._replace(status=Status.PRESENT, version=1, arrived_at=EIGHT)


def marked(
    to: Record, *, now: datetime = EIGHT, is_arrival: bool = True, finished: bool = True, **values: object
) -> Record | None:
    moment = Moment(now, ZoneInfo("UTC"), WEEK, is_arrival=is_arrival)
    return apply(Mark(1, **values).checked(), to, day(to.date, finished=finished), moment)  # type: ignore[arg-type]


def refused(to: Record, **values: object) -> tuple[ErrorCode, str, tuple[str, ...]]:
    with pytest.raises(Refusal) as told:
        marked(to, **values)  # type: ignore[arg-type]
    return told.value.code, told.value.message, told.value.path


def test_a_time_is_stored_in_milliseconds_so_that_what_is_shown_can_be_sent_back() -> None:
    exactly = EIGHT.replace(microsecond=123_999)
    after = marked(PRESENT, left_at=exactly)
    assert after is not None
    assert after.left_at == EIGHT.replace(microsecond=123_000)
    assert marked(after, left_at=exactly) is None


def test_a_late_mark_is_judged_by_the_day_on_which_it_was_made_and_by_the_lock_of_now() -> None:
    now = EIGHT + timedelta(days=2)
    late = marked(UNMARKED, now=now, status=Status.LATE, occurred_at=EIGHT)
    assert late is not None
    assert (late.arrived_at, late.on_site) == (EIGHT, True)
    sooner = marked(UNMARKED, now=now, status=Status.LATE)
    assert sooner is not None
    assert sooner.arrived_at is None
    with pytest.raises(Refusal) as told:
        mark = Mark(1, status=Status.LATE, occurred_at=EIGHT).checked()
        apply(mark, UNMARKED, day(MONDAY, locked=True), Moment(now, ZoneInfo("UTC"), WEEK))
    assert told.value.code is ErrorCode.DAY_LOCKED


def test_a_mark_comes_seven_days_late_at_most_unless_it_is_the_retry_of_one_that_was_stored() -> None:
    late: dict[str, Any] = {"status": Status.LATE, "occurred_at": EIGHT}
    assert marked(UNMARKED, now=EIGHT + WEEK, **late) is not None
    too_late = EIGHT + WEEK + timedelta(milliseconds=1)
    message = "A mark may come up to 7 days late; an administrator can still record it."
    assert refused(UNMARKED, now=too_late, **late) == (ErrorCode.TOO_LATE, message, ("occurredAt",))
    assert marked(PRESENT, now=too_late, status=Status.PRESENT, occurred_at=EIGHT) is None


def test_a_clock_that_is_ahead_by_more_than_a_minute_is_told_the_time_of_the_server() -> None:
    minute = EIGHT + timedelta(minutes=1)
    ahead = marked(UNMARKED, status=Status.PRESENT, occurred_at=minute)
    assert ahead is not None
    assert ahead.arrived_at == minute
    for to in (UNMARKED, PRESENT):  # also when it would change nothing
        with pytest.raises(ClockAhead) as told:
            marked(to, status=Status.PRESENT, occurred_at=minute + timedelta(milliseconds=1))
        assert told.value.server_time == EIGHT
        assert told.value.message == (
            "This has not happened yet: it is 2026-01-12T08:00:00.000Z on the server. "
            "Set the clock, and record it anew."
        )


def test_a_desk_whose_clock_is_a_little_ahead_may_be_the_first_of_a_day() -> None:
    almost = EIGHT.replace(hour=23, minute=59, second=30)
    tuesday = UNMARKED._replace(date=MONDAY + timedelta(days=1))
    first = marked(tuesday, now=almost, status=Status.PRESENT, occurred_at=almost + timedelta(seconds=40))
    assert first is not None
    assert first.arrived_at == almost + timedelta(seconds=40)


def test_what_is_wrong_with_times_is_said_in_the_organisation_s_zone() -> None:
    seven, noon = EIGHT.replace(hour=7), EIGHT.replace(hour=12)
    before = "Nobody leaves (2026-01-12 07:00+00:00) before they come (2026-01-12 08:00+00:00): record both times."
    assert refused(PRESENT, left_at=seven) == (ErrorCode.LEFT_BEFORE_ARRIVED, before, ("leftAt",))
    after = "Nobody leaves (2026-01-12 07:00+00:00) before they come (2026-01-12 12:00+00:00): record both times."
    left = PRESENT._replace(arrived_at=None, left_at=seven, has_left=True)
    assert refused(left, arrived_at=noon) == (ErrorCode.LEFT_BEFORE_ARRIVED, after, ("arrivedAt",))
    outside = (
        "Times of 2026-01-12 are from 2026-01-12 00:00+00:00 to 2026-01-13 16:00+00:00; 2026-01-13 16:01+00:00 is not."
    )
    late = EIGHT + timedelta(days=1, hours=8, minutes=1)
    assert refused(PRESENT, left_at=late) == (ErrorCode.OUTSIDE_DAY, outside, ("leftAt",))
    absent = "Somebody who is ABSENT has no times. Record PRESENT, LATE or HALF_DAY with it, or no time."
    assert refused(PRESENT, status=Status.ABSENT, arrived_at=EIGHT) == (ErrorCode.INVALID, absent, ("arrivedAt",))


def test_times_that_were_stored_in_another_zone_do_not_stop_other_marks() -> None:
    old = PRESENT._replace(arrived_at=EIGHT - timedelta(days=2))
    assert marked(old, note="Bus") == old._replace(note="Bus")


def test_somebody_may_leave_in_the_moment_in_which_they_come() -> None:
    after = marked(PRESENT, left_at=EIGHT)
    assert after is not None
    assert not after.on_site


def test_what_an_import_or_an_upgrade_marks_has_come_at_an_unknown_time() -> None:
    for options in ({"is_arrival": False}, {"finished": False}):
        after = marked(UNMARKED, status=Status.PRESENT, **options)  # type: ignore[arg-type]
        assert after is not None
        assert (after.arrived_at, after.on_site) == (None, True)
    with pytest.raises(Unavailable):
        marked(UNMARKED, status=Status.PRESENT, arrived_at=EIGHT, finished=False)
