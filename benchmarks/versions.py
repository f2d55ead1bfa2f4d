"""Versions of what took part."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks.environment import Environment
from benchmarks.machine import first_line
from benchmarks.tools import HERE, ROOT

PYTHON = ("memberstaff", "strawberry-graphql", "graphql-core", "fastapi", "uvicorn", "uvloop", "broadcaster")


def commit(checkout: Path) -> str:
    """As git describes it."""
    return first_line("git", "-C", str(checkout), "describe", "--always", "--dirty")


def all_of(environment: Environment) -> dict[str, str]:
    """By name; the Node servers' packages as their lock files say."""
    found = {
        "commit": commit(ROOT),
        "python": platform.python_version(),
        "postgresql": environment.postgres.version(),
        "redis": environment.redis.version(),
        **{name: version(name) for name in PYTHON},
        "redis-py": version("redis"),
    }
    if environment.tools.node:
        found["node"] = first_line(environment.tools.node, "--version")
    for folder in ("node", "echo"):
        lock = json.loads((HERE / "peers" / folder / "package-lock.json").read_text(encoding="utf-8"))
        for name in lock["packages"][""]["dependencies"]:
            found[name] = lock["packages"][f"node_modules/{name}"]["version"]
    return found
