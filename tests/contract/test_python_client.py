"""The Python client as it is packed: by itself in a fresh environment, with the oldest that it says it works with."""

from __future__ import annotations

import asyncio
import os
import re
import runpy
import subprocess
import tarfile
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from memberstaff.access import Role
from tests.clock import TODAY
from tests.contract.environments import ROOT, Environment
from tests.installation import PASSWORD, Installation, email
from tests.rules.test_repository import locked
from tests.waiting import WAIT_SECONDS

CLIENT = ROOT / "clients" / "python"
EXAMPLES = ["follow.py", "mark.py"]
MODULES = {f"memberstaff_client/{file.name}" for file in (CLIENT / "memberstaff_client").iterdir() if file.is_file()}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with its wheel and its source."""
    folder = tmp_path_factory.mktemp("packed")
    runpy.run_path(str(ROOT / "dev"))["pack_python"](folder)
    return folder


@pytest.fixture(scope="module")
def alone(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Where nothing but the client and the oldest of what it needs is installed."""
    environment = Environment(tmp_path_factory.mktemp("alone"))
    environment.install("--require-hashes", "-r", ROOT / "requirements" / "client.txt")
    environment.install("--no-deps", *packed.glob("*.whl"))
    return environment


def on_the_page(example: str) -> str:
    """The readme's code of an example, as it is pasted."""
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (CLIENT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert len(blocks) == len(EXAMPLES)
    return str(blocks[EXAMPLES.index(example)])


@asynccontextmanager
async def playing(
    environment: Environment, installation: Installation, script: str, *words: str
) -> AsyncIterator[asyncio.StreamReader]:
    """What the readme's copy of an example prints, as the front desk."""
    pasted = environment.folder / script
    pasted.write_text(on_the_page(script), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(str(environment.python), str(pasted), *words),
        cwd=environment.folder,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
            "ADDRESS": installation.address.http,
            "EMAIL": email(Role.MARKER),
            "PASSWORD": PASSWORD,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            yield process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def test_wheel_and_source_hold_the_modules_their_types_the_licence_and_the_readme(packed: Path) -> None:
    (wheel,) = packed.glob("memberstaff_client-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (licence,) = (name for name in names if name.endswith("/licenses/LICENSE"))
        assert archive.read(licence).decode() == (ROOT / "LICENSE").read_text(encoding="utf-8")
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))
    assert {name for name in names if ".dist-info/" not in name} == MODULES
    assert "memberstaff_client/py.typed" in MODULES
    assert re.findall(r"^(?:Name|License-Expression|Requires-Python): .*$", metadata, re.MULTILINE) == [
        "Name: memberstaff-client",
        "License-Expression: MIT",
        "Requires-Python: >=3.11",
    ]
    assert "# memberstaff-client\n" in metadata
    (source,) = packed.glob("memberstaff_client-*.tar.gz")
    with tarfile.open(source) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert inside == MODULES | {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}


def test_nothing_of_the_server_comes_with_it(alone: Environment) -> None:
    needed = {name for name, version in alone.versions().items() if version}
    assert needed <= {"memberstaff-client", *locked("client")}
    found = "import importlib.util as u; print([n for n in ('memberstaff', 'schema', 'fastapi') if u.find_spec(n)])"
    done = subprocess.run([alone.python, "-c", found], cwd=alone.folder, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_its_examples_follow_a_day_and_mark_people(alone: Environment, installation: Installation) -> None:
    async with playing(alone, installation, "follow.py") as said:
        for name in ("Amina", "Björn", "Chloé", "Дмитрий"):
            assert (await said.readline()).decode() == f"{name} UNMARKED\n"
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
        assert (await said.readline()).decode() == "Amina LATE\n"
        async with playing(alone, installation, "mark.py", "Chloé", "REMOTE") as answered:
            assert (await answered.read()).decode() == "Chloé REMOTE, version 1\n"
        assert (await said.readline()).decode() == "Chloé REMOTE\n"


@pytest.mark.parametrize("example", EXAMPLES)
def test_its_readme_shows_the_examples_of_which_a_customers_own_part_is_ten_lines_at_most(example: str) -> None:
    shown = on_the_page(example)
    assert f"# region page\n{shown}# endregion\n" in (ROOT / "examples" / example).read_text(encoding="utf-8")
    own = [line for line in shown.splitlines() if line.strip() and not line.startswith(("import ", "from "))]
    assert len(own) <= 10
