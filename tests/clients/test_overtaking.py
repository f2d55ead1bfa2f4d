"""Answers and events overtake each other in any order: every cache ends at the newest, and never shows less."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, update

from memberstaff.access import COMMAND_LINE
from memberstaff.db.installation import new_epoch
from memberstaff.db.tables import attendance, attendance_day, attendance_revision
from tests.clients.conftest import node
from tests.clients.program import CACHES, Program, playing, rows_and_counts
from tests.clients.test_caches import BEFORE
from tests.clock import TODAY
from tests.installation import Installation

SOCKETS = ["apollo-websocket", "urql-websocket", "relay-websocket"]
ANSWER = {"board": "attendanceDay(date", "mark": "updateAttendance("}
LATE = {**BEFORE, "Amina": "LATE", "unmarked": 3, "late": 1}
ABSENT = {**BEFORE, "Amina": "ABSENT", "unmarked": 3, "absent": 1}
BOTH = {**ABSENT, "Björn": "PRESENT", "unmarked": 2, "present": 1}


async def mark(installation: Installation, name: str, status: str) -> None:
    await installation.admin.mark(installation.staff[name], TODAY, status=status)


async def follow(program: Program, client: str) -> None:
    """Show the day and follow it, so that an event arrives."""
    await program.tell("show")
    await program.hear("board", BEFORE, client)
    await program.tell("watch")
    await program.hear("done", "watch", client)


@pytest.mark.parametrize("client", CACHES)
async def test_an_answer_to_a_mutation_that_arrives_after_a_newer_event_changes_nothing(
    workshop: Path, installation: Installation, client: str
) -> None:
    async with playing(workshop, installation.address.http, TODAY, client) as program:
        await follow(program, client)
        await program.tell("hold", text=ANSWER["mark"])
        target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
        await program.tell("mark", input={"target": target, "status": "LATE"})
        await program.hear("board", LATE, client)
        await mark(installation, "Amina", "ABSENT")
        await program.hear("board", ABSENT, client)
        await program.tell("release", text=ANSWER["mark"])
        await program.hear("marked", [], client)
        await mark(installation, "Björn", "PRESENT")
        await program.hear("board", BOTH, client)
        assert rows_and_counts(program.said[client]["board"]) == rows_and_counts([BEFORE, LATE, ABSENT, BOTH])


@pytest.mark.parametrize("client", CACHES)
async def test_a_board_that_arrives_after_a_newer_event_changes_nothing(
    workshop: Path, installation: Installation, client: str
) -> None:
    async with playing(workshop, installation.address.http, TODAY, client) as program:
        await follow(program, client)
        await program.tell("hold", text=ANSWER["board"])
        await program.tell("refetch")
        await program.hear("held", 1, "network")
        await mark(installation, "Amina", "ABSENT")
        await program.hear("board", ABSENT, client)
        await program.tell("release", text=ANSWER["board"])
        await program.hear("done", "refetch", client)
        await mark(installation, "Björn", "PRESENT")
        await program.hear("board", BOTH, client)
        assert rows_and_counts(program.said[client]["board"]) == rows_and_counts([BEFORE, ABSENT, BOTH])


@pytest.mark.parametrize("client", SOCKETS)
async def test_events_that_arrive_after_newer_answers_change_nothing(
    workshop: Path, installation: Installation, client: str
) -> None:
    async with playing(workshop, installation.address.http, TODAY, client) as program:
        await follow(program, client)
        await mark(installation, "Дмитрий", "REMOTE")
        await program.hear("change", "Дмитрий REMOTE", client)
        begun = {**BEFORE, "Дмитрий": "REMOTE", "unmarked": 3}
        await program.hear("board", begun, client)
        await program.tell("hold", text="events")
        await mark(installation, "Amina", "LATE")
        target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
        await program.tell("mark", input={"target": target, "status": "ABSENT"})
        absent = {**begun, "Amina": "ABSENT", "unmarked": 2, "absent": 1}
        await program.hear("board", absent, client)
        await program.tell("release", text="events")
        await mark(installation, "Björn", "PRESENT")
        both = {**absent, "Björn": "PRESENT", "unmarked": 1, "present": 1}
        await program.hear("board", both, client)
        assert rows_and_counts(program.said[client]["board"]) == rows_and_counts([BEFORE, begun, absent, both])
        changes = ["Дмитрий REMOTE", "Amina ABSENT", "Amina ABSENT", "Björn PRESENT"]
        await program.hear("change", changes[-1], client)
        assert program.said[client]["change"] == changes


@pytest.mark.parametrize("client", SOCKETS)
async def test_a_list_that_arrives_after_a_newer_roster_is_asked_for_again(
    workshop: Path, installation: Installation, client: str
) -> None:
    create = "mutation ($input: CreateStaffInput!) { createStaff(input: $input) { errors { message } } }"
    async with playing(workshop, installation.address.http, TODAY, client) as program:
        await follow(program, client)
        await program.tell("hold", text=ANSWER["board"])
        for held, name in enumerate(["Zoë", "Ünal"]):
            await installation.admin.ask(create, input={"name": name})
            await program.hear("counted", 5 + held, client)
            await program.hear("held", 1, "network")
        await program.tell("release", text=ANSWER["board"])
        await program.hear("board", {**BEFORE, "Zoë": "UNMARKED", "Ünal": "UNMARKED", "unmarked": 6}, client)


@pytest.mark.parametrize("client", CACHES)
async def test_after_a_restored_backup_every_client_shows_what_it_holds_and_nothing_of_before(
    workshop: Path, installation: Installation, client: str
) -> None:
    """Its records have fewer versions, and its day fewer positions, than what the clients have seen."""
    async with playing(workshop, installation.address.http, TODAY, client) as program:
        await follow(program, client)
        for status in ("LATE", "PRESENT"):
            await mark(installation, "Amina", status)
        await program.hear("board", {**LATE, "Amina": "PRESENT", "late": 0, "present": 1}, client)
        await program.tell("hold", text=ANSWER["mark"])
        target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
        await program.tell("mark", input={"target": target, "status": "ABSENT"})
        await program.hear("board", ABSENT, client)
        async with installation.application.database.write() as work:
            work.caller = COMMAND_LINE
            await work.write(delete(attendance_revision))
            await work.write(delete(attendance))
            await work.write(update(attendance_day).values(position=0, day_version=0))
            await new_epoch(work)
        await program.hear("board", BEFORE, client)
        await program.tell("release", text=ANSWER["mark"])
        await program.hear("marked", [], client)
        await mark(installation, "Amina", "LATE")
        await program.hear("board", LATE, client)
        boards = program.said[client]["board"]
        restored = len(boards) - 1 - boards[::-1].index(BEFORE)
        assert rows_and_counts(boards[restored:]) == rows_and_counts([BEFORE, LATE])


async def test_answers_in_any_order_end_at_the_same_values(workshop: Path) -> None:
    assert await node(workshop, "players/newest.ts") == ""
