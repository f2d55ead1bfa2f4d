"""Writes a release into the checkout: its version, its date, and the schema that clients may rely on from then on.

`python -m tools.release X.Y.Z`. It publishes nothing; docs/releasing.md says what comes before and after.
"""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNRELEASED = "## Unreleased\n"


class CannotRelease(Exception):
    """What has to be done first."""


def release(root: Path, version: str, today: dt.date) -> list[Path]:
    """Write a release into the files of a checkout; answers which. Raises CannotRelease, having written nothing."""
    if not re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", version):
        raise CannotRelease(f"{version} is not a version such as 0.2.0.")
    projects, changelog = [root / "pyproject.toml", root / "clients/python/pyproject.toml"], root / "CHANGELOG.md"
    client = root / "clients" / "typescript"
    schema = root / "docs" / "schema"
    history = changelog.read_text(encoding="utf-8")
    before = re.findall(r"^## (\d+)\.(\d+)\.(\d+) ", history, re.MULTILINE)
    last = max((tuple(map(int, each)) for each in before), default=(0, 0, 0))
    if tuple(map(int, version.split("."))) <= last:
        raise CannotRelease(f"{version} is not newer than {'.'.join(map(str, last))}, the last release.")
    _, heading, rest = history.partition(UNRELEASED)
    if not heading or not rest.partition("\n## ")[0].strip():
        raise CannotRelease("CHANGELOG.md says nothing under `## Unreleased`.")
    changes = (schema / "changes.md").read_text(encoding="utf-8")
    record = (schema / "breaking.toml").read_text(encoding="utf-8").splitlines(keepends=True)
    stated = {file: file.read_text(encoding="utf-8") for file in projects}
    line = f'version = "{version}"'
    texts = {
        **{file: re.sub(r'(?m)^version = ".*"$', line, text, count=1) for file, text in stated.items()},
        client / "package.json": with_version(client / "package.json", version, times=1),
        client / "package-lock.json": with_version(client / "package-lock.json", version, times=2),
        changelog: history.replace(UNRELEASED, f"## {version} ({today})\n", 1),
        schema / "changes.md": changes.replace(UNRELEASED, f"## {version} ({today})\n", 1),
        schema / "released.graphql": (root / "schema.graphql").read_text(encoding="utf-8"),
        schema / "breaking.toml": "".join(takewhile(lambda line: line.startswith("#"), record)),
    }
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")
    return list(texts)


def with_version(file: Path, version: str, *, times: int) -> str:
    """The text of one of npm's files, whose first `version`s are the package's own."""
    return re.sub(r'"version": "[^"]*"', f'"version": "{version}"', file.read_text(encoding="utf-8"), count=times)


def uncommitted(root: Path) -> list[str]:
    """The files of a checkout that differ from its last commit."""
    done = subprocess.run(["git", "status", "--porcelain"], cwd=root, check=True, capture_output=True, text=True)
    return [line[3:] for line in done.stdout.splitlines()]


def main(arguments: list[str]) -> None:
    """Release, or say what has to be done first."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.exit("./dev release X.Y.Z   (docs/releasing.md says what comes before and after)")
    (version,) = arguments
    try:
        if changed := uncommitted(ROOT):
            raise CannotRelease(f"These files are not committed: {', '.join(changed)}.")
        files = release(ROOT, version, dt.datetime.now(dt.UTC).date())
    except CannotRelease as reason:
        sys.exit(str(reason))
    names = " ".join(file.relative_to(ROOT).as_posix() for file in files)
    print("Look at the changes, and then:")
    print(f"  git commit -m 'release: {version}' {names}")
    print(f"  git tag -a v{version} -m {version}")


if __name__ == "__main__":
    main(sys.argv[1:])
