"""A day of more people than a page has: it is read to its end, from the server and then from the cache."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from memberstaff.access import Role
from tests.clients.conftest import bundle
from tests.clients.program import started
from tests.clock import TODAY
from tests.installation import PASSWORD, Installation, email

FIRST, LAST = ["Amina", "Björn"], ["Chloé", "Дмитрий"]
LIBRARIES = ["plain", "apollo", "urql", "relay"]


async def test_a_day_is_read_page_by_page_by_every_library(workshop: Path, installation: Installation) -> None:
    create = "mutation ($input: CreateStaffInput!) { createStaff(input: $input) { errors { message } } }"
    program_file = await bundle(workshop, "players/pages.ts", "--platform", "node")
    words = (installation.address.http, email(Role.MARKER), PASSWORD, TODAY)
    async with started(workshop, program_file.name, *words) as program:
        for library in LIBRARIES:
            await program.hear("pages", [FIRST, LAST], library)
        await program.tell("again")
        await installation.admin.ask(create, input={"name": "Emil"})
        for library in LIBRARIES:
            await program.hear("pages", [FIRST, ["Chloé", "Emil"], ["Дмитрий"]], library)
        # In Apollo's cache pages are joined; a board that is read again stays as it is until the last has come.
        shown = [names for names, _ in groupby(program.said["apollo"]["shown"])]
        assert shown == [FIRST, FIRST + LAST, [*FIRST, "Chloé", "Emil", "Дмитрий"]]
