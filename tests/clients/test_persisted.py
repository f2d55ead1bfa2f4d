"""Apollo's link for automatic persisted queries, which are not supported, falls back to sending documents."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from memberstaff.access import Role
from tests.installation import Installation


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_apollo_sends_the_document_after_its_hash_and_no_hash_again(
    workshop: Path, installation: Installation, method: str
) -> None:
    words = (installation.address.http, installation.tokens[Role.VIEWER], method)
    process = await asyncio.create_subprocess_exec(
        "node", "players/persisted.ts", *words, cwd=workshop, stdout=asyncio.subprocess.PIPE
    )
    said = json.loads((await process.communicate())[0])
    assert said["sent"] == [f"{method} persistedQuery", "POST query", "POST query"]
    assert [answer["viewer"]["displayName"] for answer in said["answers"]] == ["Viewer", "Viewer"]
