"""GraphQL Inspector, which people know, finds no breaking change that is not recorded."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path

from tools.schema_changes import RECORD, RELEASED, SCHEMA

HERE = Path(__file__).parent
LIST = "type Query { people(first: Int, filter: Filter): Int } input Filter { name: String category: String }"


async def breaking(before: Path, after: Path) -> list[str]:
    """The parts of the schema of which a change breaks clients."""
    inspector = await asyncio.create_subprocess_exec(
        "node", str(HERE / "inspect.js"), str(before), str(after), stdout=asyncio.subprocess.PIPE
    )
    told, _ = await inspector.communicate()
    assert inspector.returncode == 0
    return told.decode().split()


async def test_what_inspector_calls_breaking_is_recorded() -> None:
    record = tomllib.loads(RECORD.read_text(encoding="utf-8"))
    words = {word for entry in record["accepted"] for word in entry["change"].split()}
    recorded = words | {entry["of"] for entry in record["behaviour"]}
    found = await breaking(RELEASED, SCHEMA)
    assert [part for part in found if part.partition(".@")[0] not in recorded] == []


async def test_inspector_sees_what_graphql_core_does_not(tmp_path: Path) -> None:
    """That an input takes one field alone from now on."""
    before, after = tmp_path / "before.graphql", tmp_path / "after.graphql"
    before.write_text(LIST)
    after.write_text(LIST.replace("input Filter", "input Filter @oneOf"))
    assert await breaking(before, after) == ["Filter.@oneOf"]
