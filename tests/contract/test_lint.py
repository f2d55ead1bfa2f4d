"""The schema passes the linter that its users know."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.contract.environments import ROOT

HERE = Path(__file__).parent
ESLINT = HERE / "node_modules" / "eslint" / "bin" / "eslint.js"


async def test_graphql_eslint_finds_nothing_in_the_schema() -> None:
    words = (str(ESLINT), "--config", str(HERE / "eslint.config.js"), "--max-warnings", "0", "schema.graphql")
    linter = await asyncio.create_subprocess_exec(
        "node", *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await linter.communicate()
    assert (linter.returncode, told.decode()) == (0, "")
