"""The client that behaves: it queries, marks and watches all the time, and each of its requests must be answered."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2
import websockets

from memberstaff.attendance.cursor import Cursor
from schema.ids import global_id
from tests.fuzz.inspection import PRIVATE_NOTE
from tests.fuzz.target import BYSTANDERS_PEOPLE, Target
from tests.installation import PASSWORD
from tests.web import web_client

PATIENCE_SECONDS = 30.0
"""How long something may take before it counts as not answered: not a measure of speed, the machine may be busy."""
DAY = "2024-02-29"
"""The bystander's own day; attackers' mutations do not come to it."""

LOGIN = """mutation ($input: LoginInput!) { login(input: $input) { accessToken refreshToken errors { message } } }"""
MARK = """mutation ($input: UpdateAttendanceInput!) {
  updateAttendance(input: $input) { attendance { staffId status note version feedCursor } errors { code message } } }"""
BOARD = """query ($date: Date!) { attendanceDay(date: $date) {
  records(first: 100) { feedCursor edges { node { staffId status note version } } } } }"""
WATCH = """subscription ($date: Date!, $after: String) {
  attendanceUpdated(date: $date, after: $after) { staffId status note version feedCursor } }"""


class Wrong(Exception):
    """What the bystander got is not what it must get."""


@dataclass
class Bystander:
    """One account on one day of its own, at an address of its own."""

    target: Target
    complain: Callable[[str], None]
    token: str = ""
    answered: int = 0
    """Requests, each rightly."""
    seen: int = 0
    """Events, each right and in its turn."""
    _records: dict[str, Any] = field(default_factory=dict)
    """What each person's record must be, by their id."""
    _marks: dict[int, tuple[Any, float]] = field(default_factory=dict)
    """What was acknowledged and has not been seen by the watcher, by position, and when."""
    _watching: asyncio.Event = field(default_factory=asyncio.Event)

    async def login(self, email: str) -> tuple[str, str]:
        """An access and a refresh token."""
        async with web_client(timeout=PATIENCE_SECONDS) as client:
            payload = (await self._ask(client, LOGIN, input={"email": email, "password": PASSWORD}))["login"]
        return payload["accessToken"], payload["refreshToken"]

    async def run(self) -> None:
        """Until it is cancelled; says what is wrong, and begins again."""
        await asyncio.gather(*(self._for_ever(act) for act in (self._look, self._work, self._watch)))

    async def _for_ever(self, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await act()
            except Wrong as error:
                self.complain(str(error))
            except (OSError, TimeoutError, httpx2.HTTPError, websockets.WebSocketException) as error:
                self.complain(f"ended the bystander's connection: {error!r}")
            await asyncio.sleep(0.2)

    async def _look(self) -> None:
        """Look at /health/live, on a connection of its own."""
        async with web_client(timeout=PATIENCE_SECONDS) as client:
            response = await client.get(f"{self.target.http}/health/live")
        if (response.status_code, response.text) != (200, '{"status":"ok"}'):
            raise Wrong(f"answered the bystander's /health/live with {response.status_code} {response.text[:200]}")
        self.answered += 1

    async def _work(self) -> None:
        """Mark one after the other while the watcher watches, and find on the board all that was marked."""
        async with web_client(timeout=PATIENCE_SECONDS) as client:
            for number in count(self.answered):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._watching.wait()
                person = str(global_id("Staff", BYSTANDERS_PEOPLE[number % len(BYSTANDERS_PEOPLE)]))
                change = {"status": ("PRESENT", "LATE", "ABSENT")[number % 3], "note": f"{PRIVATE_NOTE} {number}"}
                target = {"staffDate": {"staffId": person, "date": DAY}}
                payload = (await self._ask(client, MARK, input={"target": target, **change}))["updateAttendance"]
                if payload["errors"]:
                    raise Wrong(f"refused the bystander's mark: {payload['errors']}")
                record = payload["attendance"]
                position = Cursor.parse(record.pop("feedCursor")).position
                if record != {"staffId": person, "version": record["version"], **change}:
                    raise Wrong(f"stored the bystander's mark {change} as {record}")
                self._marks[position] = record, time.monotonic()
                self._records[person] = record
                _, nodes = await self._board(client)
                if any(nodes.get(each) != record for each, record in self._records.items()):
                    raise Wrong("did not show on the bystander's board what it had marked")
                await asyncio.sleep(0.05)

    async def _watch(self) -> None:
        """Follow the day from a cursor on, and see each mark once and in order."""
        options: dict[str, Any] = {"subprotocols": [websockets.Subprotocol("graphql-transport-ws")]}
        async with (
            web_client(timeout=PATIENCE_SECONDS) as client,
            websockets.connect(
                f"ws://127.0.0.1:{self.target.port}/graphql", open_timeout=PATIENCE_SECONDS, **options
            ) as socket,
        ):
            cursor, _ = await self._board(client)
            position = Cursor.parse(cursor).position
            self._marks = {at: mark for at, mark in self._marks.items() if at > position}
            opening = {"type": "connection_init", "payload": {"authorization": f"Bearer {self.token}"}}
            await socket.send(json.dumps(opening))
            payload = {"query": WATCH, "variables": {"date": DAY, "after": cursor}}
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            self._watching.set()
            try:
                while True:
                    message = {"type": "ping"}
                    with suppress(TimeoutError):
                        async with asyncio.timeout(1):
                            message = json.loads(await socket.recv())
                    if message["type"] == "next":
                        position += 1
                        await self._compare(position, message["payload"])
                    elif message["type"] not in {"connection_ack", "ping", "pong"}:
                        raise Wrong(f"told the bystander's subscription {message}")
                    first = min((since for _, since in self._marks.values()), default=math.inf)
                    if time.monotonic() - first > PATIENCE_SECONDS:
                        raise Wrong(f"did not deliver the bystander's marks {sorted(self._marks)}")
            finally:
                self._watching.clear()
                self._marks.clear()

    async def _compare(self, position: int, result: Any) -> None:
        """An event with the mark that was made at its position, which may be acknowledged a moment later."""
        if result.get("errors"):
            raise Wrong(f"sent the bystander an event with {result['errors']}")
        record = result["data"]["attendanceUpdated"]
        told = Cursor.parse(record.pop("feedCursor")).position
        if told != position:
            raise Wrong(f"sent the bystander position {told} after {position - 1}")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while position not in self._marks:
                await asyncio.sleep(0.01)
        if record != (marked := self._marks.pop(position)[0]):
            raise Wrong(f"sent the bystander {record} at position {position}, not {marked}")
        self.seen += 1

    async def _board(self, client: httpx2.AsyncClient) -> tuple[str, dict[str, Any]]:
        """The feed's cursor, and the records by the person's id."""
        records = (await self._ask(client, BOARD, date=DAY))["attendanceDay"]["records"]
        return records["feedCursor"], {edge["node"]["staffId"]: edge["node"] for edge in records["edges"]}

    async def _ask(self, client: httpx2.AsyncClient, document: str, **variables: Any) -> Any:
        """The data of an answer; what was not possible just then is asked for again."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = {"query": document, "variables": variables}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            response = await client.post(f"{self.target.http}/graphql", json=body, headers=headers)
            if response.status_code == 200 and "errors" not in (answer := response.json()):
                self.answered += 1
                return answer["data"]
            if '"code":"UNAVAILABLE"' not in response.text or time.monotonic() > deadline:
                raise Wrong(f"answered the bystander {response.status_code} {response.text[:300]}")
            await asyncio.sleep(0.2)
