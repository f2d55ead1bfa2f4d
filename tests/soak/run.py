"""Run the checker: `./dev soak --minutes M`, or in a short form from the tests."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from sqlalchemy import select

from memberstaff.db.database import Database
from memberstaff.db.migrate import migrate
from memberstaff.db.tables import attendance_revision
from schema.ids import global_id
from schema.scalars import write_instant
from tests.clock import MONDAY, TODAY
from tests.databases import UTC_ZONE
from tests.infrastructure.postgres import Postgres
from tests.infrastructure.redis import RedisServer
from tests.infrastructure.replication import ReplicatedPostgres
from tests.installation import install
from tests.soak.clients import WATCH, WATCH_NESTED, Habits, board, mark, patiently, state, watch, watch_state, write
from tests.soak.cluster import Cluster, Node, Servers
from tests.soak.history import RESTART_REQUIRED, Entry, Fresh, History, StateWatcher, Watcher
from tests.soak.leaks import left_by_boards, left_by_events
from tests.soak.nemesis import WOKEN_WITHOUT_POSTGRES, Nemesis
from tests.soak.subscriptions import TRANSPORTS
from tests.soak.upgrades import Operator
from tests.soak.verdict import verdict
from tests.web import web_client

CATCH_UP_SECONDS = 30.0
"""How long a board may see nothing while it has not seen the last change, once nothing is broken any more."""
MARK_SECONDS = 5.0
"""How long a mark of the nemesis may take; a server that is stopped may hold it up."""
PROMISED_SECONDS = 10.0
"""Within which marking goes on whatever breaks, on a machine that has nothing else to do."""


@dataclass
class Report:
    """What was checked, and every violation that was found."""

    violations: list[str]
    acknowledged: int
    unknown: int
    changes: int
    clients: int
    events: Counter[str]
    """By transport."""
    subscribed: int
    """How often, the first time and after breaks."""
    ends: Counter[str]
    """Errors that ended operations."""
    lost: int
    """Acknowledged mutations that were lost where they may be: to an asynchronous failover, or to a restore."""
    injected: dict[str, int]
    recovery: float
    """Seconds for which a fault kept others from marking, at most."""
    rss_kib: list[int]

    def __str__(self) -> str:
        faults = "\n".join(f"  {number:5} × {name}" for name, number in sorted(self.injected.items()))
        events = ", ".join(f"{number:,} by {name}" for name, number in self.events.items())
        ends = ", ".join(f"{number:,} by {code}" for code, number in self.ends.items())
        return (
            f"{self.acknowledged:,} mutations acknowledged, {self.unknown:,} without an answer, "
            f"{self.changes:,} changes in the log, "
            f"{self.lost:,} lost by failovers without a synchronous standby, or after the backup\n"
            f"{self.events.total():,} events seen by {self.clients} clients in {self.subscribed:,} subscriptions: "
            f"{events}\n"
            f"operations that the servers ended: {ends or 'none'}\n"
            f"{faults}\n"
            f"marking went on within {self.recovery:.1f} s\n"
            f"resident memory in the end: {', '.join(f'{kib // 1024} MiB' for kib in self.rss_kib)}\n"
            f"{len(self.violations)} violations" + "".join(f"\n  {words}" for words in self.violations[:20])
        )


async def soak(
    cluster: Cluster,
    *,
    seconds: float,
    pause: float,
    longest: float,
    stopped: float = 0,
    writers: int = 4,
    watchers: int = 12,
    pace: float = 0.02,
    people: int = 40,
    failovers: int = 2,
    upgrade: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Write, watch and break for so many seconds, at least each fault once; then judge.

    A fault lasts `longest` at most, and a server that is stopped in a transaction stays so for `stopped` seconds more.
    PostgreSQL is failed over so often in the first round of all faults. With a folder for it, the servers are upgraded
    meanwhile to another release, one by one and back, and the database is restored from a backup.
    """
    async with cluster.behind_lines():
        await cluster.begin(people)
        days = [TODAY, (MONDAY - timedelta(days=1)).isoformat()]
        staff: list[str] = [global_id("Staff", number) for number in range(1, people + 1)]
        history, number = History(), count()

        async def mark_somebody(node: Node) -> bool:
            async with web_client(timeout=MARK_SECONDS) as client:
                token, index = f"nemesis-{next(number)}", cluster.nodes.index(node)
                return await mark(client, cluster, history, index, token, TODAY, random.choice(staff))

        nemesis = Nemesis(cluster, mark_somebody, history, longest, stopped)
        operator = Operator(cluster, history, nemesis, upgrade) if upgrade is not None else None
        watching = [
            *(asyncio.create_task(_open_board(cluster, history, index, days)) for index in range(watchers)),
            *(
                asyncio.create_task(
                    watch_state(cluster, history, f"{node.name}'s state by {name}", TODAY, Habits(name, node=node))
                )
                for node in cluster.nodes
                for name in TRANSPORTS
            ),
        ]
        writing = [
            asyncio.create_task(write(cluster, history, f"w{index}", days, staff[index::writers], pace))
            for index in range(writers)
        ]
        steps = operator.steps if operator is not None else {}
        tormenting = asyncio.create_task(nemesis.torment(pause, seconds, failovers, steps))
        started = time.monotonic()
        try:
            while not tormenting.done():
                for task in (*watching, *writing):
                    if task.done():
                        task.result()
                gone, faults = time.monotonic() - started, nemesis.injected.total()
                say(f"{gone:5.0f} s: {len(history.acknowledged):,} mutations, {faults} faults")
                await asyncio.wait({tormenting}, timeout=1)
            tormenting.result()
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)
            # The last mark is one that a server cannot read when it hears of it: no later one makes up for what it
            # loses. PostgreSQL's crash ends whatever was under way.
            await nemesis.inject(WOKEN_WITHOUT_POSTGRES)
            logs = {day: await log_of(cluster, day) for day in days}
            async with asyncio.timeout(CATCH_UP_SECONDS):
                fresh = {day: await fresh_of(cluster, day) for day in days}
            await caught_up(history, logs, fresh)
        finally:
            for task in (*watching, *writing, tormenting):
                task.cancel()
            await asyncio.gather(*watching, *writing, tormenting, return_exceptions=True)
        followers: list[Watcher | StateWatcher] = [*history.watchers, *history.states]
        events: Counter[str] = Counter()
        for follower in followers:
            events[follower.transport] += len(follower.seen)
        return Report(
            violations=verdict(history, logs, fresh),
            acknowledged=len(history.acknowledged),
            unknown=len(history.unknown),
            changes=sum(len(log) for log in logs.values()),
            clients=len(followers),
            events=events,
            subscribed=sum(follower.subscribed for follower in followers),
            ends=sum((follower.ends for follower in followers), Counter()),
            lost=history.lost,
            injected=dict(nemesis.injected),
            recovery=nemesis.recovery,
            rss_kib=[node.rss_kib() for node in cluster.nodes],
        )


async def _open_board(cluster: Cluster, history: History, index: int, days: list[str]) -> None:
    """A board; the first twelve have every transport with every habit, and most of them select nested fields."""
    habits = Habits(
        transport=[*TRANSPORTS][index % 3],
        slow=0.05 if index % 4 == 1 else 0,
        restless=3.0 if index % 4 == 2 else 0,
    )
    document = WATCH if index // 4 % 3 == 0 else WATCH_NESTED
    kind = "plain" if document is WATCH else "nested"
    name = f"board {index} ({kind}, {habits.transport})"
    await watch(cluster, history, name, days[index % 5 in {2, 4}], document, habits)


@dataclass
class Leaks:
    """What stayed in memory where nothing should."""

    boards: int
    objects_of_boards: Counter[str]
    events: int
    objects_of_events: Counter[str]
    bytes_of_events: int

    @property
    def found(self) -> bool:
        """Whether an object a board, an object for every second event, or a kilobyte an event has stayed."""
        return (
            self.objects_of_boards.total() >= self.boards
            or self.objects_of_events.total() >= self.events // 2
            or self.bytes_of_events >= 1_024 * self.events
        )

    def __str__(self) -> str:
        return (
            f"{self.objects_of_boards.total():,} objects left of {self.boards:,} boards that came and vanished\n"
            f"{self.objects_of_events.total():,} objects and {self.bytes_of_events / 2**20:.1f} MiB of resident memory "
            f"left of {self.events:,} events"
            + (
                f"\nA leak: {self.objects_of_boards.most_common(3)}, {self.objects_of_events.most_common(3)}"
                * self.found
            )
        )


async def look_for_leaks(postgres: Postgres, redis: RedisServer, *, boards: int = 3_000, events: int = 20_000) -> Leaks:
    """Ten times what the tests do."""
    url = postgres.create_database()
    database = Database(url, zone=UTC_ZONE, pool_size=2)
    await migrate(database.engine)
    await database.close()
    async with install(url, broadcast_url=redis.url, recent_changes=10) as office:
        of_boards = await left_by_boards(office, boards)
        of_events, resident = await left_by_events(office, events)
    return Leaks(boards, of_boards, events, of_events, resident)


async def fresh_of(cluster: Servers, day: str) -> Fresh:
    """A day, read anew."""
    _, records = await patiently(lambda: board(cluster, 0, day))
    return Fresh(records, await patiently(lambda: state(cluster, 0, day)))


async def log_of(cluster: Servers, day: str) -> list[Entry]:
    """A day's log, read past the servers."""
    of = attendance_revision.c
    database = cluster.database()
    try:
        async with database.read() as reading:
            rows = await reading.rows(
                select(of.position, of.staff_id, of.version, of.status, of.note, of.arrived_at, of.left_at)
                .where(of.date == datetime.fromisoformat(day).date())
                .order_by(of.position)
            )
    finally:
        await database.close()
    return [
        Entry(
            row.position,
            global_id("Staff", row.staff_id),
            row.version,
            row.status,
            row.note,
            times=(_written(row.arrived_at), _written(row.left_at)),
        )
        for row in rows
    ]


def _written(instant: datetime | None) -> str | None:
    return None if instant is None else write_instant(instant)


async def caught_up(history: History, logs: Mapping[str, Sequence[Entry]], fresh: Mapping[str, Fresh]) -> None:
    """Wait until everybody has seen the last of their day, or none of those behind comes any nearer.

    The slow ones may have fallen behind by thousands; the verdict names those that never arrive.
    """
    before: dict[str, object] = {}
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < deadline:
        behind: dict[str, object] = {
            watcher.name: watcher.position
            for watcher in history.watchers
            if (watcher.epoch in history.ended or watcher.position < len(logs[watcher.day]))
            and RESTART_REQUIRED not in watcher.ends
        }
        behind |= {each.name: each.last for each in history.states if each.last != fresh[each.day].state}
        if not behind:
            return
        if behind != before:
            before, deadline = behind, time.monotonic() + CATCH_UP_SECONDS
        await asyncio.sleep(0.1)


def main() -> int:
    """The long form."""
    parser = argparse.ArgumentParser(prog="./dev soak", description="Break everything, and check that nothing is lost.")
    parser.add_argument("--minutes", type=float, default=10, help="default: 10")
    parser.add_argument("--failovers", type=int, default=6, help="of PostgreSQL, at least; default: 6")
    parser.add_argument("--seed", type=int, default=None, help="for the choices of clients and faults")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    print(f"seed {seed}", flush=True)
    random.seed(seed)
    with tempfile.TemporaryDirectory(prefix="ms-soak-") as folder:
        postgres, redis = ReplicatedPostgres(), RedisServer(Path(folder) / "redis")
        postgres.start()
        redis.start()
        cluster = Cluster(postgres, redis, Path(folder))
        try:
            said = [0.0]

            def say(words: str) -> None:
                if time.monotonic() - said[0] > 15:
                    said[0] = time.monotonic()
                    print(words, flush=True)

            async def all_of_it() -> tuple[Report, Leaks]:
                # One loop: a server that a fault has restarted ends with the thread that did it, and so with the loop.
                seconds = 60 * options.minutes
                report = await soak(
                    cluster,
                    seconds=seconds,
                    pause=4,
                    longest=4,
                    stopped=20,
                    writers=8,
                    watchers=24,
                    pace=0.05,
                    failovers=options.failovers,
                    upgrade=Path(folder),
                    say=say,
                )
                await asyncio.to_thread(cluster.end)
                print(report, "looking for leaks", sep="\n", flush=True)
                return report, await look_for_leaks(postgres, redis)

            report, leaks = asyncio.run(all_of_it())
        finally:
            cluster.end()
            redis.stop()
            postgres.stop()
    print(leaks)
    return 1 if report.violations or leaks.found or report.recovery > PROMISED_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main())
