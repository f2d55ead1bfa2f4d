"""What the examples and their players do, and what they must not do, under TypeScript's strict rules."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.clients.conftest import HERE, PACKAGES, ROOT, TOOLS, link, node, run


async def test_the_examples_compile(workshop: Path) -> None:
    assert await run(workshop, "typescript/bin/tsc", "--project", ".") == ""


async def test_gql_tada_infers_types_from_the_schema(tmp_path: Path) -> None:
    for name, packages in {"gql.tada": TOOLS, "typescript": PACKAGES, "graphql": PACKAGES}.items():
        link(tmp_path, name, packages)
    for file in (ROOT / "schema.graphql", *(HERE / "tada").iterdir()):
        shutil.copy(file, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    await node(tmp_path, str(TOOLS / "gql.tada/bin/cli.js"), "generate-output")
    assert await run(tmp_path, "typescript/bin/tsc", "--project", ".") == ""
