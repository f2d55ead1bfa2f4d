"""One Node program with some clients in it, which says what they show and hear."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from memberstaff.access import Role
from tests.installation import PASSWORD, email
from tests.waiting import WAIT_SECONDS

CACHES = [f"{library}-{transport}" for library in ("apollo", "urql", "relay") for transport in ("websocket", "events")]
CLIENTS = [*CACHES, "plain-websocket", "plain-events", "eventsource"]
PATIENCE_SECONDS = 2 * WAIT_SECONDS
"""How long a client may take at most; those that come back wait longer after each failure."""


@dataclass
class Program:
    """A Node process."""

    process: asyncio.subprocess.Process
    said: Mapping[str, dict[str, list[Any]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    """By client and kind: what it has said, oldest first."""

    async def tell(self, command: str, **values: Any) -> None:
        """Have every client do something: `show`, `watch`, or `mark` with an `input`; each says `done`.

        `hold` keeps back what the server answers to requests with a `text`, or the `events` of sockets; `release`
        lets it through.
        """
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"command": command, **values}).encode() + b"\n")
        await self.process.stdin.drain()

    async def hear(self, what: str, last: Any, *clients: str) -> None:
        """Wait until the last that each client has said of this kind is `last`."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while any(self.said[client][what][-1:] != [last] for client in clients):
                    await self.listen()
        except TimeoutError:
            said = {client: self.said[client][what] for client in clients}
            pytest.fail(f"{what} {last!r} was not said by all: {said}")

    async def listen(self) -> None:
        """Wait for what is said next."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        assert line, "the program has ended"
        client, kind, value = json.loads(line)
        self.said[client][kind].append(value)


def rows_and_counts(boards: Sequence[Mapping[str, object]]) -> tuple[list[Any], list[Any]]:
    """What stood in a board's rows and what in its counts, one after another: either may change before the other."""

    def shown(kind: type) -> list[Any]:
        parts = ({name: value for name, value in board.items() if isinstance(value, kind)} for board in boards)
        return [part for part, _ in groupby(parts)]

    return shown(str), shown(int)


def all_showed(program: Program, clients: Sequence[str], *boards: Mapping[str, object]) -> None:
    """Fail unless each client has shown these boards and nothing else."""
    showed = {client: rows_and_counts(program.said[client]["board"]) for client in clients}
    assert showed == dict.fromkeys(clients, rows_and_counts(boards))


def all_told(program: Program, clients: Sequence[str], *changes: str) -> None:
    """Fail unless each client has told of these changes and nothing else."""
    told = {client: tuple(program.said[client]["change"]) for client in clients}
    assert told == dict.fromkeys(clients, changes)


@asynccontextmanager
async def playing(workshop: Path, address: str, date: str, *clients: str) -> AsyncIterator[Program]:
    """The named clients, each logged in as the front desk; they must have nothing to complain about."""
    async with started(workshop, "players/play.ts", address, email(Role.MARKER), PASSWORD, date, *clients) as program:
        yield program


@asynccontextmanager
async def started(workshop: Path, *words: str) -> AsyncIterator[Program]:
    """A player's program, which must have nothing to complain about."""
    process = await asyncio.create_subprocess_exec(
        *("node", *words),
        cwd=workshop,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    complaints = asyncio.ensure_future(process.stderr.read())  # type: ignore[union-attr]
    try:
        yield Program(process)
    finally:
        process.stdin.close()  # type: ignore[union-attr]  # at which it ends; Node may be a child of what was started
        await process.wait()
        told = (await complaints).decode()
        if told:
            print(told)
    assert told == ""
