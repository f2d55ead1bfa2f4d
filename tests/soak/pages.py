"""docs/backup.md: the commands that it shows, to be run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "backup.md"
COMMAND_SECONDS = 120.0


def steps(title: str) -> dict[str, list[str]]:
    """The commands below a heading of the page, by subheading, as blocks in order."""
    section = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert section is not None, f"docs/backup.md has no {title!r}"
    parts = re.split(r"^### (.+)\n", section[1], flags=re.MULTILINE)
    return {
        name: re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def run(block: str, variables: Mapping[str, str], folder: Path, user: int | None = None) -> None:
    """Run a block, as this user. Raises RuntimeError if it fails."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        env=dict(variables),
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_SECONDS,
        cwd=folder,
    )
    if done.returncode:
        raise RuntimeError(f"This did not succeed:\n{block}\n{done.stdout}")
