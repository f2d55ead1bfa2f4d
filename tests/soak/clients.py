"""Writers and watchers: what front ends do, recorded."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import httpx2

from memberstaff.attendance.cursor import Cursor
from memberstaff.attendance.sequence import LENGTHS
from tests.soak.cluster import Node, Servers
from tests.soak.history import (
    COUNTS,
    HISTORY,
    ON_SITE,
    RESTART_REQUIRED,
    Entry,
    Follower,
    History,
    Nested,
    Place,
    Records,
    Said,
    State,
    StateWatcher,
    Summary,
    Watcher,
)
from tests.soak.subscriptions import BROKEN, TRANSPORTS, Ended, Result, code_of
from tests.web import web_client

T = TypeVar("T")

STATUSES = ("PRESENT", "LATE", "ABSENT", "REMOTE", "HALF_DAY")
SUMMARY = f"summary {{ {' '.join(COUNTS.values())} total onSite }}"
MARK = """mutation ($input: UpdateAttendanceInput!) {
  updateAttendance(input: $input) { attendance { feedCursor } errors { code } } }"""
BOARD = """query ($date: Date!) { attendanceDay(date: $date) {
  records(first: 1000) { feedCursor edges { node { staffId status version } } } } }"""
WATCH = """subscription ($date: Date!, $after: String) {
  attendanceUpdated(date: $date, after: $after) { staffId status version note arrivedAt leftAt feedCursor } }"""
WATCH_NESTED = f"""subscription ($date: Date!, $after: String) {{
  attendanceUpdated(date: $date, after: $after) {{ staffId staffName status version note arrivedAt leftAt feedCursor
    staff {{ name }} day {{ state {SUMMARY} }}
    history(first: {HISTORY}) {{ edges {{ node {{ version status }} }} }} }} }}"""
STATE = f"query ($date: Date!) {{ attendanceDay(date: $date) {{ sequence rosterVersion {SUMMARY} }} }}"
WATCH_STATE = f"""subscription ($date: Date!) {{
  attendanceDayUpdated(date: $date) {{ sequence rosterVersion {SUMMARY} }} }}"""

LONGEST_PAUSE = 5.0
"""Seconds that a client stays away at most, whatever the server asks for."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How a client listens."""

    transport: str
    slow: float = 0
    """Seconds that it takes for an event at most."""
    restless: float = 0
    """Seconds after which it reconnects by itself; never when 0."""
    node: Node | None = None
    """The server that it stays with; else it takes any, each time anew."""


class NotApplied(ValueError):
    """An answer that says that nothing of the change was stored."""


async def ask(client: httpx2.AsyncClient, cluster: Servers, node: int, document: str, **variables: Any) -> Any:
    """The data of an answer; raises what httpx raises, and ValueError for an answer with errors."""
    headers = {"Authorization": f"Bearer {cluster.token}"}
    body = {"query": document, "variables": variables}
    response = await client.post(f"{cluster.nodes[node].http}/graphql", json=body, headers=headers)
    answer = response.json()
    if "errors" in answer:
        error = answer["errors"][0]
        failure = NotApplied if error["extensions"].get("applied") is False else ValueError
        raise failure(error["message"])
    return answer["data"]


def said_of(day: str, status: str) -> Said:
    """What a mark says of times: nothing, or when it was made, or when somebody came and left."""
    came, left = sorted(f"{day}T{random.randrange(24):02}:{random.randrange(60):02}:00.000Z" for _ in range(2))
    said = [Said(), Said(occurred_at=came)]
    return random.choice([*said, Said(arrived_at=came, left_at=left)] if status in ON_SITE else said)


async def mark(
    client: httpx2.AsyncClient, cluster: Servers, history: History, node: int, token: str, day: str, staff: str
) -> bool:
    """Mark a person, with a token of the mark's own; answers whether it was acknowledged."""
    target = {"staffDate": {"staffId": staff, "date": day}}
    history.unknown.add(token)
    try:
        status = random.choice(STATUSES)
        said = history.said[token] = said_of(day, status)
        times = {"occurredAt": said.occurred_at, "arrivedAt": said.arrived_at, "leftAt": said.left_at}
        change = {"target": target, "status": status, "note": token}
        change |= {name: value for name, value in times.items() if value is not None}
        data = await ask(client, cluster, node, MARK, input=change)
    except NotApplied:
        history.unknown.discard(token)  # so that it is a violation when it was stored all the same
        return False
    except (httpx2.HTTPError, ValueError):
        return False
    payload = data["updateAttendance"]
    assert payload["errors"] == [], payload
    history.unknown.discard(token)
    cursor = Cursor.parse(payload["attendance"]["feedCursor"])
    history.acknowledged[token] = Place(day, cursor.position, cursor.epoch)
    return True


async def finished(doing: Coroutine[Any, Any, T]) -> T:
    """What it returns; if this task is cancelled meanwhile, it ends first."""
    task = asyncio.ensure_future(doing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def write(cluster: Servers, history: History, name: str, days: list[str], staff: list[str], pace: float) -> None:
    """Mark people for ever; a mark that was not acknowledged is not sent again, and one that was begun is finished."""
    async with web_client(timeout=15) as client:
        for number in count():
            target = random.choice(days), random.choice(staff)
            node = random.randrange(len(cluster.nodes))
            if await finished(mark(client, cluster, history, node, f"{name}-{number}", *target)):
                await asyncio.sleep(random.uniform(0, 2 * pace))
            else:
                await asyncio.sleep(0.1)


async def board(cluster: Servers, node: int, day: str) -> tuple[str, Records]:
    """The feed's cursor and everybody's status and version, in one snapshot."""
    async with web_client(timeout=15) as client:
        data = await ask(client, cluster, node, BOARD, date=day)
    records = data["attendanceDay"]["records"]
    people = {edge["node"]["staffId"]: edge["node"] for edge in records["edges"]}
    return records["feedCursor"], {who: (record["status"], record["version"]) for who, record in people.items()}


async def state(cluster: Servers, node: int, day: str) -> State:
    """The day's state."""
    async with web_client(timeout=15) as client:
        data = await ask(client, cluster, node, STATE, date=day)
    return _state(data["attendanceDay"])


async def patiently(read: Callable[[], Awaitable[T]]) -> T:
    """An answer, asked for again as long as something is broken."""
    while True:
        try:
            return await read()
        except (httpx2.HTTPError, ValueError):
            await asyncio.sleep(0.2)


async def watch(cluster: Servers, history: History, name: str, day: str, document: str, habits: Habits) -> None:
    """Query a day and follow it for ever, resuming from the last event after each break."""
    while True:
        cursor, records = await patiently(lambda: board(cluster, random.randrange(len(cluster.nodes)), day))
        at = Cursor.parse(cursor)
        watcher = Watcher(name, day, at.position, records, epoch=at.epoch, transport=habits.transport)
        history.watchers.append(watcher)
        variables = {"date": day, "after": cursor}

        def see(data: Result, watcher: Watcher = watcher, variables: Result = variables) -> None:
            record = data["attendanceUpdated"]
            variables["after"] = record["feedCursor"]
            watcher.strays += Cursor.parse(record["feedCursor"]).epoch != watcher.epoch
            watcher.seen.append(_entry(record))

        await _follow(cluster, watcher, habits, {"query": document, "variables": variables}, see)


async def watch_state(cluster: Servers, history: History, name: str, day: str, habits: Habits) -> None:
    """Follow a day's state for ever."""
    watcher = StateWatcher(name, day, transport=habits.transport)
    history.states.append(watcher)
    body = {"query": WATCH_STATE, "variables": {"date": day}}
    while True:
        await _follow(
            cluster, watcher, habits, body, lambda data: watcher.seen.append(_state(data["attendanceDayUpdated"]))
        )


async def _follow(
    cluster: Servers, follower: Follower, habits: Habits, body: Result, see: Callable[[Result], None]
) -> None:
    """Subscribe, and again after each break, until the server demands a new start."""
    while True:
        pause = random.uniform(0, 0.5)
        try:
            async with asyncio.timeout(habits.restless * random.uniform(0.5, 1.5) if habits.restless else None):
                await _subscribe(cluster, follower, habits, body, see)
        except Ended as ended:
            follower.ends[ended.code] += 1
            if ended.code == RESTART_REQUIRED:
                return
            pause += min(ended.retry_after, LONGEST_PAUSE)
        except BROKEN:
            pass
        await asyncio.sleep(pause)


async def _subscribe(
    cluster: Servers, follower: Follower, habits: Habits, body: Result, see: Callable[[Result], None]
) -> None:
    node = habits.node or random.choice(cluster.nodes)
    follower.subscribed += 1
    async with aclosing(TRANSPORTS[habits.transport](node, cluster.token, body)) as results:
        async for result in results:
            if errors := result.get("errors"):
                follower.errors[code_of(errors)] += 1  # and goes on, as clients do
                continue
            see(result["data"])
            if habits.slow:
                await asyncio.sleep(random.uniform(0, habits.slow))


def _entry(record: Result) -> Entry:
    """A change as an event shows it."""
    position = Cursor.parse(record["feedCursor"]).position
    nested = None
    if "day" in record:
        nested = Nested(
            staff_name=record["staffName"],
            name=record["staff"] and record["staff"]["name"],
            state=record["day"]["state"],
            summary=_summary(record["day"]),
            history=tuple((edge["node"]["version"], edge["node"]["status"]) for edge in record["history"]["edges"]),
        )
    times = record["arrivedAt"], record["leftAt"]
    return Entry(position, record["staffId"], record["version"], record["status"], record["note"], nested, times)


def _state(day: Result) -> State:
    sequence = day["sequence"]
    epoch = int(sequence[1 : 1 + LENGTHS.index(sequence[0])], 16)
    return State(day["rosterVersion"], _summary(day), epoch)


def _summary(day: Result) -> Summary:
    return frozenset(day["summary"].items())
