"""An id says what it names; whatever is not one of ours names nothing."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.errors import ErrorCode, Refusal
from schema.ids import LONGEST, attendance_key, global_id, read, staff_key
from tests.rules.encoding import encoded

NOTHING = "This id is not valid."
NUMBERS = st.integers(0, 10**18 - 1)


def refusal(text: str, key: object = staff_key) -> str:
    with pytest.raises(Refusal) as refused:
        key(text)  # type: ignore[operator]
    assert (refused.value.code, refused.value.path) == (ErrorCode.NOT_FOUND, ("id",))
    return refused.value.message


@given(NUMBERS)
def test_a_persons_id_leads_back_to_the_person(number: int) -> None:
    assert staff_key(global_id("Staff", number)) == number


@given(NUMBERS, st.dates())
def test_a_records_id_leads_back_to_person_and_day(number: int, day: date) -> None:
    assert attendance_key(global_id("Attendance", number, day)) == (number, day)


@given(NUMBERS, st.dates())
def test_an_id_is_safe_in_an_address(number: int, day: date) -> None:
    text = global_id("Attendance", number, day)
    assert text.isascii()
    assert text.replace("-", "").replace("_", "").isalnum()
    assert len(text) < LONGEST


def test_an_id_names_its_type_and_key() -> None:
    assert read(global_id("AttendanceRevision", 7, date(2026, 1, 12), 3)) == (
        "AttendanceRevision",
        ["7", "2026-01-12", "3"],
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "nonsense",
        "ü",
        "\ud800",
        "A" * (LONGEST + 1),
        global_id("Staff", 7) + "=",
        global_id("Staff", 7) + "\n",
        global_id("Staff", 7)[:-1],
        encoded(b"\xff\xfe"),
        encoded("Staff"),
        encoded("Staff:"),
        encoded("Staff:7:8"),
        encoded("Staff:-7"),
        encoded("Staff:07"),
        encoded("Staff:7.0"),
        encoded("Staff: 7"),
        encoded("Staff:1_000"),
        encoded("Staff:٧"),
        encoded("Staff:²"),
        encoded(f"Staff:{10**18}"),
        encoded(f"Staff:{2**63}"),
        encoded("Staff:" + "9" * 120),
        encoded("Say something rude:7"),
        encoded("<script>:7"),
        encoded("\x00:7"),
        encoded(":7"),
    ],
)
def test_what_was_never_handed_out_names_nothing(text: str) -> None:
    assert refusal(text) == NOTHING


@pytest.mark.parametrize(
    "plain",
    [
        "Attendance:7",
        "Attendance:2026-01-12",
        "Attendance:7:2026-02-30",
        "Attendance:7:20260112",
        "Attendance:7:2026-W03-1",
        "Attendance:7:2026-01-12:1",
        "Attendance:x:2026-01-12",
        "Attendance:7:0000-01-01",
        "Attendance:7:10000-01-01",
    ],
)
def test_a_record_has_one_person_and_one_day(plain: str) -> None:
    assert refusal(encoded(plain), attendance_key) == NOTHING


def test_an_id_of_another_type_is_told_apart_in_plain_words() -> None:
    record, person = global_id("Attendance", 7, date(2026, 1, 12)), global_id("Staff", 7)
    assert refusal(record) == "This is the id of an Attendance, not of a Staff."
    assert refusal(person, attendance_key) == "This is the id of a Staff, not of an Attendance."
    assert refusal(global_id("DaySummary", "2026-01-12")) == "This is the id of a DaySummary, not of a Staff."


@given(st.text() | st.text().map(encoded) | st.binary(max_size=60).map(encoded))
def test_any_text_is_an_id_or_refused(text: str) -> None:
    try:
        type_name, key = read(text)
    except Refusal as refusal:
        assert refusal.message == NOTHING
        return
    assert global_id(type_name, *key) == text


@given(st.text("Stafendc:0123456789-").map(encoded))
def test_whatever_reads_as_a_key_is_the_key_that_wrote_it(text: str) -> None:
    for key, name in ((staff_key, "Staff"), (attendance_key, "Attendance")):
        try:
            found = key(text)
        except Refusal:
            continue
        assert global_id(name, *(found if isinstance(found, tuple) else (found,))) == text
