"""The examples, and what plays them, hold under TypeScript's strict rules, with types generated from the schema."""

from __future__ import annotations

from pathlib import Path

from tests.clients.conftest import run


async def test_the_examples_compile(workshop: Path) -> None:
    assert await run(workshop, "typescript/bin/tsc", "--project", ".") == ""
