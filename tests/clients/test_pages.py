"""A day of more people than a page has: it is read to its end, from the server and then from the cache."""

from __future__ import annotations

from pathlib import Path

from memberstaff.access import Role
from tests.clients.conftest import bundle
from tests.clients.program import started
from tests.clock import TODAY
from tests.installation import PASSWORD, Installation, email

FIRST, LAST = ["Amina", "Björn"], ["Chloé", "Дмитрий"]


async def test_a_day_is_read_page_by_page_by_every_library(workshop: Path, installation: Installation) -> None:
    create = "mutation ($input: CreateStaffInput!) { createStaff(input: $input) { errors { message } } }"
    program_file = await bundle(workshop, "players/pages.ts", "--platform", "node")
    words = (installation.address.http, email(Role.MARKER), PASSWORD, TODAY)
    async with started(workshop, program_file.name, *words) as program:
        for library in ("plain", "urql", "relay"):
            await program.hear("pages", [FIRST, LAST], library)
        await program.hear("pages", [FIRST, FIRST + LAST], "apollo")  # in its cache pages are joined
        await program.tell("again")
        await installation.admin.ask(create, input={"name": "Emil"})
        for library in ("plain", "urql", "relay"):
            await program.hear("pages", [FIRST, ["Chloé", "Emil"], ["Дмитрий"]], library)
        everybody = [*FIRST, "Chloé", "Emil", "Дмитрий"]
        await program.hear("pages", [FIRST, everybody[:4], everybody], "apollo")
