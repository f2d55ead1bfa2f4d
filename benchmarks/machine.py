"""The machine: which cores are whose, what it is, and whether it can run the benchmarks at all."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from pathlib import Path

WANTED_FILES = 20_000
"""Open files: 5,000 sockets in one process, with room."""


class Unable(Exception):
    """What was asked for cannot be done on this machine; the message says what is missing."""


def require_linux() -> None:
    """Raise Unable where there is no /proc to read the CPU time from, and no epoll for the load generators."""
    if sys.platform != "linux":
        raise Unable("The benchmarks need Linux: they read /proc, and the load generators use epoll.")


def cores() -> tuple[set[int], set[int]]:
    """For the server, and for everything else; the same when this process may use only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return {allowed[0]}, {allowed[1] if len(allowed) > 1 else allowed[0]}


def keep_to(which: set[int]) -> None:
    """Keep this process, and whatever it starts from now on, to these cores."""
    os.sched_setaffinity(0, which)


def allow_many_files() -> None:
    """Raise this process's limit of open files, which children inherit. Raises Unable."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(WANTED_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < 6_000:
        raise Unable(f"The largest scenario needs 6,000 open files in one process; the limit is {hard} (ulimit -Hn).")


def describe() -> dict[str, str | int]:
    """What the figures depend on."""
    return {
        "processor": _value(Path("/proc/cpuinfo"), "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory": _value(Path("/proc/meminfo"), "MemTotal"),
        "system": platform.platform(),
    }


def processes_below(root: int) -> list[int]:
    """A process and all its descendants."""
    found = [root]
    for parent in found:  # grows while it is walked
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(word) for word in task.read_text(encoding="ascii").split()]
            except OSError:  # ended meanwhile
                continue
    return found


def first_line(*command: str) -> str:
    """The first line that a program prints, or "" when it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return (done.stdout.strip().splitlines() or [""])[0]


def _value(file: Path, name: str) -> str:
    for line in file.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
