"""What is made before the first run, and kept in .cache: the load generators, and the Node servers' packages."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import Unable, first_line

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = ROOT / ".cache" / "bench"

GENERATORS = {
    "fanload": ["fanload.c", "subscribers.c", "publishers.c", "events.c", "websocket.c", "common.c"],
    "httpload": ["httpload.c", "common.c"],
}
OLDEST_NODE = 20


@dataclass(frozen=True)
class Tools:
    """Where they are."""

    fanload: Path
    httpload: Path
    node: str | None
    missing: dict[str, str]
    """Why the packages of a folder of peers/ could not be had."""

    def packages(self, folder: str) -> Path:
        """Where the servers of a folder of peers/ run. Raises Unable."""
        if folder in self.missing:
            raise Unable(self.missing[folder])
        return CACHE / folder


def prepare(folders: Iterable[str]) -> Tools:
    """Compile the load generators, and install the packages of these folders of peers/. Raises Unable."""
    CACHE.mkdir(parents=True, exist_ok=True)
    generators = {name: _compile(name, files) for name, files in GENERATORS.items()}
    node = shutil.which("node")
    missing = {}
    for folder in sorted(set(folders)):
        try:
            _install(folder, node)
        except Unable as reason:
            missing[folder] = str(reason)
    return Tools(generators["fanload"], generators["httpload"], node, missing)


def _compile(name: str, files: list[str]) -> Path:
    sources = [HERE / "load" / file for file in files]
    program, stamp = CACHE / name, CACHE / f"{name}.stamp"
    fingerprint = _fingerprint([*sources, *(HERE / "load").glob("*.h")])
    if program.exists() and stamp.exists() and stamp.read_text() == fingerprint:
        return program
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise Unable(
            "The load generators need a C compiler: install one (Debian, Ubuntu: apt-get install gcc libc6-dev)."
        )
    command: list[str | Path] = [compiler, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", program, *sources]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Unable(f"{compiler} could not compile {name}:\n{done.stdout}")
    stamp.write_text(fingerprint)
    return program


def _install(folder: str, node: str | None) -> None:
    """Copy a folder of peers/ into the cache, beside the packages that its lock file names. Raises Unable."""
    source, target = HERE / "peers" / folder, CACHE / folder
    npm = shutil.which("npm")
    if node is None or npm is None:
        raise Unable(f"needs Node {OLDEST_NODE} or later, and npm")
    version = first_line(node, "--version")
    if int(version.lstrip("v").partition(".")[0] or 0) < OLDEST_NODE:
        raise Unable(f"needs Node {OLDEST_NODE} or later; this is {version}")
    target.mkdir(parents=True, exist_ok=True)
    for file in (".npmrc", "package.json", "package-lock.json", *(path.name for path in source.glob("*.js"))):
        shutil.copyfile(source / file, target / file)
    stamp = target / "stamp"
    fingerprint = _fingerprint([source / "package.json", source / "package-lock.json"]) + version
    if stamp.exists() and stamp.read_text() == fingerprint:
        return
    stamp.unlink(missing_ok=True)
    print(f"Installing the packages of benchmarks/peers/{folder} into {target} …", flush=True)
    # Without scripts: none of the packages needs what they would build or fetch.
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=target, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Unable(f"npm ci failed: {done.stdout.strip()[-500:]}")
    stamp.write_text(fingerprint)


def _fingerprint(files: Iterable[Path]) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in sorted(files))).hexdigest()
