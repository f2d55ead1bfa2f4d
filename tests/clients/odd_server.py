"""A server that answers what it is told to: what a proxy, another program or a broken connection would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from memberstaff_client import Attendance
from memberstaff_client.transport import OverEventLoop
from tests.waiting import WAIT_SECONDS

NODE = {
    "id": "record",
    "staffId": "staff",
    "staffName": "Amina",
    "staffCategory": "Teaching",
    "staffPhotoUrl": None,
    "date": "2026-01-12",
    "status": "LATE",
    "note": None,
    "photoUrl": None,
    "reason": None,
    "arrivedAt": None,
    "leftAt": None,
    "isOnSite": True,
    "version": 1,
    "sequence": "1",
    "updatedAt": "2026-01-12T08:00:00.000Z",
    "updatedBy": "Marker",
}
DAY: dict[str, Any] = {
    "date": "2026-01-12",
    "state": "OPEN",
    "isWorkingDay": True,
    "label": None,
    "sequence": "1",
    "records": {"feedCursor": "0", "pageInfo": {"hasNextPage": False, "endCursor": None}, "edges": []},
}
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def answer(body: Any, status: str = "200 OK", *, headers: str = "", media: str = "application/json") -> bytes:
    """An answer over HTTP, after which the connection is closed."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n"
    return f"{head}{headers}\r\n".encode() + content


def refused(code: str, data: Any = None, **extensions: Any) -> dict[str, Any]:
    """The body of an answer with one error."""
    return {"data": data, "errors": [{"message": "No.", "path": ["b"], "extensions": {"code": code, **extensions}}]}


BOARD = answer({"data": {"attendanceDay": DAY}})


def event(body: Any, number: int = 1) -> bytes:
    """One of a stream."""
    return b"id: %d\nevent: next\ndata: %b\n\n" % (number, json.dumps(body).encode())


def change(number: int) -> bytes:
    """The event of a change, which has its version as its id."""
    return event({"data": {"attendanceUpdated": {**NODE, "version": number}}}, number)


def stream(*events: bytes) -> bytes:
    """An event stream that breaks off after these."""
    return STREAM + b"retry: 10\nid: 0\n\n" + b"".join(events)


@dataclass(frozen=True)
class Asked:
    """A request that has come."""

    target: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def last_event_id(self) -> str | None:
        """Where it goes on."""
        return self.headers.get("last-event-id")


@dataclass
class OddServer:
    """Gives each connection the next of its answers; None is a stream in which nothing comes."""

    answers: list[bytes | None]
    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    silent: list[asyncio.StreamWriter] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    """For how many seconds its client would have waited."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.asked.append(Asked(line.split()[1], headers, body))
        given = self.answers.pop(0) if self.answers else b""
        writer.write(stream() if given is None else given)
        await writer.drain()
        if given is None:
            self.silent.append(writer)
        else:
            writer.close()


@asynccontextmanager
async def odd_server(*answers: bytes | None) -> AsyncIterator[OddServer]:
    """One with these answers, all of which must have been asked for at the end."""
    server = OddServer(list(answers))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
        assert server.answers == []
    finally:
        for writer in server.silent:
            writer.close()
        listening.close()


class Hurried(OverEventLoop):
    """A client's transport, which does not wait before it tries again."""

    def __init__(self, server: OddServer) -> None:
        super().__init__(server.address, WAIT_SECONDS)
        self._waits = server.waits

    async def sleep(self, seconds: float) -> None:
        self._waits.append(seconds)


async def token() -> str:
    """Anybody's."""
    return "a-token"


@asynccontextmanager
async def client_of(*answers: bytes | None) -> AsyncIterator[tuple[Attendance, OddServer]]:
    """A client in a hurry, and its server with these answers."""
    async with (
        asyncio.timeout(WAIT_SECONDS),
        odd_server(*answers) as server,
        Attendance(server.address, token=token, transport=Hurried(server)) as attendance,
    ):
        yield attendance, server
