"""A normalised cache keeps a board current by itself: no client writes code for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.program import CACHES, playing, rows_and_counts
from tests.clock import TODAY
from tests.installation import Installation

NAMES = {"Amina": "UNMARKED", "Björn": "UNMARKED", "Chloé": "UNMARKED", "Дмитрий": "UNMARKED"}
BEFORE = {**NAMES, "unmarked": 4, "present": 0, "late": 0, "absent": 0}
AFTER = {**NAMES, "Amina": "LATE", "unmarked": 3, "present": 0, "late": 1, "absent": 0}


@pytest.mark.parametrize("client", CACHES)
async def test_an_event_updates_the_row_and_the_days_counters(
    workshop: Path, installation: Installation, client: str
) -> None:
    async with playing(workshop, installation.address.http, TODAY, client) as program:
        await program.tell("show")
        await program.hear("board", BEFORE, client)
        await program.tell("watch")
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
        await program.hear("board", AFTER, client)
        await program.hear("read", 1, client)
        await program.hear("change", "Amina LATE", client)
        said = program.said[client]
        assert rows_and_counts(said["board"]) == rows_and_counts([BEFORE, AFTER])
        assert said["change"] == ["Amina LATE"]


@pytest.mark.parametrize("client", ["apollo-websocket", "urql-websocket", "relay-websocket"])
async def test_a_mutations_answer_updates_the_row_and_the_days_counters(
    workshop: Path, installation: Installation, client: str
) -> None:
    async with playing(workshop, installation.address.http, TODAY, client) as program:
        await program.tell("show")
        await program.hear("board", BEFORE, client)
        target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
        await program.tell("mark", input={"target": target, "status": "LATE"})
        await program.hear("marked", [], client)
        await program.hear("board", AFTER, client)
        await program.hear("read", 1, client)
        assert program.said[client]["board"] == [BEFORE, AFTER]


@pytest.mark.parametrize("client", CACHES)
async def test_whoever_follows_a_day_again_is_told_of_no_change_twice(
    workshop: Path, installation: Installation, client: str
) -> None:
    async with playing(workshop, installation.address.http, TODAY, client) as program:

        async def heard(name: str, status: str) -> None:
            await installation.marker.mark(installation.staff[name], TODAY, status=status)
            await program.hear("change", f"{name} {status}", client)

        await program.tell("show")
        await program.hear("done", "show", client)
        await program.tell("watch")
        for name in ("Amina", "Björn", "Chloé"):
            await heard(name, "LATE")
        await program.tell("unwatch")
        await program.hear("done", "unwatch", client)
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="PRESENT")
        await program.tell("watch")
        await heard("Дмитрий", "ABSENT")
        told = ["Amina LATE", "Björn LATE", "Chloé LATE", "Amina PRESENT", "Дмитрий ABSENT"]
        assert program.said[client]["change"] == told
        await program.hear("read", 1, client)


@pytest.mark.parametrize("client", ["apollo-websocket", "urql-events", "relay-websocket", "plain-events"])
async def test_who_has_come_or_gone_is_shown(workshop: Path, installation: Installation, client: str) -> None:
    create = "mutation ($input: CreateStaffInput!) { createStaff(input: $input) { errors { message } } }"
    async with playing(workshop, installation.address.http, TODAY, client) as program:
        await program.tell("show")
        await program.hear("done", "show", client)
        await program.tell("watch")
        await program.hear("board", BEFORE, client)
        await installation.admin.ask(create, input={"name": "Zoë"})
        await program.hear("board", {**BEFORE, "Zoë": "UNMARKED", "unmarked": 5}, client)
