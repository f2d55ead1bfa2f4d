"""An installation of which only the address and three logins are known."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import websockets

from tests.front_ends import BOARD, MARK, Client, Socket
from tests.server_sent_events import Interpreter, ServerSentEvent
from tests.waiting import WAIT_SECONDS

SSE = "text/event-stream"
MULTIPART = "multipart/mixed;subscriptionSpec=1.0"
GRAPHQL = "application/graphql-response+json"
PROTOCOL = websockets.Subprotocol("graphql-transport-ws")
LOGIN = """mutation Login($input: LoginInput!) { login(input: $input) {
  accessToken refreshToken viewer { role } errors { code message } } }"""
LOGOUT = "mutation { logout { errors { code } } }"
ROLES = ("ADMIN", "MARKER", "VIEWER")


@dataclass(frozen=True)
class Login:
    """An account of the installation."""

    email: str
    password: str


@dataclass
class Site:
    """The installation, and a session of each role, which all tests share."""

    address: str
    logins: Mapping[str, Login]
    heartbeats: int = 0
    """For which a quiet stream is kept open."""
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def has_many_addresses(self) -> bool:
        """Whether clients may come from any of 127.0.0.0/8, which are all Linux's own."""
        return sys.platform == "linux" and urlsplit(self.address).hostname == "127.0.0.1"

    @asynccontextmanager
    async def http(self, source: str | None = None, **options: Any) -> AsyncIterator[httpx2.AsyncClient]:
        """A client, as whom nobody is logged in; certificates may be anybody's. `source` is where it comes from."""
        transport = httpx2.AsyncHTTPTransport(verify=False, local_address=source if self.has_many_addresses else None)
        async with httpx2.AsyncClient(
            base_url=self.address, transport=transport, timeout=WAIT_SECONDS, **options
        ) as client:
            yield client

    @asynccontextmanager
    async def client(self, role: str | None) -> AsyncIterator[Client]:
        """GraphQL over HTTP, as the account with this role."""
        async with self.http() as http:
            yield Client(http, await self.token(http, role) if role else None)

    async def token(self, http: httpx2.AsyncClient, role: str) -> str:
        """The access token of the session that is shared."""
        if role not in self.tokens:
            self.tokens[role] = (await self.log_in(http, role))["accessToken"]
        return self.tokens[role]

    async def log_in(self, http: httpx2.AsyncClient, role: str, **input_: Any) -> dict[str, Any]:
        """Begin a session of one's own."""
        login = self.logins[role]
        values = {"email": login.email, "password": login.password, **input_}
        data = await Client(http, None).ask(LOGIN, input=values)
        assert data["login"]["errors"] == []
        payload: dict[str, Any] = data["login"]
        return payload

    @asynccontextmanager
    async def connected(self, protocol: websockets.Subprotocol = PROTOCOL, **options: Any) -> AsyncIterator[Socket]:
        """A WebSocket that has said nothing yet."""
        if self.address.startswith("https:"):
            options["ssl"] = ssl._create_unverified_context()  # noqa: SLF001 - short for three lines
        url = f"ws{self.address.removeprefix('http')}/graphql"
        async with websockets.connect(url, subprotocols=[protocol], proxy=None, **options) as connection:
            yield Socket(connection)

    @asynccontextmanager
    async def socket(self, token: str) -> AsyncIterator[Socket]:
        """A WebSocket that was acknowledged."""
        async with self.connected() as socket:
            await socket.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
            assert await socket.receive() == {"type": "connection_ack"}
            yield socket

    @asynccontextmanager
    async def stream(
        self, token: str, document: str, accept: str = SSE, *, last: str | None = None, **variables: Any
    ) -> AsyncIterator[Stream]:
        """A subscription over HTTP."""
        headers = {"Authorization": f"Bearer {token}", "Accept": accept}
        if last is not None:
            headers["Last-Event-ID"] = last
        body = {"query": document, "variables": variables}
        async with self.http() as http, http.stream("POST", "/graphql", json=body, headers=headers) as response:
            yield Stream(response)


class Stream:
    """The events of a subscription over HTTP, as they come."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.interpreter = Interpreter()
        self.heartbeats = 0
        """Bytes that brought neither an event nor an id."""
        self._pieces = response.aiter_bytes()
        self._events: list[ServerSentEvent] = []
        self._text = b""

    async def piece(self) -> bytes:
        """What comes next; empty at the end."""
        return await anext(self._pieces, b"")

    async def event(self) -> ServerSentEvent:
        """The next server-sent event."""
        while not self._events:
            piece, last = await self.piece(), self.interpreter.last_event_id
            assert piece, "the stream has ended"
            self._events = self.interpreter.feed(piece)
            self.heartbeats += not self._events and self.interpreter.last_event_id == last
        return self._events.pop(0)

    async def begun(self) -> str:
        """The first id, with which a subscription tells where it begins."""
        while not self.interpreter.last_event_id:
            self._events += self.interpreter.feed(await self.piece())
        return self.interpreter.last_event_id

    async def change(self) -> dict[str, Any]:
        """The record in the next event of attendanceUpdated, whatever the framing."""
        if self.response.headers["content-type"].startswith(SSE):
            result = (await self.event()).json()
        else:
            result = await self._part()
        assert "errors" not in result, result
        record: dict[str, Any] = result["data"]["attendanceUpdated"]
        return record

    async def _part(self) -> dict[str, Any]:
        end, prefix = b"\r\n--graphql", b'{"payload":'
        while True:
            while end not in self._text:
                piece = await self.piece()
                assert piece, "the stream has ended"
                self._text += piece
            part, self._text = self._text.split(end, 1)
            if prefix in part:
                payload: dict[str, Any] = json.loads(part[part.index(prefix) :])["payload"]
                return payload


async def today(client: Client, people: int = 5) -> tuple[str, str, list[dict[str, Any]]]:
    """Today's date, where its feed is, and some of its people."""
    day = (await client.ask(BOARD, first=people))["attendanceDay"]
    return day["date"], day["records"]["feedCursor"], [edge["node"] for edge in day["records"]["edges"]]


async def change(client: Client, person: Mapping[str, Any], date: str, note: str) -> dict[str, Any]:
    """Mark a person with a note that is new, which is a change whatever was stored; answers the record."""
    target = {"staffDate": {"staffId": person["staffId"], "date": date}}
    payload = (await client.ask(MARK, input={"target": target, "status": "LATE", "note": note}))["updateAttendance"]
    assert payload["errors"] == []
    record: dict[str, Any] = payload["attendance"]
    return record


def read_logins(file: Path) -> dict[str, Login]:
    """Of a demo's folder, or other accounts."""
    logins = {}
    for role, said in json.loads(file.read_text(encoding="utf-8")).items():
        email, password = (f"{role.lower()}@demo.example", said) if isinstance(said, str) else said
        logins[role] = Login(email, password)
    return logins
