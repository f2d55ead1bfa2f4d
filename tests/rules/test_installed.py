"""What is installed beside memberstaff is compared with what it asks for, and the packages are named."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from memberstaff import installed


@pytest.fixture
def asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The metadata of a distribution `asker`, for which a test writes what it requires."""
    folder = tmp_path / "asker-1.0.dist-info"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder / "METADATA"


def requiring(metadata: Path, *requirements: str) -> None:
    asked = "".join(f"Requires-Dist: {requirement}\n" for requirement in requirements)
    metadata.write_text(f"Metadata-Version: 2.1\nName: asker\nVersion: 1.0\n{asked}", encoding="utf-8")


def test_memberstaff_has_what_it_asks_for() -> None:
    assert installed.too_old() == []
    assert installed.untried() == []
    assert installed.describe() == f"memberstaff {version('memberstaff')}"


def test_what_is_missing_or_too_old_is_named(asking: Path) -> None:
    elsewhere = ("nothing; python_version < '3'", "nothing; extra == 'odd'")
    requiring(asking, "anyio>=999", "no-such-package", "pytest>=1,<99", *elsewhere)
    assert installed.too_old("asker") == [
        f"anyio {version('anyio')} is installed; it must be >=999.",
        "no-such-package is missing.",
    ]
    assert installed.untried("asker") == []
    assert installed.too_old("asker", extra="odd") == ["nothing is missing."]


def test_an_extra_is_asked_for_with_the_package_that_has_it(
    asking: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "with_extras-2.0.dist-info"
    folder.mkdir()
    requires = ["no-such-driver; extra == 'fast'", "no-such-toy; extra == 'slow'", "anyio"]
    lines = "".join(f"Requires-Dist: {each}\n" for each in requires)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: with-extras\nVersion: 2.0\n{lines}")
    requiring(asking, "with-extras[fast]>=1")
    assert installed.too_old("asker") == ["no-such-driver is missing."]


def test_what_is_newer_than_anything_tried_is_no_reason_to_refuse_but_is_named(asking: Path) -> None:
    requiring(asking, "anyio>=1,<2")
    assert installed.too_old("asker") == []
    assert installed.untried("asker") == [f"anyio {version('anyio')} is installed; memberstaff was tried with <2,>=1."]


def test_a_source_tree_that_nobody_installed_asks_for_nothing() -> None:
    assert installed.too_old("never-installed") == []
    assert installed.describe("never-installed") == "never-installed (not installed)"
