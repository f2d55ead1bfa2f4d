"""Fresh environments into which the wheel of this checkout is installed, as a server's would be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[2]
UV = find_uv_bin()


def build(project: Path, target: str, folder: Path) -> None:
    """Put a project's "wheel" or "sdist" into a folder."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)


def build_wheel(folder: Path) -> Path:
    """The wheel of this checkout, as it is now."""
    build(ROOT, "wheel", folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


class Environment:
    """A virtual environment with this Python, to be filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _run(UV, "venv", "--quiet", "--clear", "--python", sys.executable, folder)

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def memberstaff(self) -> Path:
        """The command."""
        return self.folder / "bin" / "memberstaff"

    def install(self, *words: str | Path) -> None:
        """Install what `uv pip install` is told to, from wheels alone."""
        _run(UV, "pip", "install", "--quiet", "--python", self.python, "--only-binary", ":all:", *words)

    def versions(self) -> dict[str, str]:
        """What is installed, by name."""
        listed = json.loads(_run(UV, "pip", "list", "--quiet", "--python", self.python, "--format", "json"))
        return {package["name"]: package["version"] for package in listed}

    def first_day(self, folder: Path) -> dict[str, Any]:
        """Play first_day.py in an empty folder; answers what happened."""
        script = Path(__file__).with_name("first_day.py")
        told: dict[str, Any] = json.loads(_run(self.python, script, folder, cwd=folder))
        return told


def overwrite(file: Path, text: str) -> None:
    """Change a file of an environment. It may be a hard link, which other environments and uv's cache share."""
    file.unlink()
    file.write_text(text, encoding="utf-8")


FIRST_DAY = {
    "marked": {"attendance": {"staffName": "Amina Diallo", "status": "LATE"}, "errors": []},
    "event": {"staffName": "Amina Diallo", "status": "LATE", "updatedBy": "Front desk"},
    "page": "memberstaff",
    "demo": True,
}
"""What happens on a first day, beside the version."""


def _run(*words: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}"
    return done.stdout
