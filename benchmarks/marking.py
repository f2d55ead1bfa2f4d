"""Marks as the resolver asks for them, without GraphQL, HTTP and Redis: prints one line of JSON, as httpload does.

With `--script` it prints a script for pgbench instead, with the statements that were sent for a mark.

It runs under the Python of the checkout that is measured, with that server's settings.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import uvloop
from sqlalchemy import event

from memberstaff.accounts.tokens import AccessTokens
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.group_commit import GroupCommit
from memberstaff.attendance.rules import Mark
from memberstaff.changes import Status
from memberstaff.db.database import Database
from memberstaff.settings import load

NAMES = {"session": "caller_", "attendance_day": "day_", "staff": "record_"}
"""What the columns of a SELECT are called in the script, by the table in which it begins."""


class Marking:
    """Marks one person, each time with another note."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        settings = load()
        self.database = Database(
            settings.database_url.get_secret_value(),
            zone=settings.zone,
            pool_size=settings.database_pool_size,
            answer_seconds=settings.database_seconds,
        )
        self._group_commit = GroupCommit(self.database, Calendar(settings.working_weekdays))
        self._claims = AccessTokens(settings.keyring).read(chosen.token, now=self.database.now())
        self._chosen = chosen
        self._number = 0

    async def mark(self) -> None:
        """Returns after the commit."""
        self._number += 1
        mark = Mark(self._chosen.staff, Status.LATE, note=f"note {self._number}")
        await self._group_commit.mark(self._claims, self._chosen.date, mark)


async def script(marking: Marking) -> None:
    """Print a script for pgbench: what is sent for one mark."""
    sent: list[tuple[str, Sequence[Any]]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Sequence[Any], *_: object) -> None:
        sent.append((statement, parameters))

    await marking.mark()  # the first of a connection asks for more
    event.listen(marking.database.engine.sync_engine, "before_cursor_execute", note)
    await marking.mark()
    await marking.database.close()
    print("\\set number random(1, 1000000)\nBEGIN;")
    for statement, parameters in sent:
        print(_in_script(statement, parameters))
    print("COMMIT;")


def _in_script(statement: str, parameters: Sequence[Any]) -> str:
    """The statement with literals for its parameters; its end keeps what later ones need."""
    rows = [json.loads(value)[0] for value in parameters if isinstance(value, str) and value.startswith("[{")]
    moved = {row["position"] for row in rows}

    def value(match: re.Match[str]) -> str:
        given = parameters[int(match[1]) - 1]
        if isinstance(given, str) and given.startswith("[{"):
            return _revision(json.loads(given)[0])
        return ":day_position + 1" if type(given) is int and given in moved else _literal(given)

    line = " ".join(re.sub(r"\$(\d+)", value, statement).split())
    table = re.match(r"SELECT (\w+)\.", line)
    return f"{line} \\gset {NAMES[table[1]]}" if table else f"{line};"


def _revision(row: dict[str, Any]) -> str:
    """The text that memberstaff writes for a revision, but that pgbench cannot compute one."""
    computed = {"position": ":day_position + 1", "version": ":record_version + 1", "note": "'\"' || :number || '\"'"}
    text = ",".join(f'"{name}":' + ("%s" if name in computed else json.dumps(value)) for name, value in row.items())
    return f"format('[{{{text}}}]', {', '.join(computed[name] for name in row if name in computed)})"


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(_literal, value))}]"
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, date | datetime):
        return f"'{value.isoformat()}'"
    assert isinstance(value, str), value
    return "'" + value.replace("'", "''") + "'"


async def measure(marking: Marking, *, connections: int, warm: float, seconds: float) -> None:
    """So many at a time, each again as soon as it is committed."""
    took: list[float] = []

    async def desk() -> None:
        while True:
            began = time.perf_counter()
            await marking.mark()
            took.append(time.perf_counter() - began)

    desks = [asyncio.create_task(desk()) for _ in range(connections)]
    await asyncio.wait(desks, timeout=warm, return_when=asyncio.FIRST_EXCEPTION)
    took.clear()
    began, cpu = time.perf_counter(), time.process_time()
    failed, _ = await asyncio.wait(desks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    for task in failed:
        task.result()
    marks, took = len(took), sorted(took)
    for task in desks:
        task.cancel()
    await asyncio.wait(desks)
    await marking.database.close()
    found = {
        "ok": True,
        "requests": marks,
        "requests_per_s": round(marks / wall, 1),
        "cpu_s_per_1k": round(cpu / marks * 1000, 4),
        "server_busy": round(cpu / wall, 3),
        "p50_ms": round(took[marks // 2] * 1000, 3),
        "p99_ms": round(took[marks * 99 // 100] * 1000, 3),
    }
    print(json.dumps(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--token", required=True)
    parser.add_argument("--staff", type=int, required=True)
    parser.add_argument("--date", type=date.fromisoformat, required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--warm", type=float, default=0)
    parser.add_argument("--script", action="store_true", help="print a script for pgbench instead")
    return parser.parse_args()


if __name__ == "__main__":
    chosen = _options()
    marking = Marking(chosen)
    times = {"connections": chosen.connections, "warm": chosen.warm, "seconds": chosen.seconds}
    uvloop.run(script(marking) if chosen.script else measure(marking, **times))
