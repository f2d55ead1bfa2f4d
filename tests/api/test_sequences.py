"""Of two answers about the same object the newer one has the greater sequence, however they come."""

from __future__ import annotations

from typing import Any

import pytest

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.db.installation import new_epoch
from memberstaff.db.tables import attendance, attendance_day, attendance_revision
from schema.context import Context
from tests.clock import TODAY
from tests.installation import Installation

FIELDS = "id sequence staffName status day { id sequence label summary { id sequence late } }"
READ = f"""query ($target: AttendanceTarget!) {{ attendance(target: $target) {{ {FIELDS} }} }}"""
MARK = f"""mutation ($input: UpdateAttendanceInput!) {{
  updateAttendance(input: $input) {{ attendance {{ {FIELDS} }} errors {{ message }} }} }}"""
EVENTS = f"""subscription ($date: Date!) {{ attendanceUpdated(date: $date) {{ {FIELDS} }} }}"""
LABEL = """mutation ($input: OpenAttendanceDayInput!) { openAttendanceDay(input: $input) { errors { message } } }"""
UPDATE_DAY = """mutation ($input: UpdateAttendanceDayInput!) {
  updateAttendanceDay(input: $input) { day { sequence label rosterVersion } errors { message } } }"""
CONFLICT = """mutation ($input: UpdateAttendanceInput!) {
  updateAttendance(input: $input) { errors { ... on VersionConflictError { current { sequence staffName } } } } }"""
DAY = "query ($date: Date!) { attendanceDay(date: $date) { sequence label rosterVersion } }"
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


@pytest.mark.parametrize("engine", ["postgresql"])  # SQLite has one writer at a time
@pytest.mark.parametrize("new", [True, False], ids=["a new label", "the same label"])
async def test_the_day_that_a_change_of_it_gives_is_not_mixed_of_two_states(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, new: bool
) -> None:
    """Its sequence is a sum of versions, which must not be that of another state."""
    await label(installation)
    older = (await installation.admin.ask(DAY, date=TODAY))["attendanceDay"]
    calendar = installation.application.calendar
    change = calendar.update

    async def change_while_somebody_is_renamed(*arguments: Any, **values: Any) -> None:
        await change(*arguments, **values)
        await rename(installation)

    monkeypatch.setattr(type(calendar), "update", staticmethod(change_while_somebody_is_renamed))
    given = {"date": TODAY, "label": "Open day" if new else "Sports day"}
    day = (await installation.admin.ask(UPDATE_DAY, input=given))["updateAttendanceDay"]["day"]
    assert day == (await installation.admin.ask(DAY, date=TODAY))["attendanceDay"]
    assert (day["rosterVersion"], day["label"]) == (older["rosterVersion"] + 1, given["label"])
    assert day["sequence"] > older["sequence"]


async def test_the_record_of_a_conflict_is_as_old_as_its_sequence_says(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await mark(installation, "Amina", "LATE")
    marked = Context.mark

    async def marked_and_renamed(*arguments: Any) -> Any:
        try:
            return await marked(*arguments)
        finally:
            await rename(installation)

    monkeypatch.setattr(Context, "mark", marked_and_renamed)
    target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
    given = {"target": target, "status": "PRESENT", "expectedVersion": 7}
    [error] = (await installation.marker.ask(CONFLICT, input=given))["updateAttendance"]["errors"]
    assert error == {"current": {"sequence": before["sequence"], "staffName": "Amina"}}
    after = await read(installation)
    assert (after["staffName"], after["sequence"] > before["sequence"]) == ("Amina B.", True)


async def test_an_event_a_mutations_answer_and_a_refetch_of_the_same_are_the_same(installation: Installation) -> None:
    async with installation.socket(Role.MARKER) as board:
        async with installation.one_more_follower(TODAY):
            await board.subscribe("1", EVENTS, date=TODAY)
        for name in ("Amina", "Björn"):
            answer = await mark(installation, name, "LATE")
            assert (await board.event())["attendanceUpdated"] == answer
        assert (await read(installation))["day"] == answer["day"]
