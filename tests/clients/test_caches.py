"""A normalised cache keeps a board current by itself: no client writes code for that."""

from __future__ import annotations

from pathlib import Path

from tests.clients.program import CACHES, all_showed, all_told, playing
from tests.clock import TODAY
from tests.installation import Installation

NAMES = {"Amina": "UNMARKED", "Björn": "UNMARKED", "Chloé": "UNMARKED", "Дмитрий": "UNMARKED"}
BEFORE = {**NAMES, "unmarked": 4, "present": 0, "late": 0, "absent": 0}
AFTER = {**NAMES, "Amina": "LATE", "unmarked": 3, "present": 0, "late": 1, "absent": 0}


async def test_an_event_updates_the_row_and_the_days_counters(workshop: Path, installation: Installation) -> None:
    async with playing(workshop, installation.address.http, TODAY, *CACHES) as program:
        await program.tell("show")
        await program.hear("board", BEFORE, *CACHES)
        await program.tell("watch")
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
        await program.hear("board", AFTER, *CACHES)
        await program.hear("read", len(CACHES), *CACHES)
        await program.hear("change", "Amina LATE", *CACHES)
        all_showed(program, CACHES, BEFORE, AFTER)
        all_told(program, CACHES, "Amina LATE")


async def test_a_mutations_answer_updates_the_row_and_the_days_counters(
    workshop: Path, installation: Installation
) -> None:
    clients = ["apollo-websocket", "urql-websocket", "relay-websocket"]
    async with playing(workshop, installation.address.http, TODAY, *clients) as program:
        await program.tell("show")
        await program.hear("board", BEFORE, *clients)
        target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
        await program.tell("mark", input={"target": target, "status": "LATE"})
        await program.hear("marked", [], *clients)
        await program.hear("board", AFTER, *clients)
        await program.hear("read", len(clients), *clients)
        all_showed(program, clients, BEFORE, AFTER)


async def test_whoever_follows_a_day_again_is_told_of_no_change_twice(
    workshop: Path, installation: Installation
) -> None:
    async with playing(workshop, installation.address.http, TODAY, *CACHES) as program:

        async def heard(name: str, status: str) -> None:
            await installation.marker.mark(installation.staff[name], TODAY, status=status)
            await program.hear("change", f"{name} {status}", *CACHES)

        await program.tell("show")
        await program.hear("done", "show", *CACHES)
        await program.tell("watch")
        for name in ("Amina", "Björn", "Chloé"):
            await heard(name, "LATE")
        await program.tell("unwatch")
        await program.hear("done", "unwatch", *CACHES)
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="PRESENT")
        await program.tell("watch")
        await heard("Дмитрий", "ABSENT")
        all_told(program, CACHES, "Amina LATE", "Björn LATE", "Chloé LATE", "Amina PRESENT", "Дмитрий ABSENT")
        await program.hear("read", len(CACHES), *CACHES)


async def test_two_components_may_follow_the_same_day(workshop: Path, installation: Installation) -> None:
    async with playing(workshop, installation.address.http, TODAY, *CACHES) as program:
        await program.tell("show")
        await program.hear("done", "show", *CACHES)
        for _ in range(2):
            await program.tell("watch")
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
        while any(program.said[client]["change"] != ["Amina LATE", "Amina LATE"] for client in CACHES):
            await program.listen()
        await program.tell("unwatch")
        await program.hear("done", "unwatch", *CACHES)
        for name in ("Björn", "Chloé"):
            await installation.marker.mark(installation.staff[name], TODAY, status="LATE")
            await program.hear("change", f"{name} LATE", *CACHES)
        all_told(program, CACHES, "Amina LATE", "Amina LATE", "Björn LATE", "Chloé LATE")


async def test_who_has_come_or_gone_is_shown(workshop: Path, installation: Installation) -> None:
    clients = ["apollo-websocket", "urql-events", "relay-websocket", "plain-events"]
    create = "mutation ($input: CreateStaffInput!) { createStaff(input: $input) { errors { message } } }"
    async with playing(workshop, installation.address.http, TODAY, *clients) as program:
        await program.tell("show")
        await program.hear("done", "show", *clients)
        await program.tell("watch")
        await program.hear("board", BEFORE, *clients)
        await installation.admin.ask(create, input={"name": "Zoë"})
        await program.hear("board", {**BEFORE, "Zoë": "UNMARKED", "unmarked": 5}, *clients)
