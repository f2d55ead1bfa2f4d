"""What changes in the schema means for clients: what breaks them is recorded, and all of it is told on a page.

`python -m tools.schema_changes` writes docs/schema/changes.md anew; with `--check` it fails when that is out of date,
or when the schema breaks clients and nobody has decided so. See docs/decisions/0012-breaking-changes-are-recorded.md.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphql import GraphQLEnumType, GraphQLSchema, build_schema, is_specified_scalar_type
from graphql.utilities import (
    BreakingChange,
    DangerousChange,
    DangerousChangeType,
    SafeChangeType,
    SchemaChange,
    find_schema_changes,
)

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "schema.graphql"
RELEASED = ROOT / "docs" / "schema" / "released.graphql"
RECORD = ROOT / "docs" / "schema" / "breaking.toml"
PAGE = ROOT / "docs" / "schema" / "changes.md"

MAY_GROW = "Later versions may add values"
"""In the description of an enum: a new value of any other one breaks clients."""
UNRELEASED = "## Unreleased\n"

TOLD_OTHERWISE = {
    SafeChangeType.DESCRIPTION_CHANGED,
    SafeChangeType.TYPE_ADDED,
    SafeChangeType.FIELD_ADDED,
    DangerousChangeType.OPTIONAL_ARG_ADDED,
    DangerousChangeType.OPTIONAL_INPUT_FIELD_ADDED,
}
"""Of these the page has no sentences: a description speaks for itself, and what was added is listed by type."""

Entry = Mapping[str, str]
"""`[[accepted]]`: a breaking `change`, in graphql-core's words. `[[behaviour]]`: one that the schemas do not show, in
our own words, and the part of the schema that it is `of`."""


def complaints(released: str, current: str, record: str) -> list[str]:
    """What is wrong with the way from one schema to the other, in sentences; none when all is well."""
    old, new = build_schema(released), build_schema(current)
    made = {change.description for change in find_schema_changes(old, new) if _breaks(change, old)}
    accepted, behaviour = _entries(record, "accepted"), _entries(record, "behaviour")
    entries = {**accepted, **behaviour}
    parts = _parts(old) & _parts(new)
    strange = sorted(entry.get("of", "nothing") for entry in behaviour.values() if entry.get("of") not in parts)
    return [
        *(f"Breaks clients, and is not recorded: {change}" for change in sorted(made - accepted.keys())),
        *(f"Recorded, but not a change that was made: {change}" for change in sorted(accepted.keys() - made)),
        *(f"Recorded of what is not in both schemas: {part}" for part in strange),
        *(f"Recorded without a reason: {change}" for change in _without(entries, "reason")),
        *(f"Recorded without what a client has to do: {change}" for change in _without(entries, "client")),
    ]


def section(released: str, current: str, record: str) -> str:
    """What clients have to know of the way from one schema to the other, in Markdown; empty if nothing has changed."""
    old, new = build_schema(released), build_schema(current)
    changes = [change for change in find_schema_changes(old, new) if change.type not in TOLD_OTHERWISE]
    breaking = [change for change in changes if _breaks(change, old)]
    dangerous = [change for change in changes if isinstance(change, DangerousChange) and change not in breaking]
    safe = [change for change in changes if change not in breaking and change not in dangerous]
    before = _deprecated(old)
    parts = {
        "Clients must change": _decisions([change.description for change in breaking], record),
        "Deprecated": sorted(f"- `{name}`: {why}" for name, why in _deprecated(new).items() if name not in before),
        "Look whether it concerns you": _listed(dangerous),
        "New": [*_additions(old, new), *_listed(safe)],
    }
    return "\n\n".join("\n".join([f"### {title}", "", *lines]).rstrip() for title, lines in parts.items() if lines)


def page(before: str, unreleased: str) -> str:
    """The page with another section about what is not released yet; those of releases stay as they are."""
    introduction, *sections = re.split(r"(?m)^(?=## )", before)
    released = [text for text in sections if not text.startswith(UNRELEASED)]
    own = [UNRELEASED + "\n" + unreleased] if unreleased else []
    return "\n\n".join(text.strip() for text in (introduction, *own, *released)) + "\n"


def main(arguments: list[str]) -> None:
    """Write the page, or complain."""
    texts = [file.read_text(encoding="utf-8") for file in (RELEASED, SCHEMA, RECORD)]
    before = PAGE.read_text(encoding="utf-8")
    now = page(before, section(*texts))
    if arguments != ["--check"]:
        PAGE.write_text(now, encoding="utf-8")
        return
    found = complaints(*texts)
    print("\n".join(found))
    if found:
        record = RECORD.relative_to(ROOT)
        sys.exit(f"{record} is where a breaking change is recorded, with its reason and what a client does.")
    if now != before:
        sys.exit(f"{PAGE.relative_to(ROOT)} is out of date: run `./dev format`.")


def _entries(record: str, kind: str) -> dict[str, Entry]:
    return {entry["change"]: entry for entry in tomllib.loads(record).get(kind, [])}


def _without(accepted: Mapping[str, Entry], key: str) -> list[str]:
    return sorted(change for change, entry in accepted.items() if not entry.get(key, "").strip())


def _breaks(change: SchemaChange, released: GraphQLSchema) -> bool:
    """Whether it breaks clients: also a new value of an enum, unless its description has told them to expect one."""
    if change.type is not DangerousChangeType.VALUE_ADDED_TO_ENUM:
        return isinstance(change, BreakingChange)
    enums = [type_ for type_ in released.type_map.values() if isinstance(type_, GraphQLEnumType)]
    grown = [enum for enum in enums if re.search(rf"\b{enum.name}\b", change.description)]
    return not all(MAY_GROW in (enum.description or "") for enum in grown)


def _listed(changes: Sequence[SchemaChange]) -> list[str]:
    return sorted(f"- {change.description}" for change in changes)


def _decisions(changes: list[str], record: str) -> list[str]:
    """What breaks clients, those changes together about which the same was decided."""
    accepted, behaviour = _entries(record, "accepted"), _entries(record, "behaviour")
    decided: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for change in [*changes, *behaviour]:
        entry = accepted.get(change) or behaviour.get(change, {})
        part = f"`{entry['of']}`: " if "of" in entry else ""
        decided[entry.get("client", ""), entry.get("reason", "")].append(f"- {part}{change}")
    lines = []
    for (client, reason), alike in sorted(decided.items()):
        lines += [f"- {client}", "", f"  Why: {reason}", "", *(f"  {line}" for line in sorted(alike)), ""]
    return lines


def _own_types(schema: GraphQLSchema) -> dict[str, Any]:
    return {
        name: type_
        for name, type_ in schema.type_map.items()
        if not name.startswith("__") and not is_specified_scalar_type(type_)
    }


def _parts(schema: GraphQLSchema) -> set[str]:
    """The types, and their fields and values, by name."""
    types = _own_types(schema)
    members = ((name, {**getattr(of, "fields", {}), **getattr(of, "values", {})}) for name, of in types.items())
    return {*types, *(f"{name}.{member}" for name, found in members for member in found)}


def _deprecated(schema: GraphQLSchema) -> dict[str, str]:
    """Why each field, argument and value is deprecated that is."""
    found = {}
    for type_ in _own_types(schema).values():
        for name, member in {**getattr(type_, "fields", {}), **getattr(type_, "values", {})}.items():
            found[f"{type_.name}.{name}"] = member.deprecation_reason
            for argument, about in getattr(member, "args", {}).items():
                found[f"{type_.name}.{name}({argument}:)"] = about.deprecation_reason
    return {name: why for name, why in found.items() if why is not None}


def _additions(old: GraphQLSchema, new: GraphQLSchema) -> Iterator[str]:
    """New types on one line, then the new fields and arguments of each that was there."""
    before, now = _own_types(old), _own_types(new)
    if types := sorted(now.keys() - before.keys()):
        yield f"- Types: {', '.join(f'`{name}`' for name in types)}"
    for name in sorted(now.keys() & before.keys()):
        known, added = getattr(before[name], "fields", {}), []
        for field, about in getattr(now[name], "fields", {}).items():
            if field not in known:
                added.append(field)
            elif hasattr(about, "args"):
                added += [f"{field}({argument}:)" for argument in about.args if argument not in known[field].args]
        if added:
            yield f"- `{name}`: {', '.join(f'`{member}`' for member in added)}"


if __name__ == "__main__":
    main(sys.argv[1:])
