"""Two components that watch the same day with one client: each is told as if it were alone."""

from __future__ import annotations

from pathlib import Path

from memberstaff.access import Role
from tests.clients.program import started
from tests.clock import TODAY
from tests.installation import PASSWORD, Installation, email

LIBRARIES = ("apollo", "urql", "relay")


async def test_whoever_watches_a_day_that_is_watched_is_told_its_state_and_its_changes(
    workshop: Path, installation: Installation
) -> None:
    words = (installation.address.http, email(Role.MARKER), PASSWORD, TODAY)
    async with started(workshop, "players/twice.ts", *words) as program:
        await program.hear("state", "OPEN", *LIBRARIES)
        await program.hear("current", True, *LIBRARIES)
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
        await program.hear("change", "Amina LATE", *LIBRARIES)
        assert [program.said[library]["change"] for library in LIBRARIES] == [["Amina LATE"]] * len(LIBRARIES)
