"""The examples' clients, compiled and played as their users would, against real servers."""

from __future__ import annotations

import asyncio
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import browser, chromium
from tests.databases import Engine

__all__ = ["browser", "chromium"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGES = ROOT / "clients" / "typescript" / "node_modules"
"""Of npm: the clients that people use, and what compiles what they write."""
TOOLS = HERE / "node_modules"
"""What else their front ends have."""


@pytest.fixture
def engine() -> Engine:
    """Clients see no difference."""
    return "sqlite"


@pytest.fixture(scope="session")
async def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples and what plays them, as a project of their own in which our packed client is installed."""
    folder = tmp_path_factory.mktemp("clients")
    for name, packages in {**installed(TOOLS), **installed(PACKAGES)}.items():
        link(folder, name, packages)
    install_client(folder)
    for file in (ROOT / "schema.graphql", *HERE.glob("*.json")):
        shutil.copy(file, folder)
    shutil.copytree(HERE / "players", folder / "players")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("gql", "node_modules"))
    assert await run(folder / "examples", "@graphql-codegen/cli/cjs/bin.js", "--config", "codegen.ts", "--silent") == ""
    assert await run(folder, "relay-compiler/cli.js", "--output", "quiet-with-errors", "relay.config.json") == ""
    return folder


def installed(packages: Path) -> dict[str, Path]:
    """By name, where each of npm's packages is installed."""
    names = [file.name for file in packages.iterdir() if not file.name.startswith((".", "@"))]
    scoped = [f"{file.parent.name}/{file.name}" for file in packages.glob("@*/*")]
    return dict.fromkeys([*names, *scoped], packages)


async def bundle(folder: Path, source: str, *flags: str) -> Path:
    """A program as one file, as it is made of a front end."""
    target = folder / Path(source).with_suffix(".js").name
    words = ("--format", "esm", "--log-level", "silent", "--file", target.name, *flags)
    await node(folder, str(TOOLS / "rolldown/bin/cli.mjs"), source, *words)
    return target


def link(folder: Path, name: str, packages: Path) -> None:
    """Give a project a package."""
    place = folder / "node_modules" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    assert (packages / name).exists(), "The clients are not installed: `./dev test` does it."
    place.symlink_to(packages / name, target_is_directory=True)


def install_client(folder: Path) -> None:
    """Install our packed client, as npm does with a package that depends on nothing."""
    packed = list((ROOT / "dist").glob("memberstaff-client-*.tgz"))
    assert len(packed) == 1, "The client is not packed: `./dev test` does it."
    place = folder / "node_modules" / "@memberstaff"
    place.mkdir(parents=True)
    with tarfile.open(packed[0]) as archive:
        archive.extractall(place, filter="data")
    (place / "package").rename(place / "client")


async def run(folder: Path, program: str, *arguments: str) -> str:
    """What a package's program prints; fails when it fails."""
    return await node(folder, str(PACKAGES / program), *arguments)


async def node(folder: Path, *arguments: str) -> str:
    """What a program prints; fails when it fails."""
    process = await asyncio.create_subprocess_exec(
        "node", *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told = (await process.communicate())[0].decode()
    assert process.returncode == 0, told
    return told


@pytest.fixture
def installation_settings() -> dict[str, Any]:
    """What has ended is soon known, and logins are not counted: each client has one of its own."""
    return {"poll_seconds": 0.05, "logins_per_minute": 100}
