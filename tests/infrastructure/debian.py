"""What only Debian packages: found on this machine, or installed there by whoever may."""

from __future__ import annotations

import os
import shutil
import subprocess

from tests.infrastructure.process import NotFound, is_root

SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def require(**programs: str) -> None:
    """Install the packages of programs that are missing, by program. Raises NotFound when that needs somebody else."""
    missing = [package for program, package in programs.items() if find(program) is None]
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing]
    if not (is_root() and shutil.which("apt-get")):
        raise NotFound(f"This drill needs more programs: {' '.join(command)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if _runs(*command, environment=environment):
        return
    _runs("apt-get", "update", "--quiet", environment=environment)  # the lists are old, or were never fetched
    subprocess.run(command, env=environment, check=True)


def _runs(*command: str, environment: dict[str, str]) -> bool:
    return (
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    )


def find(program: str) -> str | None:
    """The path of a program; a name has `_` for `-`."""
    return shutil.which(program.replace("_", "-"), path=SEARCHED)
