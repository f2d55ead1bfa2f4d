"""The examples' clients, compiled and played as their users would, against real servers."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.databases import Engine

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture
def engine() -> Engine:
    """Clients see no difference."""
    return "sqlite"


@pytest.fixture(scope="session")
async def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples and what plays them, as a project of their own with types generated from the schema."""
    packages = HERE / "node_modules"
    assert (packages / "memberstaff-stamp").exists(), "The clients are not installed: `./dev test` does it."
    folder = tmp_path_factory.mktemp("clients")
    (folder / "node_modules").symlink_to(packages, target_is_directory=True)
    for file in (ROOT / "schema.graphql", HERE / "package.json", HERE / "tsconfig.json"):
        shutil.copy(file, folder)
    shutil.copytree(HERE / "players", folder / "players")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("gql", "node_modules"))
    assert await run(folder / "examples", "@graphql-codegen/cli/cjs/bin.js", "--config", "codegen.ts", "--silent") == ""
    return folder


async def run(folder: Path, program: str, *arguments: str) -> str:
    """What a package's program prints; fails when it fails."""
    script = HERE / "node_modules" / program
    process = await asyncio.create_subprocess_exec(
        "node", str(script), *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told = (await process.communicate())[0].decode()
    assert process.returncode == 0, told
    return told


@pytest.fixture
def installation_settings() -> dict[str, Any]:
    """What has ended is soon known, and logins are not counted: each client has one of its own."""
    return {"poll_seconds": 0.05, "logins_per_minute": 100}
