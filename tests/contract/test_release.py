"""A release is written into the checkout whole, or refused with what has to be done first."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.contract.environments import ROOT
from tools.release import CannotRelease, release, uncommitted

PYTHON = ("pyproject.toml", "clients/python/pyproject.toml")
NPM = ("clients/typescript/package.json", "clients/typescript/package-lock.json")
DAY = dt.date(2026, 12, 1)
CHANGELOG = """# Changelog

## Unreleased

### Added

- Something.

## 0.1.9 (2026-11-30)

- Earlier.
"""
ACCEPTED = """
[[accepted]]
change = "Field Person.fax was removed."
reason = "Nobody sent one."
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a release writes to, after 0.1.9."""
    (tmp_path / "docs").mkdir()
    shutil.copytree(ROOT / "docs" / "schema", tmp_path / "docs" / "schema")
    for name in (*PYTHON, *NPM, "schema.graphql"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    with (tmp_path / "docs/schema/breaking.toml").open("a") as record:
        record.write(ACCEPTED)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def texts(folder: Path) -> dict[Path, str]:
    return {file: file.read_text(encoding="utf-8") for file in folder.rglob("*") if file.is_file()}


def test_a_release_sets_version_date_and_the_schema_that_clients_rely_on(checkout: Path) -> None:
    with (checkout / "schema.graphql").open("a") as schema:
        schema.write("# newer\n")
    written = release(checkout, "0.2.0", DAY)
    assert sorted(file.relative_to(checkout).as_posix() for file in written) == [
        "CHANGELOG.md",
        "clients/python/pyproject.toml",
        "clients/typescript/package-lock.json",
        "clients/typescript/package.json",
        "docs/schema/breaking.toml",
        "docs/schema/changes.md",
        "docs/schema/released.graphql",
        "pyproject.toml",
    ]
    for name in PYTHON:
        project = tomllib.loads((checkout / name).read_text())
        before = tomllib.loads((ROOT / name).read_text())
        assert project == {**before, "project": {**before["project"], "version": "0.2.0"}}
    for name in NPM:
        package = json.loads((ROOT / name).read_text())
        package["version"] = "0.2.0"
        if "packages" in package:
            package["packages"][""]["version"] = "0.2.0"
        assert json.loads((checkout / name).read_text()) == package
    assert (checkout / "CHANGELOG.md").read_text() == CHANGELOG.replace("## Unreleased", "## 0.2.0 (2026-12-01)")
    assert (checkout / "docs/schema/released.graphql").read_text() == (checkout / "schema.graphql").read_text()
    told = (ROOT / "docs/schema/changes.md").read_text().replace("## Unreleased", "## 0.2.0 (2026-12-01)")
    assert (checkout / "docs/schema/changes.md").read_text() == told
    record = (checkout / "docs/schema/breaking.toml").read_text()
    assert tomllib.loads(record) == {}
    assert record.startswith("# Breaking changes")


@pytest.mark.parametrize(
    ("version", "file", "text", "reason"),
    [
        ("0.2", "", "", "0.2 is not a version such as 0.2.0."),
        ("v0.2.0", "", "", "v0.2.0 is not a version such as 0.2.0."),
        ("0.2.0.dev1", "", "", "0.2.0.dev1 is not a version such as 0.2.0."),
        ("0.1.9", "", "", "0.1.9 is not newer than 0.1.9, the last release."),
        ("0.1.10", "CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n## 0.1.9 (x)\n", "CHANGELOG.md says nothing"),
        ("0.1.10", "CHANGELOG.md", "# Changelog\n", "CHANGELOG.md says nothing"),
        ("0.0.0", "CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n- X.\n", "0.0.0 is not newer than 0.0.0"),
    ],
)
def test_what_is_not_ready_is_refused_and_nothing_is_written(
    checkout: Path, version: str, file: str, text: str, reason: str
) -> None:
    if file:
        (checkout / file).write_text(text)
    before = texts(checkout)
    with pytest.raises(CannotRelease) as refused:
        release(checkout, version, DAY)
    assert str(refused.value).startswith(reason)
    assert texts(checkout) == before


def test_what_is_not_committed_is_named(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    assert uncommitted(tmp_path) == []
    (tmp_path / "new").touch()
    assert uncommitted(tmp_path) == ["new"]
