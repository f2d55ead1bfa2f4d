"""Libraries as they are, without our client: each of their transports works."""

from __future__ import annotations

from pathlib import Path

from memberstaff.access import Role
from tests.clients.program import all_told, started
from tests.clock import TODAY
from tests.front_ends import BOARD
from tests.installation import Installation

CLIENTS = ["apollo-multipart", "apollo-websocket", "urql-events", "graphql-ws", "graphql-sse"]


async def test_every_transport_of_the_usual_libraries_hears_each_change_once(
    workshop: Path, installation: Installation
) -> None:
    day = (await installation.viewer.ask(BOARD, date=TODAY))["attendanceDay"]
    await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
    words = (installation.address.http, installation.tokens[Role.VIEWER], TODAY, day["records"]["feedCursor"])
    async with started(workshop, "players/stock.ts", *words) as program:
        await program.hear("change", "Amina LATE", *CLIENTS)
        await installation.marker.mark(installation.staff["Björn"], TODAY, status="ABSENT")
        await program.hear("change", "Björn ABSENT", *CLIENTS)
        all_told(program, CLIENTS, "Amina LATE", "Björn ABSENT")
