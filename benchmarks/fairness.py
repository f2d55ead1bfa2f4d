"""Whether some accounts can slow down another: `.venv/bin/python -m benchmarks.fairness`.

Eight accounts subscribe to as much as their bounds admit, with the dearest selections, and read all of it, while marks
come in; or they send dear queries, or documents that are dear to prepare, each another one, over many connections.
Beside them somebody makes small queries, and watches the day.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

from benchmarks.environment import Environment, running_environment
from benchmarks.tools import Tools
from tests.web import web_client

ACCOUNTS = 8
SOCKETS = 100
SUBSCRIPTIONS = 20
"""On a socket."""
QUERIES_AT_ONCE = 25
"""That an account sends, where it sends queries."""
MARKS_A_SECOND = 5.0
PASSWORD = "nine lanterns over the harbour"
SMALL = "{ attendanceDay { summary { total } } }"
PLAIN = "subscription ($date: Date!) { attendanceUpdated(date: $date) { id status updatedAt } }"


def statements(number: int) -> str:
    """As many statements as a document can have, and few objects."""
    pages = " ".join(f'p{each}: records(first: 1, search: "{number} {each}") {{ totalCount }}' for each in range(15))
    return f"subscription ($date: Date!) {{ attendanceUpdated(date: $date) {{ id day {{ {pages} }} }} }}"


def objects(number: int) -> str:
    """As many objects as an event can have."""
    node = "node { id staffName status staff { name category } }"
    page = f'records(first: 165, search: "s") {{ feedCursor edges {{ cursor {node} }} }}'
    return f"subscription Number{number} ($date: Date!) {{ attendanceUpdated(date: $date) {{ id day {{ {page} }} }} }}"


def plain(number: int) -> str:
    """The smallest event."""
    return f"subscription Number{number} ($date: Date!) {{ attendanceUpdated(date: $date) {{ id status }} }}"


def query(number: int) -> str:
    """A query with as many statements as a document can have, and many objects."""
    pages = " ".join(
        f'p{each}: records(first: 10, search: "{"aeiourn"[each]}") {{ totalCount edges {{ node {{ id history(first: 5) '
        "{ edges { node { status changedAt } } } staff { name } } } }"
        for each in range(7)
    )
    return f"query Number{number} {{ attendanceDay {{ {pages} }} }}"


def document(number: int) -> str:
    """The document that takes longest to prepare. It is refused in the end, and so it is never cached."""
    fields = " ".join(f"... on AttendanceDay {{ id{' date' * (each % 7)} }}" for each in range(110))
    return f"query Number{number} {{ attendanceDay {{ {fields} }} }}"


DOCUMENTS = {
    "statements": statements,
    "objects": objects,
    "plain": plain,
    "queries": query,
    "documents": document,
}
QUERIES = {"queries", "documents"}
"""The kinds that are no subscriptions."""


class Account:
    """Somebody who subscribes to everything that they are admitted to."""

    def __init__(self, port: int, token: str, day: str) -> None:
        self.port, self.token, self.day = port, token, day
        self.admitted = 0
        self.received = 0
        self.tasks: list[asyncio.Task[None]] = []
        """None of which may end."""

    def begin(self, stack: AsyncExitStack, task: Coroutine[Any, Any, None]) -> None:
        """Run it until the stack is closed."""
        self.tasks.append(asyncio.create_task(task))
        stack.callback(self.tasks[-1].cancel)

    async def connect(self, stack: AsyncExitStack) -> ClientConnection:
        socket = await stack.enter_async_context(
            websockets.connect(
                f"ws://127.0.0.1:{self.port}/graphql",
                subprotocols=[websockets.Subprotocol("graphql-transport-ws")],
                compression=None,
                open_timeout=60,
                ping_interval=None,
                max_size=None,
            )
        )
        init = {"type": "connection_init", "payload": {"authorization": f"Bearer {self.token}"}}
        await socket.send(json.dumps(init))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        return socket

    async def flood(self, stack: AsyncExitStack, documents: Iterator[str]) -> None:
        """Subscribe until something is refused."""
        for _ in range(SOCKETS):
            socket = await self.connect(stack)
            for number in range(SUBSCRIPTIONS):
                payload = {"query": next(documents), "variables": {"date": self.day}}
                await socket.send(json.dumps({"id": str(number), "type": "subscribe", "payload": payload}))
            refused = 0
            with suppress(TimeoutError):
                while refused < SUBSCRIPTIONS:
                    async with asyncio.timeout(5):
                        refused += json.loads(await socket.recv())["type"] == "error"
            self.admitted += SUBSCRIPTIONS - refused
            self.begin(stack, self.read(socket))
            if refused:
                return

    async def ask_for_much(self, documents: Iterator[str]) -> None:
        """Send queries, one after the other, over a connection of its own."""
        async with web_client(timeout=120) as client:
            while True:
                headers = {"Authorization": f"Bearer {self.token}"}
                body = {"query": next(documents)}
                answer = await client.post(f"http://127.0.0.1:{self.port}/graphql", json=body, headers=headers)
                assert answer.status_code in {200, 400}, answer.text
                self.received += 1

    async def read(self, socket: ClientConnection) -> None:
        async for _ in socket:
            self.received += 1


async def ask(client: Any, port: int, token: str, query: str, **variables: Any) -> Any:
    """The data that answers an operation."""
    body = {"query": query, "variables": variables}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = (await client.post(f"http://127.0.0.1:{port}/graphql", json=body, headers=headers)).json()
    assert not answer.get("errors"), answer
    return answer["data"]


async def accounts(client: Any, environment: Environment, port: int) -> list[str]:
    """Tokens of new VIEWERs."""
    add = "mutation ($i: CreateAccountInput!) { createAccount(input: $i) { errors { message } } }"
    login = "mutation ($i: LoginInput!) { login(input: $i) { accessToken } }"
    tokens = []
    for number in range(ACCOUNTS + 1):
        email = f"board{number}@school.example"
        values = {"email": email, "password": PASSWORD, "role": "VIEWER"}
        added = await ask(client, port, environment.token, add, i=values)
        assert not added["createAccount"]["errors"], added
        logged_in = await ask(client, port, "", login, i={"email": email, "password": PASSWORD})
        tokens.append(logged_in["login"]["accessToken"])
    return tokens


async def mark(client: Any, environment: Environment, port: int, sent: dict[str, float]) -> None:
    """Mark somebody now and then; notes when each mark was sent, by its instant as stored."""
    change = """mutation ($i: UpdateAttendanceInput!) { updateAttendance(input: $i) {
      attendance { updatedAt } errors { message } } }"""
    target = {"staffDate": {"staffId": environment.staff_id, "date": environment.day.isoformat()}}
    while True:
        began = time.perf_counter()
        values = {"target": target, "status": random.choice(["LATE", "PRESENT"]), "note": str(began)}
        marked = await ask(client, port, environment.token, change, i=values)
        sent[marked["updateAttendance"]["attendance"]["updatedAt"]] = began
        await asyncio.sleep(max(0.0, 1 / MARKS_A_SECOND - (time.perf_counter() - began)))


def told(name: str, seconds: list[float]) -> str:
    """Some times, in words."""
    ordered = sorted(seconds) or [float("nan")]
    shown = [ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1]]
    return f"{name} p50 {shown[0] * 1_000:.0f} ms, p99 {shown[1] * 1_000:.0f} ms, longest {shown[2] * 1_000:.0f} ms"


async def measure(environment: Environment, port: int, process: int, kind: str, seconds: float) -> str:
    """What the others notice. Where the machine has other work, look at what the server computes meanwhile."""
    day = environment.day.isoformat()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(web_client(timeout=120))
        tokens = await accounts(client, environment, port)
        flooding = [Account(port, token, day) for token in tokens[:ACCOUNTS]] if kind != "none" else []

        def documents(number: int) -> Iterator[str]:
            count = number * 1_000_000
            while True:
                count += 1
                yield DOCUMENTS[kind](count)

        if kind in QUERIES:
            for number, each in enumerate(flooding):
                some = documents(number)
                for _ in range(QUERIES_AT_ONCE):
                    each.begin(stack, each.ask_for_much(some))
        else:
            await asyncio.gather(*(each.flood(stack, documents(number)) for number, each in enumerate(flooding)))
        sent: dict[str, float] = {}
        came: dict[str, float] = {}
        watching = await Account(port, tokens[-1], day).connect(stack)
        await watching.send(
            json.dumps({"id": "1", "type": "subscribe", "payload": {"query": PLAIN, "variables": {"date": day}}})
        )

        async def watch() -> None:
            async for message in watching:
                came[json.loads(message)["payload"]["data"]["attendanceUpdated"]["updatedAt"]] = time.perf_counter()

        for task in (watch(), mark(client, environment, port, sent)):
            stack.callback(asyncio.create_task(task).cancel)
        queries: list[float] = []
        computed: list[float] = []
        clock = (~process << 3) | 2  # of the process's CPU time: see clock_getcpuclockid(3)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            began, computed_before = time.perf_counter(), time.clock_gettime(clock)
            await ask(client, port, tokens[-1], f"query Small{len(queries)} {SMALL}" if kind == "documents" else SMALL)
            queries.append(time.perf_counter() - began)
            computed.append(time.clock_gettime(clock) - computed_before)
            await asyncio.sleep(0.02)
        delays = [came[instant] - sent[instant] for instant in sent if instant in came]
        for each in flooding:
            for running in each.tasks:
                assert not running.done(), f"a client has stopped: {running}"
        admitted = sum(each.admitted for each in flooding)
        received = sum(each.received for each in flooding)
        what = f"{admitted:,} subscriptions of {len(flooding)} accounts got {received / seconds:,.0f} events/s"
        if kind in QUERIES:
            what = f"{len(flooding)} accounts got {received / seconds:,.0f} answers/s"
        return (
            f"{kind}: {what}; "
            f"{told('a small query', queries)}; {told('of that the server computes', computed)}; "
            f"{told('a mark on another board', delays)} "
            f"({len(delays)} of {len(sent)} marks)"
        )


def main() -> None:
    """Measure, and print what was found."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("kinds", nargs="*", default=["none", *DOCUMENTS])
    words.add_argument("--seconds", type=float, default=15.0)
    given = words.parse_args()
    settings = {
        "MEMBERSTAFF_MAX_SOCKETS_PER_ACCOUNT": str(SOCKETS),
        "MEMBERSTAFF_MAX_EVENT_COST_PER_ACCOUNT": "5000",
    }
    with tempfile.TemporaryDirectory() as folder:
        cores = sorted(os.sched_getaffinity(0))
        tools = Tools(Path(), Path(), None, {})
        with running_environment(tools, Path(folder), {cores[0]}, durable=True, subscribers=1) as environment:
            os.sched_setaffinity(0, set(cores[1:]) or set(cores))
            for kind in given.kinds:
                with (
                    environment.database() as database,
                    environment.memberstaff(database, settings) as (port, process),
                ):
                    print(asyncio.run(measure(environment, port, process, kind, given.seconds)), flush=True)


if __name__ == "__main__":
    main()
