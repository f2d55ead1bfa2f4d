"""What a mark does to a record."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from memberstaff.attendance.model import Record
from memberstaff.attendance.rules import Mark, VersionConflict, apply
from memberstaff.errors import ErrorCode, Refusal
from memberstaff.events import Status
from memberstaff.staff.model import Person

TODAY = date(2026, 1, 12)
AMINA = Person(1, "Amina", "Teaching", None, None, date(2020, 1, 1), None, 1, "amina")
UNMARKED = Record(AMINA, TODAY, Status.UNMARKED, None, None, 0, 0, None, None)
LATE = replace(UNMARKED, status=Status.LATE, note="Bus", version=3)


def marked(to: Record, *, locked: bool = False, **values: object) -> Record | None:
    return apply(Mark(1, **values).checked(), to, locked=locked, today=TODAY)  # type: ignore[arg-type]


def refused(to: Record, *, locked: bool = False, **values: object) -> ErrorCode:
    with pytest.raises(Refusal) as told:
        marked(to, locked=locked, **values)
    return told.value.code


def test_what_is_said_is_taken_over_and_the_rest_stays() -> None:
    assert marked(LATE, status=Status.ABSENT) == replace(LATE, status=Status.ABSENT)
    assert marked(LATE, note=" Train \r\n delayed ") == replace(LATE, note="Train \n delayed")


def test_null_clears_a_note_and_is_invalid_for_a_status() -> None:
    assert marked(LATE, note=None) == replace(LATE, note=None)
    assert marked(LATE, note="  ") == replace(LATE, note=None)
    assert refused(LATE, status=None) is ErrorCode.INVALID


def test_storing_what_is_stored_is_a_retry_also_with_an_old_version_and_on_a_locked_day() -> None:
    assert marked(LATE, locked=True, status=Status.LATE, note="Bus", expected_version=1) is None


def test_an_old_version_is_a_conflict_that_carries_what_is_stored() -> None:
    with pytest.raises(VersionConflict) as told:
        marked(LATE, status=Status.ABSENT, expected_version=2)
    assert told.value.current == LATE


def test_a_locked_day_takes_no_mark() -> None:
    assert refused(LATE, locked=True, status=Status.ABSENT) is ErrorCode.DAY_LOCKED


@pytest.mark.parametrize("status", [Status.PRESENT, Status.LATE, Status.HALF_DAY, Status.REMOTE, Status.ABSENT])
def test_what_only_the_day_itself_can_show_is_not_recorded_ahead(status: Status) -> None:
    tomorrow = replace(UNMARKED, date=TODAY + timedelta(days=1))
    assert refused(tomorrow, status=status) is ErrorCode.FUTURE_DATE


def test_leave_is_recorded_ahead_and_taken_back() -> None:
    tomorrow = replace(UNMARKED, date=TODAY + timedelta(days=1))
    leave = marked(tomorrow, status=Status.ON_LEAVE)
    assert leave is not None
    assert marked(leave, status=Status.UNMARKED) == tomorrow


def test_somebody_who_is_not_employed_that_day_or_was_erased_is_not_marked() -> None:
    gone = replace(UNMARKED, person=replace(AMINA, ends_on=TODAY - timedelta(days=1)))
    erased = replace(UNMARKED, person=replace(AMINA, name=None))
    assert refused(gone, status=Status.LATE) is ErrorCode.STAFF_INACTIVE
    assert refused(erased, status=Status.LATE) is ErrorCode.STAFF_INACTIVE


def test_a_note_has_2000_characters_at_most() -> None:
    assert marked(UNMARKED, note="x" * 2_000) == replace(UNMARKED, note="x" * 2_000)
    assert refused(UNMARKED, note="x" * 2_001) is ErrorCode.INVALID
