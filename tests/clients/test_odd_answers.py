"""What the TypeScript client does with answers that are not the server's, or that it did not expect."""

from __future__ import annotations

from pathlib import Path

from tests.clients.conftest import node


async def test_answers_of_proxies_and_gateways_are_taken_for_what_they_are(workshop: Path) -> None:
    assert await node(workshop, "players/odd.ts") == ""
