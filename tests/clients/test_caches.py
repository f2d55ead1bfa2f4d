"""A normalised cache keeps a board current by itself: no client writes code for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.program import playing
from tests.clock import TODAY
from tests.installation import Installation

NAMES = {"Amina": "UNMARKED", "Björn": "UNMARKED", "Chloé": "UNMARKED", "Дмитрий": "UNMARKED"}
BEFORE = {**NAMES, "unmarked": 4, "present": 0, "late": 0, "absent": 0}
AFTER = {**NAMES, "Amina": "LATE", "unmarked": 3, "present": 0, "late": 1, "absent": 0}
CACHES = ["apollo-websocket", "apollo-multipart", "urql-websocket", "urql-events"]


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
        said = program.said[client]
        assert (said["board"], said["change"]) == ([BEFORE, AFTER], ["Amina LATE"])


@pytest.mark.parametrize("client", ["apollo-websocket", "urql-websocket"])
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
