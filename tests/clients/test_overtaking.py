"""Answers and events overtake each other in any order: every cache ends at the newest, and never shows less."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import delete, update

from memberstaff.access import COMMAND_LINE
from memberstaff.db.installation import new_epoch
from memberstaff.db.tables import attendance, attendance_day, attendance_revision
from tests.clients.conftest import node
from tests.clients.program import CACHES, Program, all_showed, all_told, playing
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


async def follow(program: Program, *clients: str) -> None:
    """Show the day and follow it, so that an event arrives."""
    await program.tell("show")
    await program.hear("board", BEFORE, *clients)
    await program.tell("watch")
    await program.hear("done", "watch", *clients)


async def test_an_answer_to_a_mutation_that_arrives_after_a_newer_event_changes_nothing(
    workshop: Path, installation: Installation
) -> None:
    async with playing(workshop, installation.address.http, TODAY, *CACHES) as program:
        await follow(program, *CACHES)
        await program.tell("hold", text=ANSWER["mark"])
        target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
        await program.tell("mark", input={"target": target, "status": "LATE"})
        await program.hear("held", len(CACHES), "network")
        await program.hear("board", LATE, *CACHES)
        await mark(installation, "Amina", "ABSENT")
        await program.hear("board", ABSENT, *CACHES)
        await program.tell("release", text=ANSWER["mark"])
        await program.hear("marked", [], *CACHES)
        await mark(installation, "Björn", "PRESENT")
        await program.hear("board", BOTH, *CACHES)
        all_showed(program, CACHES, BEFORE, LATE, ABSENT, BOTH)


async def test_a_board_that_arrives_after_a_newer_event_changes_nothing(
    workshop: Path, installation: Installation
) -> None:
    async with playing(workshop, installation.address.http, TODAY, *CACHES) as program:
        await follow(program, *CACHES)
        await program.tell("hold", text=ANSWER["board"])
        await program.tell("refetch")
        await program.hear("held", len(CACHES), "network")
        await mark(installation, "Amina", "ABSENT")
        await program.hear("board", ABSENT, *CACHES)
        await program.tell("release", text=ANSWER["board"])
        await program.hear("done", "refetch", *CACHES)
        await mark(installation, "Björn", "PRESENT")
        await program.hear("board", BOTH, *CACHES)
        all_showed(program, CACHES, BEFORE, ABSENT, BOTH)


async def test_events_that_arrive_after_newer_answers_change_nothing(
    workshop: Path, installation: Installation
) -> None:
    async with playing(workshop, installation.address.http, TODAY, *SOCKETS) as program:
        await follow(program, *SOCKETS)
        await mark(installation, "Дмитрий", "REMOTE")
        await program.hear("change", "Дмитрий REMOTE", *SOCKETS)
        begun = {**BEFORE, "Дмитрий": "REMOTE", "unmarked": 3}
        await program.hear("board", begun, *SOCKETS)
        await program.tell("hold", text="events")
        await mark(installation, "Amina", "LATE")
        target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
        await program.tell("mark", input={"target": target, "status": "ABSENT"})
        absent = {**begun, "Amina": "ABSENT", "unmarked": 2, "absent": 1}
        await program.hear("board", absent, *SOCKETS)
        await program.tell("release", text="events")
        await mark(installation, "Björn", "PRESENT")
        both = {**absent, "Björn": "PRESENT", "unmarked": 1, "present": 1}
        await program.hear("board", both, *SOCKETS)
        all_showed(program, SOCKETS, BEFORE, begun, absent, both)
        await program.hear("change", "Björn PRESENT", *SOCKETS)
        all_told(program, SOCKETS, "Дмитрий REMOTE", "Amina ABSENT", "Amina ABSENT", "Björn PRESENT")


async def test_a_list_that_arrives_after_a_newer_roster_is_asked_for_again(
    workshop: Path, installation: Installation
) -> None:
    create = "mutation ($input: CreateStaffInput!) { createStaff(input: $input) { errors { message } } }"
    async with playing(workshop, installation.address.http, TODAY, *SOCKETS) as program:
        await follow(program, *SOCKETS)
        await program.tell("hold", text=ANSWER["board"])
        for held, name in enumerate(["Zoë", "Ünal"]):
            await installation.admin.ask(create, input={"name": name})
            await program.hear("counted", 5 + held, *SOCKETS)
            await program.hear("held", len(SOCKETS), "network")
        await program.tell("release", text=ANSWER["board"])
        await program.hear("board", {**BEFORE, "Zoë": "UNMARKED", "Ünal": "UNMARKED", "unmarked": 6}, *SOCKETS)


async def test_after_a_restored_backup_every_client_shows_what_it_holds_and_nothing_of_before(
    workshop: Path, installation: Installation
) -> None:
    """Its records have fewer versions, and its day fewer positions, than what the clients have seen."""
    async with playing(workshop, installation.address.http, TODAY, *CACHES) as program:
        await follow(program, *CACHES)
        for status in ("LATE", "PRESENT"):
            await mark(installation, "Amina", status)
        await program.hear("board", {**LATE, "Amina": "PRESENT", "late": 0, "present": 1}, *CACHES)
        await program.tell("hold", text=ANSWER["mark"])
        target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
        await program.tell("mark", input={"target": target, "status": "ABSENT"})
        await program.hear("held", len(CACHES), "network")
        await program.hear("board", ABSENT, *CACHES)
        async with installation.application.database.write() as work:
            work.caller = COMMAND_LINE
            await work.write(delete(attendance_revision))
            await work.write(delete(attendance))
            await work.write(update(attendance_day).values(position=0, day_version=0))
            await new_epoch(work)
        await program.hear("board", BEFORE, *CACHES)
        await program.tell("release", text=ANSWER["mark"])
        await program.hear("marked", [], *CACHES)
        await mark(installation, "Amina", "LATE")
        await program.hear("board", LATE, *CACHES)
        for client in CACHES:
            boards = program.said[client]["board"]
            del boards[: len(boards) - 1 - boards[::-1].index(BEFORE)]
        all_showed(program, CACHES, BEFORE, LATE)


async def test_answers_in_any_order_end_at_the_same_values(workshop: Path) -> None:
    assert await node(workshop, "players/newest.ts") == ""
