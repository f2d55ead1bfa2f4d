"""Clients that were built before an enum had a value: what docs/versioning.md says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memberstaff_client import Record
from tests.clients.conftest import PACKAGES, run
from tests.clock import TODAY
from tests.installation import Installation
from tests.older_schema import OLDER

CACHES = """
import { readFileSync } from "node:fs";
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { Client, fetchExchange } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { buildSchema, introspectionFromSchema } from "graphql";

const [address, token] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}` };
const query = gql`{ attendanceDay { id records(first: 1) { edges { node { id status } } } } }`;
const status = ({ data }) => data.attendanceDay.records.edges[0].node.status;

const apollo = new ApolloClient({ link: new HttpLink({ uri: address, headers }), cache: new InMemoryCache() });
const schema = introspectionFromSchema(buildSchema(readFileSync("schema.graphql", "utf8")));
const exchanges = [cacheExchange({ schema }), fetchExchange];
const urql = new Client({ url: address, exchanges, preferGetMethod: false, fetchOptions: { headers } });
const told = {
  apollo: [status(await apollo.query({ query })), status({ data: apollo.readQuery({ query }) })],
  urql: [status(await urql.query(query, {})), status(await urql.query(query, {}, { requestPolicy: "cache-only" }))],
};
console.log(JSON.stringify(told));
"""
TYPED = """
import type { StatusFragment } from "./NAME/types.ts";

export function shown({ status }: StatusFragment): string {
  switch (status) {
    case "ABSENT": case "LATE": case "ON_LEAVE": case "PRESENT": case "REMOTE": case "UNMARKED":
      return status;
  }
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A front end of that time."""
    (tmp_path / "node_modules").symlink_to(PACKAGES, target_is_directory=True)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "schema.graphql").write_text(OLDER)
    return tmp_path


async def test_apollo_and_urql_hand_on_a_value_that_they_do_not_know(installation: Installation, project: Path) -> None:
    await installation.marker.mark(installation.staff["Amina"], TODAY, status="HALF_DAY")
    (project / "caches.js").write_text(CACHES)
    token = str(installation.marker.token)
    told = await run(project, str(project / "caches.js"), f"{installation.address.http}/graphql", token)
    assert json.loads(told) == {"apollo": ["HALF_DAY", "HALF_DAY"], "urql": ["HALF_DAY", "HALF_DAY"]}


async def test_a_switch_needs_a_default_only_with_types_that_expect_more(project: Path) -> None:
    fragment = "fragment Status on Attendance { status }"
    plain = {"enumType": "string-literal"}
    made = {
        f"{name}/types.ts": {"documents": fragment, "plugins": ["typescript-operations"], "config": config}
        for name, config in {"closed": plain, "open": {**plain, "futureProofEnums": True}}.items()
    }
    (project / "codegen.json").write_text(json.dumps({"schema": "schema.graphql", "generates": made}))
    assert await run(project, "@graphql-codegen/cli/cjs/bin.js", "--config", "codegen.json", "--silent") == ""
    options = ["--noEmit", "--strict", "--noImplicitReturns", "--allowImportingTsExtensions"]
    for name in ("closed", "open"):
        (project / f"{name}.ts").write_text(TYPED.replace("NAME", name))
    assert await run(project, "typescript/bin/tsc", *options, "closed.ts") == ""
    with pytest.raises(AssertionError, match="TS2366"):
        await run(project, "typescript/bin/tsc", *options, "open.ts")


def test_the_client_for_python_hands_on_any_status() -> None:
    texts = dict.fromkeys(("id", "staffId", "staffName", "staffCategory", "sequence"), "x")
    nothing = dict.fromkeys(
        ("staffPhotoUrl", "note", "photoUrl", "updatedAt", "updatedBy", "reason", "arrivedAt", "leftAt")
    )
    node = {**texts, **nothing, "date": TODAY, "version": 1, "isOnSite": False, "status": "AT_THE_DENTIST"}
    assert Record.of(node).status == "AT_THE_DENTIST"
