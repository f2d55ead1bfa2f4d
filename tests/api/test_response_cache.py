"""A board that has not changed is not rendered again, and whatever it can show is current on each request."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.accounts import directory
from memberstaff.db.installation import new_epoch
from memberstaff.db.work import Work
from memberstaff.staff import commands as staff_commands
from schema.ids import global_id
from tests.clock import TODAY, TurnedClock
from tests.installation import Installation, email, renew_tokens

EVERYTHING = """query Everything($date: Date) {
  attendanceDay(date: $date) {
    date state isWorkingDay label rosterVersion
    summary { total unmarked present late onSite }
    records { totalCount feedCursor rosterVersion edges { node {
      staffId staffName staffCategory staffPhotoUrl status note photoUrl arrivedAt leftAt isOnSite
      reason { name isForViewers isRetired }
      updatedAt updatedBy version feedCursor
      staff { name category photoUrl externalRef startsOn endsOn version }
      day { label }
      history { edges { node { version status note photoUrl arrivedAt leftAt changedAt changedBy } } }
    } } }
  }
}"""


async def board(installation: Installation) -> Any:
    return (await installation.marker.ask(EVERYTHING, date=TODAY))["attendanceDay"]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_board_that_has_not_changed_is_rendered_once(
    installation: Installation, executions: Counter[str]
) -> None:
    first = await board(installation)
    assert await board(installation) == first
    assert executions == {"Everything": 1}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_all_who_ask_at_once_are_given_one_rendering(
    installation: Installation, executions: Counter[str]
) -> None:
    answers = await asyncio.gather(*(board(installation) for _ in range(20)))
    assert all(answer == answers[0] for answer in answers)
    assert executions == {"Everything": 1}


Change = Callable[[Installation], Awaitable[Any]]


def by_admin(document: str, **variables: Any) -> Change:
    """A mutation by an administrator, with Amina's id in place of AMINA, and that of her reason in that of REASON."""

    async def change(installation: Installation) -> None:
        amina = installation.staff["Amina"]
        ids = {"AMINA": amina, "REASON": REASON_ID}
        given = {name: ids.get(value, value) for name, value in variables.items()}
        [payload] = (await installation.admin.ask(document, input=given)).values()
        assert payload["errors"] == []

    return change


def directly(act: Callable[[Work, Installation], Awaitable[Any]]) -> Change:
    """Something that the API does not offer."""

    async def change(installation: Installation) -> None:
        async with installation.application.database.write() as work:
            work.caller = COMMAND_LINE
            await act(work, installation)

    return change


def marked(**values: Any) -> Change:
    return lambda installation: installation.marker.mark(installation.staff["Amina"], TODAY, **values)


REASON_ID = global_id("Reason", 1)
ADD_REASON = "mutation ($input: CreateReasonInput!) { createReason(input: $input) { reason { id } } }"
REASON = "mutation ($input: UpdateReasonInput!) { updateReason(input: $input) { errors { message } } }"
UPDATE = "mutation ($input: UpdateStaffInput!) { updateStaff(input: $input) { errors { message } } }"
CREATE = "mutation ($input: CreateStaffInput!) { createStaff(input: $input) { errors { message } } }"
LOCK = "mutation ($input: SetAttendanceDayStateInput!) { setAttendanceDayState(input: $input) { errors { message } } }"
DAY = "mutation ($input: UpdateAttendanceDayInput!) { updateAttendanceDay(input: $input) { errors { message } } }"


async def rename_account(work: Work, _: Installation) -> None:
    marker = await directory.find(work, email(Role.MARKER))
    await directory.rename(work, marker.id, "Reception")


async def erase_amina(work: Work, _: Installation) -> None:
    await staff_commands.erase(work, 1)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(marked(status="ABSENT"), id="a status"),
        pytest.param(marked(note="In hospital"), id="a note"),
        pytest.param(marked(photoUrl="https://photos.example/1.jpg"), id="a photo of the mark"),
        pytest.param(marked(arrivedAt="2026-01-12T07:00:00Z"), id="an arrival"),
        pytest.param(marked(leftAt="2026-01-12T16:00:00Z"), id="a departure"),
        pytest.param(by_admin(REASON, id="REASON", name="Trains"), id="the name of a reason"),
        pytest.param(by_admin(REASON, id="REASON", isForViewers=True), id="whom a reason is shown"),
        pytest.param(by_admin(REASON, id="REASON", isRetired=True), id="whether a reason is retired"),
        pytest.param(marked(reasonId=None), id="a reason"),
        pytest.param(by_admin(LOCK, date=TODAY, state="LOCKED"), id="the day's state"),
        pytest.param(by_admin(DAY, date=TODAY, label="Sports day"), id="the day's label"),
        pytest.param(by_admin(DAY, date=TODAY, isWorkingDay=False), id="whether people are expected"),
        pytest.param(by_admin(UPDATE, id="AMINA", name="Amina B."), id="a name"),
        pytest.param(by_admin(UPDATE, id="AMINA", category="Office"), id="a category"),
        pytest.param(by_admin(UPDATE, id="AMINA", photoUrl="https://photos.example/a.jpg"), id="a person's photo"),
        pytest.param(by_admin(UPDATE, id="AMINA", externalRef="A-1"), id="a reference"),
        pytest.param(by_admin(UPDATE, id="AMINA", startsOn="2026-01-02"), id="a first day"),
        pytest.param(by_admin(UPDATE, id="AMINA", endsOn="2026-02-01"), id="a last day"),
        pytest.param(by_admin(UPDATE, id="AMINA", endsOn="2026-01-11"), id="somebody who has left"),
        pytest.param(by_admin(CREATE, name="Zoë", startsOn="2026-01-01"), id="somebody new"),
        pytest.param(directly(erase_amina), id="somebody erased"),
        pytest.param(directly(rename_account), id="the name of who marked"),
        pytest.param(directly(lambda work, _: new_epoch(work)), id="the epoch"),
    ],
)
async def test_whatever_it_shows_is_current(installation: Installation, change: Change) -> None:
    created = await installation.admin.ask(ADD_REASON, input={"name": "Train"})
    assert created["createReason"]["reason"]["id"] == REASON_ID
    told = {"status": "LATE", "note": "Bus", "reasonId": REASON_ID}
    await installation.marker.mark(installation.staff["Amina"], TODAY, **told)
    before = await board(installation)
    assert await board(installation) == before
    await change(installation)
    after = await board(installation)
    assert after != before
    # The same question in other words is not kept yet: this is what a fresh rendering says.
    assert after == (await installation.marker.ask(EVERYTHING + " ", date=TODAY))["attendanceDay"]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_each_role_has_its_own(installation: Installation) -> None:
    await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE", note="Migraine")
    seen = [
        (await client.ask(EVERYTHING, date=TODAY))["attendanceDay"]["records"]["edges"][0]["node"]["note"]
        for client in (installation.marker, installation.viewer, installation.marker)
    ]
    assert seen == ["Migraine", None, "Migraine"]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_login_that_has_ended_is_given_nothing_that_is_kept(installation: Installation) -> None:
    await installation.viewer.ask(EVERYTHING, date=TODAY)
    await installation.viewer.ask("mutation { logout { errors { message } } }")
    code, _ = await installation.viewer.fail(EVERYTHING, date=TODAY)
    assert code == "UNAUTHENTICATED"
    assert (await installation.nobody.fail(EVERYTHING, date=TODAY))[0] == "UNAUTHENTICATED"


async def test_today_is_another_day_after_midnight(installation: Installation, clock: TurnedClock) -> None:
    assert (await installation.marker.ask(EVERYTHING))["attendanceDay"]["date"] == TODAY
    clock.turn(hours=16, minutes=1)
    await renew_tokens(installation)
    assert (await installation.marker.ask(EVERYTHING))["attendanceDay"]["date"] == "2026-01-13"


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    "document",
    [
        "query Also($date: Date) { viewer { displayName } attendanceDay(date: $date) { label } }",
        "query Also($date: Date) { attendanceDay(date: $date) { label } one: attendanceDay(date: $date) { label } }",
        """query Also($date: Date) { attendanceDay(date: $date) { records(first: 10) { edges { node { ...Weeks } } } } }
        fragment Weeks on Attendance { staff { attendance(from: "2026-01-05", to: "2026-01-11") { status } } }""",
        """query Also($date: Date) { attendanceDay(date: $date) { records(first: 10) { edges { node {
        updatedByAccount { role } } } } } }""",
    ],
)
async def test_what_shows_more_than_a_day_is_never_kept(
    installation: Installation, executions: Counter[str], document: str
) -> None:
    for _ in range(2):
        await installation.admin.ask(document, date=TODAY)
    assert executions == {"Also": 2}
