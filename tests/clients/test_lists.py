"""Lists as Relay's compiler and runtime know them: pages that are joined, and nodes that are added."""

from __future__ import annotations

from pathlib import Path

from memberstaff.access import Role
from tests.clients.conftest import bundle
from tests.clients.program import started
from tests.installation import PASSWORD, Installation, email


async def test_relay_joins_pages_and_adds_nodes_to_a_connection(workshop: Path, installation: Installation) -> None:
    lists = await bundle(workshop, "players/lists.ts", "--platform", "node")
    words = (installation.address.http, email(Role.ADMIN), PASSWORD)
    async with started(workshop, lists.name, *words) as program:
        names = ["Amina", "Björn", "Chloé", "Zoë"]
        await program.hear("names", names, "relay")
        assert program.said["relay"]["names"] == [names[:2], names[:3], names]
