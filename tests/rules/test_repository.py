"""What holds for the files of the repository: nothing is fetched that is not pinned, and from nowhere in particular."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import groupby
from pathlib import Path
from posixpath import normpath
from urllib.parse import unquote, urlsplit

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCKS = {
    "run": ["build"],
    "dev": ["build", "test", "check"],
    "node": ["node"],
    "sbom": ["sbom"],
    "image": [],
    "deploy": ["deploy"],
    "ariadne": ["ariadne"],
    "uv": ["uv"],
    "lowest": [],
    "client": [],
}
"""The lock files, and the groups of pyproject.toml that each has."""
PROJECTS = {lock: "clients/python/pyproject.toml" if lock == "client" else "pyproject.toml" for lock in LOCKS}
REGISTRIES = re.compile(  # each in two parts, so that this file names none
    "|".join([r"pypi\." + "org", r"python" + r"hosted\.org", r"npm" + r"js\.(org|com)", r"yarn" + r"pkg\.com"]).encode()
)
PINNED = re.compile(
    r"(?P<name>[a-z0-9-]+)(\[[a-z0-9,-]+\])?==(?P<version>\S+)(?P<marker> ; [^\\]+)?"
    r"(?P<hashes>( \\\n    --hash=sha256:[0-9a-f]{64})+)\n"
)
LINK = re.compile(r"\]\((?P<inline>[^)\s]+)\)|^\[[^\]]+\]: +(?P<reference>\S+)", re.MULTILINE)


def repository_files() -> Iterator[Path]:
    """What git would keep. Not asked of git, which a copy of the checkout has not, or does not trust."""
    ignored = [".git", *_ignored(ROOT)]

    def is_kept(path: Path) -> bool:
        inside = path.relative_to(ROOT).as_posix()
        return not any(fnmatch(inside if "/" in pattern else path.name, pattern) for pattern in ignored)

    for folder, folders, names in os.walk(ROOT):
        here = Path(folder)
        folders[:] = [name for name in folders if is_kept(here / name)]
        yield from (here / name for name in names if is_kept(here / name))


def _ignored(folder: Path) -> list[str]:
    lines = (folder / ".gitignore").read_text().splitlines()
    return [line.strip("/") for line in lines if line and line[0] != "#"]


def pages() -> dict[str, str]:
    """The Markdown pages by path, without their blocks of code. Not .github's: they are read at other addresses."""
    files = [(file.relative_to(ROOT).as_posix(), file) for file in repository_files() if file.suffix == ".md"]
    return {
        path: re.sub(r"^ *```.*?^ *```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for path, file in files
        if not path.startswith(".github/")
    }


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", page, re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = first = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        number = 0
        while slug in found:
            number += 1
            slug = f"{first}-{number}"
        found.add(slug)
    return found


def broken_links(pages: dict[str, str], files: set[str]) -> list[str]:
    """The links to files and headings that are not there."""
    folders = {"."} | {parent.as_posix() for file in files for parent in Path(file).parents}
    broken = []
    for page, text in pages.items():
        for link in LINK.finditer(re.sub(r"`[^`\n]*`", "", text)):
            target = link["inline"] or link["reference"]
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            path = normpath(f"{Path(page).parent.as_posix()}/{unquote(parts.path)}") if parts.path else page
            leads = path in files | folders and (not parts.fragment or parts.fragment in anchors(pages.get(path, "")))
            if not leads:
                broken.append(f"{page}: {target}")
    return broken


def locked(lock: str) -> dict[str, list[Version]]:
    """The versions of each distribution in a lock file; several if they differ between platforms."""
    versions: dict[str, list[Version]] = {}
    for entry in PINNED.finditer((ROOT / "requirements" / f"{lock}.txt").read_text()):
        versions.setdefault(entry["name"], []).append(Version(entry["version"]))
    return versions


def wanted(lock: str) -> list[Requirement]:
    """What pyproject.toml asks for by name."""
    pyproject = tomllib.loads((ROOT / PROJECTS[lock]).read_text())
    lines = [*pyproject["project"]["dependencies"]] if lock in {"run", "dev", "image", "lowest", "client"} else []
    for group in LOCKS[lock]:
        lines += pyproject["dependency-groups"][group]
    return [Requirement(line) for line in lines]


def test_no_file_names_a_package_registry() -> None:
    naming = [str(file.relative_to(ROOT)) for file in repository_files() if REGISTRIES.search(file.read_bytes())]
    assert naming == []


def test_no_lock_file_is_of_a_kind_that_holds_addresses() -> None:
    names = {"uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock", ".python-version"}
    assert [str(file.relative_to(ROOT)) for file in repository_files() if file.name in names] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_hashed_versions_and_nothing_else(lock: str) -> None:
    left = PINNED.sub("", (ROOT / "requirements" / f"{lock}.txt").read_text())
    assert left == ""


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_what_the_project_asks_for(lock: str) -> None:
    versions = locked(lock)
    unmet = [
        str(requirement)
        for requirement in wanted(lock)
        if not any(map(requirement.specifier.contains, versions.get(canonicalize_name(requirement.name), [])))
    ]
    assert unmet == [], "`./dev lock` brings the locks up to date"


def test_the_server_runs_with_the_versions_that_are_tested() -> None:
    tested = locked("dev")
    assert {name: versions for name, versions in locked("run").items() if tested.get(name) != versions} == {}


@pytest.mark.parametrize("lock", ["lowest", "client"])
def test_the_oldest_dependencies_are_those_that_the_bounds_name(lock: str) -> None:
    oldest = locked(lock)
    bounds = {
        requirement.name: [Version(each.version) for each in requirement.specifier if each.operator == ">="]
        for requirement in wanted(lock)
    }
    assert {name: oldest[canonicalize_name(name)] for name in bounds} == bounds


def test_the_way_of_a_change_enters_each_folder_once_and_names_files_that_exist() -> None:
    _, _, page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("\n## The way of a change\n")
    way, _, _ = page.partition("\n## ")
    legs = re.findall(r"(?:^\d+\. `.*\n(?:  .*\n)*)+", way, re.MULTILINE)
    assert len(legs) == 2
    for leg in legs:
        files = [ROOT / name for name in re.findall(r"^\d+\. `([^`]+)`", leg, re.MULTILINE)]
        assert [file for file in files if not file.is_file()] == []
        folders = [folder for folder, _ in groupby(file.parent for file in files)]
        assert len(folders) == len(set(folders)) >= 5


def test_every_file_that_the_guide_for_contributors_names_exists() -> None:
    guide = pages()["CONTRIBUTING.md"]
    named = set(re.findall(r"`((?:memberstaff|schema|tests|docs)/[\w./-]+)`", guide))
    assert len(named) >= 40
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_link_of_a_page_leads_to_a_file_or_a_heading() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/clients.md", "dashboard/README.md"} <= pages().keys()
    assert broken_links(pages(), {file.relative_to(ROOT).as_posix() for file in repository_files()}) == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    home = "# Home\n## See `it` work: a, b\n## Twice\n## Twice\n"
    links = ["docs/a.md", "docs", "#see-it-work-a-b", "#twice-1", "https://x.example/y", "docs/a.md#deep"]
    wrong = ["docs/b.md", "b", "#see-it", "#twice-2", "docs/a.md#home", "../home.md"]
    text = home + " ".join(f"[word]({link})" for link in links + wrong)
    page = "## Deep\n[home](../home.md#twice) ![picture](../home.png)\n\n[up]: ../docs/c.md\n"
    assert broken_links({"home.md": text, "docs/a.md": page}, {"home.md", "docs/a.md"}) == [
        *(f"home.md: {link}" for link in wrong),
        "docs/a.md: ../home.png",
        "docs/a.md: ../docs/c.md",
    ]
