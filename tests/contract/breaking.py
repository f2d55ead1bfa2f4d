"""Breaking changes of the schema: found by comparing it with the released one, and allowed where they are recorded."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from graphql import build_schema
from graphql.utilities import find_breaking_changes

ROOT = Path(__file__).resolve().parents[2]
RELEASED = ROOT / "docs" / "schema" / "released.graphql"
RECORD = ROOT / "docs" / "schema" / "breaking.toml"


def complaints(released: str, current: str, record: str) -> list[str]:
    """What is wrong with the way from one schema to the other, in sentences; none when all is well."""
    made = {change.description for change in find_breaking_changes(build_schema(released), build_schema(current))}
    accepted = {entry["change"]: entry for entry in tomllib.loads(record).get("accepted", [])}
    return [
        *(f"Breaks clients, and is not recorded: {change}" for change in sorted(made - accepted.keys())),
        *(f"Recorded, but not a change that was made: {change}" for change in sorted(accepted.keys() - made)),
        *(f"Recorded without a reason: {change}" for change in _without(accepted, "reason")),
        *(f"Recorded without what a client has to do: {change}" for change in _without(accepted, "client")),
    ]


def _without(accepted: Mapping[str, Mapping[str, str]], key: str) -> list[str]:
    return sorted(change for change, entry in accepted.items() if not entry.get(key, "").strip())
