"""Code generators are given the server's address, and need no copy of the schema."""

from __future__ import annotations

import json
from pathlib import Path

from tests.clients.conftest import PACKAGES, ROOT, run
from tests.installation import Installation


async def test_codegen_reads_the_schema_from_the_server(installation: Installation, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {installation.admin.token}"}
    address = {f"{installation.address.http}/schema.graphql": {"headers": headers}}
    sources = {"from-server.ts": [address], "from-file.ts": str(ROOT / "schema.graphql")}
    made = {name: {"schema": schema, "plugins": ["typescript"]} for name, schema in sources.items()}
    (tmp_path / "node_modules").symlink_to(PACKAGES, target_is_directory=True)
    (tmp_path / "codegen.json").write_text(json.dumps({"generates": made}))
    assert await run(tmp_path, "@graphql-codegen/cli/cjs/bin.js", "--config", "codegen.json", "--silent") == ""
    types = (tmp_path / "from-server.ts").read_text()
    assert types == (tmp_path / "from-file.ts").read_text()
    assert "feedCursor: Scalars['String']['output'];" in types
