"""What a mark costs below GraphQL: in the database, from the resolver to the commit, and by pgbench."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
from psutil import NoSuchProcess, Process
from sqlalchemy import make_url

from benchmarks.environment import Environment
from benchmarks.processes import Failed
from benchmarks.scenarios import Http

MARKING = Path(__file__).with_name("marking.py")

Found = dict[str, Any]


@contextmanager
def stored(environment: Environment, database: str | None) -> Iterator[Found]:
    """What PostgreSQL computes for each mark that the block stores, and for its connections."""
    found: Found = {}
    if database is None:
        yield found
        return
    position, cpu = _position(database, environment.day), _cpu_seconds(environment.postgres.pid)
    yield found
    marks = _position(database, environment.day) - position
    found["database_cpu_s_per_1k"] = (_cpu_seconds(environment.postgres.pid) - cpu) / max(marks, 1) * 1000


def from_the_resolver(environment: Environment, database: str, case: Http) -> Found:
    """Our own share: group commit, in a process without HTTP, GraphQL and Redis."""
    times = ["--connections", str(case.connections), "--seconds", str(case.seconds), "--warm", str(case.warm_seconds)]
    found: Found = json.loads(environment.run_python(MARKING, *_whom(environment), *times, database=database))
    return found


def by_pgbench(environment: Environment, database: str, case: Http) -> Found:
    """The same statements, one mark in a transaction, from a client that does nothing else."""
    program = environment.postgres.binaries / "pgbench"
    if not program.exists():
        raise Failed(
            f"{program.parent} has no pgbench: install PostgreSQL (Debian, Ubuntu: apt-get install postgresql)"
        )
    script = environment.folder / "mark.sql"
    script.write_text(
        environment.run_python(MARKING, *_whom(environment), "--script", database=database), encoding="utf-8"
    )
    url = make_url(database)
    command: list[str | Path] = [program, "--no-vacuum", "--protocol=prepared", f"--client={case.connections}"]
    command += [f"--file={script}", f"--host={url.query['host']}", f"--username={url.username}"]
    log = environment.folder / "pgbench"

    def run(seconds: float) -> float:
        words = [*command, f"--time={max(1, round(seconds))}", "--log", f"--log-prefix={log}", str(url.database)]
        before = os.times()
        done = subprocess.run(words, capture_output=True, text=True, cwd=environment.folder, check=False)
        if done.returncode:
            raise Failed(f"pgbench failed: {done.stderr[-1000:].strip()}")
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    run(case.warm_seconds)
    _lines(log)
    cpu = run(case.seconds)
    took = sorted(int(line.split()[2]) / 1000 for line in _lines(log))
    return {
        "ok": True,
        "requests": len(took),
        "requests_per_s": len(took) / max(1, round(case.seconds)),
        "cpu_s_per_1k": cpu / len(took) * 1000,
        "p50_ms": took[len(took) // 2],
        "p99_ms": took[len(took) * 99 // 100],
    }


def _whom(environment: Environment) -> list[str]:
    return ["--token", environment.token, "--staff", str(environment.staff_number), "--date", str(environment.day)]


def _lines(log: Path) -> list[str]:
    """What a run of pgbench has logged of its transactions; the next one begins anew."""
    [file] = log.parent.glob(f"{log.name}.*")
    lines = file.read_text(encoding="ascii").splitlines()
    file.unlink()
    return lines


def _position(database: str, on: date) -> int:
    async def ask() -> int:
        connection = await asyncpg.connect(make_url(database).set(drivername="postgresql").render_as_string())
        try:
            return int(await connection.fetchval("SELECT position FROM attendance_day WHERE date = $1", on))
        finally:
            await connection.close()

    return asyncio.run(ask())


def _cpu_seconds(postgres: int) -> float:
    """Of all its processes, those that have ended included."""
    server = Process(postgres)
    times = []
    for child in server.children(recursive=True):
        with suppress(NoSuchProcess):  # the server counts it among those that have ended
            times.append(child.cpu_times())
    own = server.cpu_times()
    return sum(each.user + each.system for each in [own, *times]) + own.children_user + own.children_system
