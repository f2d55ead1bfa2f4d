"""What front ends do: over HTTP, over graphql-transport-ws, and over streams of events."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection

from tests.server_sent_events import Interpreter, ServerSentEvent
from tests.waiting import WAIT_SECONDS

MARK = """
mutation Mark($input: UpdateAttendanceInput!) {
  updateAttendance(input: $input) {
    attendance { id staffName status note version updatedBy feedCursor }
    errors { code message path ... on VersionConflictError { current { status note version } } }
    clientMutationId
  }
}
"""

WATCH = """
subscription Watch($date: Date!, $after: String, $scope: StaffScope) {
  attendanceUpdated(date: $date, after: $after, scope: $scope) {
    id staffName staffCategory status note version updatedBy updatedAt feedCursor
  }
}
"""

BOARD = """
query Board($date: Date, $first: Int, $after: String, $search: String, $statuses: [AttendanceStatus!]) {
  attendanceDay(date: $date) {
    id date state isWorkingDay label rosterVersion
    summary { total unmarked present late absent presentRate }
    records(first: $first, after: $after, search: $search, statuses: $statuses) {
      totalCount feedCursor pageInfo { hasNextPage hasPreviousPage endCursor }
      edges { node { id staffId staffName status note version updatedBy updatedAt } }
    }
  }
}
"""


class Client:
    """What a front end does over HTTP, as one account."""

    def __init__(self, http: httpx2.AsyncClient, token: str | None) -> None:
        self.http = http
        self.token = token

    async def send(self, document: str, **variables: Any) -> dict[str, Any]:
        """The whole answer to an operation, errors included."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = {"query": document, "variables": variables}
        response = await self.http.post("/graphql", json=body, headers=headers)
        answer: dict[str, Any] = response.json()
        return answer

    async def ask(self, document: str, **variables: Any) -> Any:
        """The data of an answer that has no errors."""
        answer = await self.send(document, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    async def fail(self, document: str, **variables: Any) -> tuple[str, str]:
        """Code and message of the first top-level error."""
        answer = await self.send(document, **variables)
        first = answer["errors"][0]
        return first["extensions"]["code"], first["message"]

    async def stream_once(self, document: str, **variables: Any) -> str:
        """The whole text of a stream that ends by itself."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
        response = await self.http.post("/graphql", json={"query": document, "variables": variables}, headers=headers)
        return response.text

    async def mark(self, staff_id: str, date: str, **values: Any) -> dict[str, Any]:
        """updateAttendance, as a payload."""
        target = {"staffDate": {"staffId": staff_id, "date": date}}
        data = await self.ask(MARK, input={"target": target, **values})
        payload: dict[str, Any] = data["updateAttendance"]
        return payload


@dataclass
class Socket:
    """What a front end does over graphql-transport-ws."""

    connection: ClientConnection

    async def send(self, **message: Any) -> None:
        """One message."""
        await self.connection.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(WAIT_SECONDS):
            message: dict[str, Any] = json.loads(await self.connection.recv())
            return message

    async def subscribe(self, operation: str, document: str, **variables: Any) -> None:
        """Start an operation."""
        await self.send(id=operation, type="subscribe", payload={"query": document, "variables": variables})

    async def event(self, operation: str = "1") -> dict[str, Any]:
        """The data of the next event of an operation."""
        message = await self.receive()
        assert message["type"] == "next", message
        assert message["id"] == operation, message
        assert "errors" not in message["payload"], message
        data: dict[str, Any] = message["payload"]["data"]
        return data

    async def change(self, operation: str = "1") -> dict[str, Any]:
        """The record in the next event of attendanceUpdated."""
        record: dict[str, Any] = (await self.event(operation))["attendanceUpdated"]
        return record


class EventStream:
    """What a front end does over SSE or multipart: it reads only what it is asked for."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._text = b""
        self._events: list[ServerSentEvent] = []
        self.interpreter = Interpreter()
        """Of server-sent events."""
        self.status = status
        self.headers = headers

    def write(self, data: bytes) -> None:
        """Send more on the same connection."""
        self._writer.write(data)

    def reset(self) -> None:
        """Drop the connection without a word (RST)."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def chunk(self) -> bytes:
        """The next chunk of the body; empty at its end."""
        async with asyncio.timeout(WAIT_SECONDS):
            size = int(await self._reader.readline(), 16)
            body = await self._reader.readexactly(size)
            await self._reader.readexactly(2)
            return body

    async def event(self) -> ServerSentEvent:
        """The next server-sent event."""
        while not self._events:
            chunk = await self.chunk()
            assert chunk, "the stream has ended"
            self._events = self.interpreter.feed(chunk)
        return self._events.pop(0)

    async def content(self) -> bytes:
        """The response, if it says its length."""
        async with asyncio.timeout(WAIT_SECONDS):
            return await self._reader.readexactly(int(self.headers["content-length"]))

    async def body(self) -> dict[str, Any]:
        """The response, if it is no stream after all."""
        answer: dict[str, Any] = json.loads(await self.content())
        return answer

    async def moved(self) -> str:
        """The last event id after the next chunk, which must bring no event."""
        assert self.interpreter.feed(await self.chunk()) == []
        return self.interpreter.last_event_id

    async def result(self) -> dict[str, Any]:
        """The next result; heartbeats are passed over."""
        if self.headers["content-type"].startswith("text/event-stream"):
            return (await self.event()).json()
        end, prefix = b"\r\n--graphql", b'{"payload":'
        while True:
            while end not in self._text:
                chunk = await self.chunk()
                assert chunk, "the stream has ended"
                self._text += chunk
            text, self._text = self._text.split(end, 1)
            if prefix in text:
                part: dict[str, Any] = json.loads(text[text.index(prefix) :])["payload"]
                return part

    async def change(self) -> dict[str, Any]:
        """The record in the next event of attendanceUpdated."""
        result = await self.result()
        assert "errors" not in result, result
        record: dict[str, Any] = result["data"]["attendanceUpdated"]
        return record
