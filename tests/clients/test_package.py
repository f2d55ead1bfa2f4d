"""Our packed client, in projects that have nothing but what one of its subpaths asks for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.clients.conftest import PACKAGES, ROOT, bundle, install_client, link, node, run

PACKAGE = json.loads((ROOT / "clients" / "typescript" / "package.json").read_text(encoding="utf-8"))
PEERS = {
    ".": [],
    "./apollo": ["@apollo/client", "graphql", "rxjs"],
    "./plain": ["graphql"],
    "./relay": ["graphql", "relay-runtime"],
    "./schema": [],
    "./sse": [],
    "./urql": ["@urql/core", "@urql/exchange-graphcache", "graphql", "wonka"],
    "./ws": ["graphql", "graphql-ws"],
}
STRICT = {"module": "NodeNext", "target": "ES2023", "lib": ["ES2023", "DOM"], "types": [], "strict": True}
PROGRAM = """\
import * as part from "@memberstaff/client{0}";
import {{ Session }} from "@memberstaff/client";

export const session: Session | undefined = undefined;
// @ts-expect-error The package has types.
part.nothing;
const exported: number = Object.keys(part).length;
if (exported === 0) throw new Error("It exports nothing.");
"""


@pytest.mark.parametrize("subpath", PEERS)
async def test_a_subpath_needs_its_own_peers_and_nothing_else(tmp_path: Path, subpath: str) -> None:
    for name in PEERS[subpath]:
        link(tmp_path, name, PACKAGES)
    install_client(tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    # Relay's types, and those of a package that Apollo Client needs, have errors of their own.
    options = {**STRICT, "skipLibCheck": subpath in {"./apollo", "./relay"}}
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options}))
    (tmp_path / "program.ts").write_text(PROGRAM.format(subpath[1:]))
    assert await run(tmp_path, "typescript/bin/tsc", "--project", ".") == ""
    assert await node(tmp_path, "program.js") == ""


@pytest.mark.parametrize(
    ("subpath", "name", "has", "lacks"),
    [
        ("", "Session", "refreshSession", ["graphql-response", "feedCursor"]),
        ("/sse", "connect", "last-event-id", ["graphql-response", "feedCursor"]),
        ("/apollo", "createLink", "graphql-response", ["updateAttendance", "unmarked", "rosterVersion"]),
        ("/urql", "newestExchange", "feedCursor", ["updateAttendance", "unmarked", "rosterVersion", "refreshSession"]),
        ("/relay", "createEnvironment", "graphql-response", ["updateAttendance", "unmarked", "rosterVersion"]),
    ],
)
async def test_a_bundle_has_no_more_of_the_client_than_it_imports(
    tmp_path: Path, subpath: str, name: str, has: str, lacks: list[str]
) -> None:
    install_client(tmp_path)
    (tmp_path / "program.ts").write_text(f'export {{ {name} }} from "@memberstaff/client{subpath}";')
    bundled = (await bundle(tmp_path, "program.ts")).read_text(encoding="utf-8")
    assert has in bundled
    assert [word for word in lacks if word in bundled] == []


def test_every_subpath_is_tried_and_every_peer_is_optional() -> None:
    assert sorted(PACKAGE["exports"]) == sorted([*PEERS, "./package.json"])
    assert "dependencies" not in PACKAGE
    peers = {name for names in PEERS.values() for name in names}
    assert set(PACKAGE["peerDependencies"]) == peers
    assert PACKAGE["peerDependenciesMeta"] == {name: {"optional": True} for name in peers}


def test_both_majors_of_graphql_that_its_libraries_take_may_be_installed_beside_it() -> None:
    ours = PACKAGE["peerDependencies"]["graphql"]
    theirs = json.loads((PACKAGES / "@apollo/client/package.json").read_text(encoding="utf-8"))
    assert ours == theirs["peerDependencies"]["graphql"] == "^16.0.0 || ^17.0.0"


async def test_the_package_has_its_code_its_types_a_readme_and_a_licence_and_nothing_else(tmp_path: Path) -> None:
    install_client(tmp_path)
    files = [file for file in (tmp_path / "node_modules/@memberstaff/client").rglob("*") if file.is_file()]
    assert {file.suffix for file in files if file.parent.name != "client"} == {".js", ".ts"}
    beside = sorted(file.name for file in files if file.parent.name == "client")
    assert beside == ["LICENSE", "README.md", "package.json"]
    assert all(file.name.endswith((".js", ".d.ts")) for file in files if file.suffix in {".js", ".ts"})
