"""The server keeps to GraphQL over HTTP, its SHOULDs and MAYs included, as the public audit understands it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.clock import TurnedClock
from tests.databases import Databases
from tests.installation import install

HERE = Path(__file__).parent


async def test_all_audits_of_graphql_over_http_pass(databases: Databases, clock: TurnedClock) -> None:
    async with databases.fresh("sqlite") as url, install(url, clock=clock, introspection=True) as installation:
        audit = await asyncio.create_subprocess_exec(
            "node", "audit.js", f"{installation.address.http}/graphql", cwd=HERE, stdout=asyncio.subprocess.PIPE
        )
        told, _ = await audit.communicate()
    results = json.loads(told)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61
