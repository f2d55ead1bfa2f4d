"""What only Debian packages: found on this machine, or installed there by whoever may."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.infrastructure.process import NotFound, is_root

SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def require(**programs: str) -> None:
    """Install the packages of programs that are missing, by program. Raises NotFound when that needs somebody else."""
    install([package for program, package in programs.items() if find(program) is None])


def install(missing: Sequence[str]) -> None:
    """Install packages. Raises NotFound when that needs somebody else."""
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


LEFT_OUT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/")


def copy_of_system(archive: Path, *wanted: str) -> None:
    """Pack what is essential on this machine, apt, these packages and what they need, as they are installed here.

    Within seconds, and without a download, it is what a fresh system would be for a container. Raises NotFound.
    """
    have, _ = _installed()
    install([name for name in wanted if name not in have])
    files = set()
    for line in _said("dpkg-query", "--listfiles", *sorted(_closure({*wanted, "apt"}))).splitlines():
        # Packages name /bin/sh what is in /usr/bin.
        path = Path(line).parent.resolve() / Path(line).name
        if line.startswith("/") and os.path.lexists(path) and not line.startswith(LEFT_OUT):
            files |= {str(path), *(str(folder) for folder in path.parents)}
    links = [name for name in ("/bin", "/lib", "/lib64", "/sbin") if Path(name).is_symlink()]
    command = ["tar", "--create", "--no-recursion", "--absolute-names", "--null", "--files-from=-", f"--file={archive}"]
    # The accounts that every Debian begins with; useradd adds to them.
    for name in ("passwd", "group"):
        command.append(f"--transform=flags=r;s,^/usr/share/base-passwd/{name}.master$,/etc/{name},")
    command.append("--transform=s,^/,./,")
    listed = "\0".join(sorted({*files, *links} - {"/", "/etc/passwd", "/etc/group"}))
    subprocess.run(command, input=listed.encode(), check=True)


def _closure(wanted: set[str]) -> set[str]:
    """These packages, the essential ones, and what all of them depend on."""
    needs, provided = _installed()
    left, found = [*wanted, *(name for name, (is_essential, _) in needs.items() if is_essential)], set()
    while left:
        name = left.pop()
        name = name if name in needs else provided[name]
        if name not in found:
            found.add(name)
            alternatives = needs[name][1]
            left += [next(each for each in either if each in needs or each in provided) for either in alternatives]
    return found


def _installed() -> tuple[dict[str, tuple[bool, list[list[str]]]], dict[str, str]]:
    """By package whether it is essential, and the alternatives of what it needs; and who provides a virtual one."""
    shown = r"${Package}\t${Essential}\t${db:Status-Status}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
    needs: dict[str, tuple[bool, list[list[str]]]] = {}
    provided: dict[str, str] = {}
    for line in _said("dpkg-query", "--show", f"--showformat={shown}").splitlines():
        name, essential, status, depends, provides = line.split("\t")
        if status == "installed":
            needs[name] = essential == "yes", _names(depends)
            provided |= {each: name for [each] in _names(provides)}
    return needs, provided


def _names(relation: str) -> list[list[str]]:
    """The names in a relation between packages: "a (>= 1) | b, c" is a or b, and c."""
    clauses = [clause for clause in relation.split(",") if clause.strip()]
    return [[re.split(r"[ (:]", each.strip())[0] for each in clause.split("|")] for clause in clauses]


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
