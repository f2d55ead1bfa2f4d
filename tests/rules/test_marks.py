"""What a mark does to a record."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from memberstaff.attendance.model import Day, Record
from memberstaff.attendance.rules import Mark, Moment, VersionConflict, apply
from memberstaff.changes import Status
from memberstaff.errors import ErrorCode, Refusal
from memberstaff.staff.model import Person
from tests.clock import MONDAY, START

AMINA = Person(1, "Amina", "Teaching", None, None, date(2020, 1, 1), None, 1, "amina")
UNMARKED = Record(AMINA, MONDAY, Status.UNMARKED, None, None, 0, 0, None, None, None)
LATE = UNMARKED._replace(status=Status.LATE, note="Bus", version=3, arrived_at=START)


def marked(to: Record, *, locked: bool = False, **values: object) -> Record | None:
    day = Day(MONDAY, locked, True, None, 0, 0, 1, 1)
    mark = Mark(1, **values).checked()  # type: ignore[arg-type]
    return apply(mark, to, replace(day, date=to.date), Moment(START, ZoneInfo("UTC"), timedelta(days=7)))


def refused(to: Record, *, locked: bool = False, **values: object) -> ErrorCode:
    with pytest.raises(Refusal) as told:
        marked(to, locked=locked, **values)
    return told.value.code


def test_what_is_said_is_taken_over_and_the_rest_stays() -> None:
    assert marked(LATE, status=Status.PRESENT) == LATE._replace(status=Status.PRESENT)
    assert marked(LATE, status=Status.ABSENT) == LATE._replace(status=Status.ABSENT, arrived_at=None)
    assert marked(LATE, note=" Train \r\n delayed ") == LATE._replace(note="Train \n delayed")


def test_null_clears_a_note_and_is_invalid_for_a_status() -> None:
    assert marked(LATE, note=None) == LATE._replace(note=None)
    assert marked(LATE, note="  ") == LATE._replace(note=None)
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
    tomorrow = UNMARKED._replace(date=MONDAY + timedelta(days=1))
    assert refused(tomorrow, status=status) is ErrorCode.FUTURE_DATE


def test_leave_is_recorded_ahead_and_taken_back() -> None:
    tomorrow = UNMARKED._replace(date=MONDAY + timedelta(days=1))
    leave = marked(tomorrow, status=Status.ON_LEAVE)
    assert leave is not None
    assert marked(leave, status=Status.UNMARKED) == tomorrow


def test_somebody_who_is_not_employed_that_day_or_was_erased_is_not_marked() -> None:
    gone = UNMARKED._replace(person=AMINA._replace(ends_on=MONDAY - timedelta(days=1)))
    erased = UNMARKED._replace(person=AMINA._replace(name=None))
    assert refused(gone, status=Status.LATE) is ErrorCode.STAFF_INACTIVE
    assert refused(erased, status=Status.LATE) is ErrorCode.STAFF_INACTIVE


def test_a_note_has_2000_characters_at_most() -> None:
    assert marked(UNMARKED, note="x" * 2_000) == UNMARKED._replace(note="x" * 2_000)
    assert refused(UNMARKED, note="x" * 2_001) is ErrorCode.INVALID


def test_a_refusal_says_what_to_do_and_where_it_lies() -> None:
    tomorrow = UNMARKED._replace(date=MONDAY + timedelta(days=1))
    gone = UNMARKED._replace(person=AMINA._replace(ends_on=MONDAY - timedelta(days=1)))
    ahead = "2026-01-13 is in the future; only leave can be recorded in advance."
    cases = [
        (LATE, True, {"status": Status.ABSENT}, "2026-01-12 is locked; an administrator can unlock it.", "date"),
        (tomorrow, False, {"status": Status.LATE}, ahead, "date"),
        (gone, False, {"status": Status.LATE}, "This person is not employed on 2026-01-12.", "staffId"),
        (
            LATE,
            False,
            {"status": Status.ABSENT, "expected_version": 0},
            "Somebody else has changed this record: it is at version 3, not 0.",
            "expectedVersion",
        ),
        (LATE, False, {"status": None}, "A status cannot be cleared; use UNMARKED to take a mark back.", "status"),
        (LATE, False, {"note": "\x00"}, "The text contains a null character (U+0000), which cannot be stored.", "note"),
    ]
    for to, locked, values, message, path in cases:
        with pytest.raises(Refusal) as told:
            marked(to, locked=locked, **values)  # type: ignore[arg-type]
        assert (told.value.message, told.value.path) == (message, (path,))


def test_a_note_ahead_of_a_day_is_recorded_with_leave_only() -> None:
    tomorrow = UNMARKED._replace(date=MONDAY + timedelta(days=1))
    leave = tomorrow._replace(status=Status.ON_LEAVE, version=1)
    assert marked(leave, note="Wedding") == leave._replace(note="Wedding")
    assert refused(tomorrow._replace(status=Status.LATE, version=1), note="Bus") is ErrorCode.FUTURE_DATE


def test_a_lock_counts_before_anything_else_is_looked_at() -> None:
    gone = LATE._replace(person=AMINA._replace(name=None), date=MONDAY + timedelta(days=1))
    assert refused(gone, locked=True, status=Status.ABSENT, expected_version=0) is ErrorCode.DAY_LOCKED


def test_a_retry_succeeds_for_somebody_who_has_left_and_for_a_day_ahead() -> None:
    gone = LATE._replace(person=AMINA._replace(ends_on=MONDAY - timedelta(days=1)))
    assert marked(gone, locked=True, status=Status.LATE, expected_version=0) is None
    assert marked(LATE._replace(date=MONDAY + timedelta(days=1)), note=" Bus\r\n") is None


def test_a_mark_that_says_nothing_changes_nothing() -> None:
    assert marked(LATE, expected_version=99) is None


def test_the_first_and_last_day_of_employment_are_marked() -> None:
    for person in (AMINA._replace(starts_on=MONDAY), AMINA._replace(ends_on=MONDAY)):
        assert marked(UNMARKED._replace(person=person), status=Status.LATE) is not None
    early = UNMARKED._replace(person=AMINA._replace(starts_on=MONDAY + timedelta(days=1)))
    assert refused(early, status=Status.LATE) is ErrorCode.STAFF_INACTIVE


def test_a_photo_is_an_address_or_none() -> None:
    assert marked(LATE, photo_url=" /photos/1.jpg ") == LATE._replace(photo_url="/photos/1.jpg")
    assert marked(LATE._replace(photo_url="/photos/1.jpg"), photo_url=None) == LATE
    assert refused(LATE, photo_url="javascript:alert(1)") is ErrorCode.INVALID
