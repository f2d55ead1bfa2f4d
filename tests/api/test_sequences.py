"""Of two answers about the same object the newer one has the greater sequence, however they come."""

from __future__ import annotations

from typing import Any

import pytest

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.db.installation import new_epoch
from memberstaff.db.tables import attendance, attendance_day, attendance_revision
from tests.clock import TODAY
from tests.installation import Installation

FIELDS = "id sequence staffName status day { id sequence label summary { id sequence late } }"
READ = f"""query ($target: AttendanceTarget!) {{ attendance(target: $target) {{ {FIELDS} }} }}"""
MARK = f"""mutation ($input: UpdateAttendanceInput!) {{
  updateAttendance(input: $input) {{ attendance {{ {FIELDS} }} errors {{ message }} }} }}"""
EVENTS = f"""subscription ($date: Date!) {{ attendanceUpdated(date: $date) {{ {FIELDS} }} }}"""
LABEL = """mutation ($input: OpenAttendanceDayInput!) { openAttendanceDay(input: $input) { errors { message } } }"""
RENAME = """mutation ($input: UpdateStaffInput!) { updateStaff(input: $input) { errors { message } } }"""


async def read(office: Installation) -> dict[str, Any]:
    """Amina's record today, with the day and its counts."""
    target = {"staffDate": {"staffId": office.staff["Amina"], "date": TODAY}}
    found: dict[str, Any] = (await office.marker.ask(READ, target=target))["attendance"]
    return found


async def mark(office: Installation, name: str, status: str) -> dict[str, Any]:
    target = {"staffDate": {"staffId": office.staff[name], "date": TODAY}}
    payload = (await office.marker.ask(MARK, input={"target": target, "status": status}))["updateAttendance"]
    assert payload["errors"] == []
    marked: dict[str, Any] = payload["attendance"]
    return marked


async def label(office: Installation) -> None:
    await office.admin.ask(LABEL, input={"date": TODAY, "label": "Sports day"})


async def rename(office: Installation) -> None:
    await office.admin.ask(RENAME, input={"id": office.staff["Amina"], "name": "Amina B."})


async def mark_amina(office: Installation) -> None:
    await mark(office, "Amina", "LATE")


async def mark_bjorn(office: Installation) -> None:
    await mark(office, "Björn", "LATE")


async def restore(office: Installation) -> None:
    """A backup from before all marks."""
    async with office.application.database.write() as work:
        work.caller = COMMAND_LINE
        for table in (attendance_revision, attendance, attendance_day):
            await work.write(table.delete())
        await new_epoch(work)


def rises(before: dict[str, Any], after: dict[str, Any]) -> tuple[bool, bool, bool]:
    """Whether the sequence of the record, of the day and of its counts has risen; it never falls."""
    pairs = [
        (before["sequence"], after["sequence"]),
        (before["day"]["sequence"], after["day"]["sequence"]),
        (before["day"]["summary"]["sequence"], after["day"]["summary"]["sequence"]),
    ]
    assert all(one <= other for one, other in pairs)
    record, day, counts = (one < other for one, other in pairs)
    return record, day, counts


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (mark_amina, (True, True, True)),
        (mark_bjorn, (False, True, True)),
        (label, (False, True, True)),
        (rename, (True, True, True)),
        (restore, (True, True, True)),
    ],
)
async def test_whatever_changes_an_object_raises_its_sequence(
    installation: Installation, change: Any, expected: tuple[bool, bool, bool]
) -> None:
    for status in ("PRESENT", "ABSENT", "UNMARKED"):
        await mark(installation, "Amina", status)
    before = await read(installation)
    assert rises(before, await read(installation)) == (False, False, False)
    await change(installation)
    assert rises(before, await read(installation)) == expected


async def test_an_event_a_mutations_answer_and_a_refetch_of_the_same_are_the_same(installation: Installation) -> None:
    async with installation.socket(Role.MARKER) as board:
        async with installation.one_more_follower(TODAY):
            await board.subscribe("1", EVENTS, date=TODAY)
        for name in ("Amina", "Björn"):
            answer = await mark(installation, name, "LATE")
            assert (await board.event())["attendanceUpdated"] == answer
        assert (await read(installation))["day"] == answer["day"]
