"""The constants of docs/scale.md: `.venv/bin/python -m benchmarks.costs`, two minutes; each is a line of JSON.

CPU time of this process, of a server and of PostgreSQL, and bytes; no clock, so that a busy machine falsifies little.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
from psutil import NoSuchProcess, Process
from sqlalchemy import make_url

from benchmarks import machine
from benchmarks.access import in_process
from benchmarks.environment import Environment, running_environment
from benchmarks.machine import Unable
from benchmarks.processes import Failed
from benchmarks.tools import Tools
from memberstaff.application import Application
from memberstaff.changes import Change, DayProgress, Status
from memberstaff.db.database import Database
from memberstaff.live.feed import Feed
from memberstaff.notify import codec
from memberstaff.notify.notification import Notification
from memberstaff.notify.seal import Seal
from memberstaff.settings import Settings, load
from tests.web import web_client

DAY = date(2026, 1, 12)
SESSIONS = 5_000
MARKED_DAYS = 10
AT_ONCE = 16
LISTED = "query ($d: Date!) { attendanceDay(date: $d) { records(first: 200) { edges { node { staffId } } } } }"
MARK = "mutation ($i: UpdateAttendanceInput!) { updateAttendance(input: $i) { errors { message } } }"


def microseconds(work: Callable[[int], object], times: int) -> float:
    """CPU time of a call, the third time that it is tried: caches are warm."""
    for _ in range(3):
        began = time.process_time()
        for number in range(times):
            work(number)
    return round((time.process_time() - began) / times * 1e6, 1)


def notification(number: int, changes: int) -> Notification:
    """Of so many changes of a day, which end at this number."""
    one = Change(
        *(DAY, 1, 1, 1, Status.LATE, "A note of some words", None),
        *(datetime.now(UTC), 1, "Front desk", "Amina Diallo", "TEACHING", None, 1),
    )
    some = tuple(replace(one, position=number - changes + index + 1, staff_id=index + 1) for index in range(changes))
    return Notification(1, days=(DayProgress(DAY, number, 1),), changes=some)


async def notifications(settings: Settings) -> dict[str, float]:
    """What a notification costs its publisher, beside Redis's client, and each process that hears it."""
    application = Application(settings)
    seal = Seal(settings.keyring, "costs")
    found: dict[str, float] = {}
    for changes in (1, 200):
        plain = notification(1_000, changes)
        sealed = seal.seal(codec.encode(plain))

        def hear(_: int, sealed: str = sealed) -> None:
            application.notifier._receive(seal.open(sealed))  # noqa: SLF001 - what the channel calls

        def write(_: int, plain: Notification = plain) -> None:
            seal.seal(codec.encode(plain))

        times = 20_000 // changes
        found[f"bytes on the wire, {changes} changes"] = len(sealed)
        found[f"encode and seal, {changes} changes, µs"] = microseconds(write, times)
        found[f"open, decode and hear, {changes} changes, µs"] = microseconds(hear, times)
    await application.database.close()
    return found


async def polls(url: str) -> dict[str, float]:
    """CPU time of a reading of the feed when nothing has changed, by the days that are watched."""
    database, found = Database(url, zone=ZoneInfo("UTC")), {}
    for days in (1, 100, 1_000):
        feed = Feed(database, poll_seconds=3_600, recent_changes=200, max_replay=1_000)
        running = asyncio.create_task(feed.run())
        async with AsyncExitStack() as stack:
            for number in range(days):
                watching = feed.watch(DAY - timedelta(days=number))
                await stack.enter_async_context(watching)
            began = time.process_time()
            for _ in range(50):
                await feed.refresh()
            found[f"reading of the feed, {days} watched days, ms"] = round((time.process_time() - began) / 50 * 1e3, 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await database.close()
    return found


def cpu_seconds(processes: Sequence[Process]) -> float:
    """User and system time of these, as far as they live."""
    total = 0.0
    for each in processes:
        try:
            times = each.cpu_times()
            total += times.user + times.system
        except NoSuchProcess:
            pass
    return total


async def marks(environment: Environment, url: str, port: int, process: int) -> dict[str, float]:
    """What a mark costs the server and PostgreSQL, and what is left of it: each is the first of a person on a day."""
    database = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(database)
    sizes = """SELECT pg_total_relation_size('attendance') + pg_total_relation_size('attendance_revision'),
      pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"""
    async with web_client(timeout=60) as client:

        async def ask(document: str, **variables: Any) -> Any:
            headers = {"Authorization": f"Bearer {environment.token}"}
            body = {"query": document, "variables": variables}
            answer = await client.post(f"http://127.0.0.1:{port}/graphql", json=body, headers=headers)
            return answer.json()["data"]

        listed = await ask(LISTED, d=environment.day.isoformat())
        people = [edge["node"]["staffId"] for edge in listed["attendanceDay"]["records"]["edges"]]
        days = [(environment.day - timedelta(days=number)).isoformat() for number in range(2, 3 + MARKED_DAYS)]
        waiting = [(person, day) for day in days for person in people]

        async def desk(until: int) -> None:
            while len(waiting) > until:
                person, day = waiting.pop(0)
                target = {"staffDate": {"staffId": person, "date": day}}
                answer = await ask(MARK, i={"target": target, "status": "PRESENT"})
                assert answer["updateAttendance"]["errors"] == [], answer

        await asyncio.gather(*(desk(MARKED_DAYS * len(people)) for _ in range(AT_ONCE)))  # one day, to warm up
        number, server = len(waiting), Process(process)
        backends = Process(environment.postgres.pid).children()
        before = [*await connection.fetchrow(sizes), cpu_seconds([server]), cpu_seconds(backends)]
        await asyncio.gather(*(desk(0) for _ in range(AT_ONCE)))
        after = [*await connection.fetchrow(sizes), cpu_seconds([server]), cpu_seconds(backends)]
    await connection.close()
    disk, wal, ours, theirs = (float(last - first) / number for first, last in zip(before, after, strict=True))
    return {
        "marks": number,
        "of the server, ms": round(ours * 1e3, 2),
        "of PostgreSQL, ms": round(theirs * 1e3, 2),
        "WAL, bytes": round(wal),
        "on disk, bytes": round(disk),
        "resident memory of the server then, MiB": round(server.memory_info().rss / 2**20),
    }


def main() -> None:
    """Print what is found."""
    machine.require_linux()
    machine.allow_many_files()
    server_cores, other_cores = machine.cores()
    say("machine", machine.describe())
    machine.keep_to(other_cores)
    with (
        tempfile.TemporaryDirectory(prefix="ms-bench-") as folder,
        running_environment(
            Tools(Path(), Path(), None, {}), Path(folder), server_cores, durable=True, subscribers=1
        ) as environment,
        environment.database() as url,
    ):
        settings = {**environment.settings(url), "MEMBERSTAFF_BROADCAST_URL": "memory://"}
        os.environ.update({key: value for key, value in settings.items() if key.startswith("MEMBERSTAFF_")})
        say("a notification", asyncio.run(notifications(load())))
        say("the feed", asyncio.run(polls(url)))
        with environment.memberstaff(url) as (port, process):
            at_rest = {
                "resident memory at rest, MiB": round(Process(process).memory_info().rss / 2**20),
                "CPU until it serves, s": round(cpu_seconds([Process(process)]), 2),
            }
            say("a process", at_rest)
            say("a mark", asyncio.run(marks(environment, url, port, process)))
        say("access", asyncio.run(in_process(url, SESSIONS)))


def say(name: str, found: Any) -> None:
    """A line of JSON."""
    print(json.dumps({name: found}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    try:
        main()
    except (Unable, Failed) as reason:
        sys.exit(str(reason))
