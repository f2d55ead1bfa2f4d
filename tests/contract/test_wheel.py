"""A wheel made from a checkout holds all that a server needs, and works with the oldest that it says it works with."""

from __future__ import annotations

import os
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.contract.environments import FIRST_DAY, ROOT, Environment, build_wheel, overwrite

PACKAGES = {"memberstaff": "memberstaff", "schema": "memberstaff_schema"}
"""The folders of the checkout, and what a wheel calls them."""

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of this checkout."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def oldest(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel with the oldest of everything that it needs, beside PyPI's `schema`."""
    environment = Environment(tmp_path_factory.mktemp("oldest"))
    environment.install("--require-hashes", "-r", ROOT / "requirements" / "lowest.txt")
    environment.install("--no-deps", wheel)
    return environment


def test_a_wheel_holds_the_dashboard_the_migrations_and_the_schema(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {
        f"{name}/{file.relative_to(ROOT / folder).as_posix()}"
        for folder, name in PACKAGES.items()
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert packed == files
    assert {
        "memberstaff/server/web/index.html",
        "memberstaff/server/web/graphiql/index.html",
        "memberstaff/server/web/reference/index.html",
        "memberstaff/db/migrations/env.py",
        "memberstaff/py.typed",
        "memberstaff_schema/asgi.py",
    } <= packed
    assert any(name.startswith("memberstaff/server/web/assets/") and name.endswith(".js") for name in packed)


def test_a_wheel_carries_the_licences_of_all_that_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (folder,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        ours = archive.read(f"{folder}/licenses/LICENSE").decode()
        theirs = archive.read(f"{folder}/licenses/memberstaff/server/web/licenses.md").decode()
        of_passwords = archive.read(f"{folder}/licenses/memberstaff/accounts/common_passwords.LICENSE").decode()
        metadata = archive.read(f"{folder}/METADATA").decode()
    assert "Copyright (c) Django Software Foundation" in of_passwords
    assert ours.startswith("MIT License\n\nCopyright (c) ")
    assert "\nLicense-Expression: MIT\n" in metadata
    sections = {part.partition(" ")[0]: part for part in theirs.split("\n## ")[1:]}
    for name, words in {
        "react": "Copyright (c) Meta Platforms",
        "urql": "MIT",
        "graphiql": "GraphQL Contributors",
        "monaco-editor": "Microsoft Corporation",
        "@fontsource-variable/inter": "SIL OPEN FONT LICENSE",
        "picomatch-browser": "Jon Schlinkert",
        "prettier,": "@babel/parser",
        "DOMPurify,": "Cure53",
    }.items():
        assert words in theirs, name
        assert name in sections
    assert [name for name, text in sections.items() if len(text.splitlines()) < 3] == []


def test_the_oldest_dependencies_serve_a_first_day_beside_a_foreign_schema(oldest: Environment, tmp_path: Path) -> None:
    assert oldest.first_day(tmp_path) == {"version": f"memberstaff {VERSION}", **FIRST_DAY}
    installed = oldest.versions()
    assert (installed["uvicorn"], installed["redis"], installed["schema"]) == ("0.54.0", "8.1.0", "0.7.8")


def test_a_dependency_that_is_too_old_or_missing_is_named_before_anything_is_imported(
    oldest: Environment, tmp_path: Path
) -> None:
    site = next((oldest.folder / "lib").glob("python*/site-packages"))
    (uvicorn,) = site.glob("uvicorn-*.dist-info")
    (structlog,) = site.glob("structlog-*.dist-info")
    metadata = uvicorn / "METADATA"
    text = metadata.read_text(encoding="utf-8")
    structlog.rename(tmp_path / "structlog")
    overwrite(metadata, text.replace("Version: 0.54.0", "Version: 0.50.2"))
    try:
        done = subprocess.run([oldest.memberstaff, "migrate"], cwd=tmp_path, capture_output=True, text=True)
    finally:
        (tmp_path / "structlog").rename(structlog)
        overwrite(metadata, text)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"memberstaff {VERSION} cannot work with what is installed beside it:\n"
        "structlog is missing.\n"
        "uvicorn 0.50.2 is installed; it must be <0.55,>=0.54.\n"
        "Install memberstaff anew, into an environment of its own.\n"
    )


def test_the_checker_itself_needs_a_package_and_says_so(oldest: Environment, tmp_path: Path) -> None:
    site = next((oldest.folder / "lib").glob("python*/site-packages"))
    (site / "packaging").rename(tmp_path / "packaging")
    try:
        done = subprocess.run([oldest.memberstaff, "--version"], cwd=tmp_path, capture_output=True, text=True)
    finally:
        (tmp_path / "packaging").rename(site / "packaging")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "memberstaff needs a package that is missing: No module named 'packaging'. Install memberstaff anew.\n"
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_library_that_lacks_a_name_is_a_sentence_and_not_a_worker_that_dies_for_ever(
    oldest: Environment, tmp_path: Path, workers: str
) -> None:
    site = next((oldest.folder / "lib").glob("python*/site-packages"))
    module = site / "strawberry" / "dataloader.py"
    text = module.read_text(encoding="utf-8")
    overwrite(module, text.replace("class DataLoader(", "class Loader("))
    environment = {
        "PATH": os.environ["PATH"],
        "MEMBERSTAFF_SECRET_KEY": "long enough to sign the tokens of one day",
        "MEMBERSTAFF_BROADCAST_URL": "redis://127.0.0.1:1/0",
    }
    command = [str(oldest.memberstaff), "serve", "--workers", workers]
    try:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    finally:
        overwrite(module, text)
    assert (done.returncode, done.stdout) == (1, "")
    first, second, third = done.stderr.splitlines()
    assert first == f"memberstaff {VERSION} cannot work with what is installed beside it:"
    assert second.startswith("cannot import name 'DataLoader' from 'strawberry.dataloader'")
    assert third == "Install memberstaff anew, into an environment of its own."
