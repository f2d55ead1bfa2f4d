"""A whole installation for tests: a real server on a real port, with accounts, people and clients."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from types import MappingProxyType
from typing import Any
from unittest import mock
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import httpx2
import websockets
from pydantic import BaseModel, SecretStr
from sqlalchemy import select

from memberstaff import demo
from memberstaff.access import COMMAND_LINE, Role
from memberstaff.accounts import directory
from memberstaff.accounts.passwords import Passwords
from memberstaff.accounts.tokens import AccessTokens, Claims
from memberstaff.application import Application
from memberstaff.db import tables
from memberstaff.db.clock import Clock
from memberstaff.db.database import Database
from memberstaff.db.work import Work
from memberstaff.settings import Settings
from memberstaff.staff import commands
from memberstaff.staff.commands import Details
from schema.asgi import create_app
from schema.ids import global_id
from schema.root import make_schema
from tests.clock import MONDAY, TurnedClock
from tests.front_ends import WATCH, Client, EventStream, Socket
from tests.serving import Address, serving
from tests.waiting import WAIT_SECONDS, until
from tests.web import web_client

PASSWORD = "correct horse battery"
SECRET = "for tests only, and long enough for HS256"
PEOPLE = {
    "Amina": "Teaching",
    "Björn": "Kitchen",
    "Chloé": "Teaching",
    "Дмитрий": "Facilities",
}


@dataclass
class Installation:
    """A served application."""

    application: Application
    address: Address
    http: httpx2.AsyncClient
    tokens: dict[Role, str] = field(default_factory=dict)
    staff: dict[str, str] = field(default_factory=dict)

    @property
    def admin(self) -> Client:
        """May do everything."""
        return Client(self.http, self.tokens[Role.ADMIN])

    @property
    def marker(self) -> Client:
        """The front desk."""
        return Client(self.http, self.tokens[Role.MARKER])

    @property
    def viewer(self) -> Client:
        """A screen on the wall."""
        return Client(self.http, self.tokens[Role.VIEWER])

    @property
    def nobody(self) -> Client:
        """Without a token."""
        return Client(self.http, None)

    @asynccontextmanager
    async def socket(
        self, role: Role = Role.VIEWER, *, payload: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Socket]:
        """An acknowledged socket of an account with this role."""
        async with websockets.connect(f"{self.address.ws}/graphql", subprotocols=[WS]) as connection:
            socket = Socket(connection)
            await socket.send(
                type="connection_init", payload={"authorization": f"Bearer {self.tokens[role]}", **(payload or {})}
            )
            assert await socket.receive() == {"type": "connection_ack"}
            yield socket

    @asynccontextmanager
    async def stream(
        self,
        document: str,
        accept: str,
        role: Role = Role.VIEWER,
        *,
        get: bool = False,
        headers: Mapping[str, str] = MappingProxyType({}),
        **variables: Any,
    ) -> AsyncIterator[EventStream]:
        """An operation of an account with this role, whose results come as a stream."""
        body = b"" if get else json.dumps({"query": document, "variables": variables}).encode()
        query_string = urlencode({"query": document, "variables": json.dumps(variables)})
        sent = {"Authorization": f"Bearer {self.tokens[role]}", "Accept": accept, **headers}
        if not get:
            sent |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        first = f"GET /graphql?{query_string}" if get else "POST /graphql"
        head = f"{first} HTTP/1.1\r\nHost: localhost\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in sent.items()) + "\r\n"
        connection = socket.create_connection(("127.0.0.1", self.address.port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)  # so that who does not read is soon felt
        reader, writer = await asyncio.open_connection(sock=connection, limit=8_192)
        try:
            writer.write(head.encode() + body)
            status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            told = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
            yield EventStream(reader, writer, int(status.split()[1]), told)
        finally:
            writer.close()

    @asynccontextmanager
    async def watching(self, date: str, role: Role = Role.VIEWER, **variables: Any) -> AsyncIterator[Socket]:
        """A socket that watches a day as operation "1", and has begun to: what is marked now will arrive."""
        async with self.socket(role) as socket:
            async with self.one_more_follower(date):
                await socket.subscribe("1", WATCH, date=date, **variables)
            yield socket

    @asynccontextmanager
    async def one_more_follower(self, date: str) -> AsyncIterator[None]:
        """Wait at the end until somebody new follows the day from a place of their own."""
        day = dt.date.fromisoformat(date)
        before = self.application.feed.followers(day)
        yield
        await until(lambda: self.application.feed.followers(day) > before)


WEAK = Passwords(time_cost=1, memory_kib=8)
"""As weak as Argon2 goes: tests log in hundreds of times."""

ORDINARY = {"ws": "websockets-sansio"}
"""uvicorn's options for `ordinary`."""

WS = websockets.Subprotocol("graphql-transport-ws")


def settings(database_url: str, **changes: Any) -> Settings:
    """The settings of a test's installation; a database hangs only where a test wants it to."""
    chosen = {"database_url": SecretStr(database_url), "secret_key": SecretStr(SECRET), "database_seconds": 60}
    return chosen_settings(**{**chosen, **changes})


def chosen_settings(**chosen: Any) -> Settings:
    """Settings without the environment, in which to look for each of them takes longer than many a test."""
    made = Settings.__new__(Settings)
    BaseModel.__init__(made, **chosen)
    return made


@asynccontextmanager
async def install(
    database_url: str,
    *,
    clock: Clock | None = None,
    furnish: bool = True,
    demo_people: int = 0,
    ordinary: bool = False,
    port: int = 0,
    **changes: Any,
) -> AsyncIterator[Installation]:
    """Serve an application on this database; `furnish` gives it accounts and people, of the demo's if so many,
    unless it has them already.

    Without another clock it stands still on MONDAY, so that no test depends on the day on which it runs.

    `ordinary` serves its sockets with uvicorn's own protocol, as another server would: without our short cuts.
    """
    application = Application(settings(database_url, **changes), clock=clock or TurnedClock(), passwords=WEAK)
    with mock.patch("schema.asgi.make_schema", schema_of):
        app = create_app(application)
    async with (
        serving(app, application.settings, port=port, **ORDINARY if ordinary else {}) as address,
        web_client(base_url=address.http, timeout=WAIT_SECONDS) as http,
    ):
        installation = Installation(application, address, http)
        await _enter(installation)
        if furnish and not installation.tokens:
            await _furnish(application.database, demo_people)
            await _enter(installation)
        yield installation


schema_of = cache(make_schema)
"""The schema with these limits, and its cache of documents, which all installations share as all requests of a server
do: to build it takes longer than to serve and to stop it."""


async def _enter(installation: Installation) -> None:
    """Open a session for each role's account, and learn who is there."""
    async with installation.application.database.write() as work:
        installation.tokens = await open_sessions(work, installation.application.settings)
        people = select(tables.staff.c.id, tables.staff.c.name).where(tables.staff.c.name.in_(PEOPLE))
        found = await work.rows(people.order_by(tables.staff.c.id))
        installation.staff = {row.name: global_id("Staff", row.id) for row in found}


async def furnish(url: str) -> None:
    """Put into a database what an installation of the tests has."""
    await furnish_at(url, TurnedClock())


async def furnish_at(url: str, clock: Clock, demo_people: int = 0) -> None:
    """The same at another time; with people of the demo, if so many."""
    database = Database(url, zone=ZoneInfo("UTC"), clock=clock)
    await _furnish(database, demo_people)
    await database.close()


async def _furnish(database: Database, demo_people: int) -> None:
    if demo_people:
        await demo.load(
            database, people=demo_people, on=await demo.today(database), seed=1, working=frozenset(range(5))
        )
    async with database.write() as work:
        work.caller = COMMAND_LINE
        await add_accounts(work)
        if not demo_people:
            await _add_people(work)


async def add_accounts(work: Work) -> None:
    """One account for each role."""
    hashed = await WEAK.hash(PASSWORD)
    for role in Role:
        await directory.add(work, email=email(role), role=role, password_hash=hashed, display_name=role.title())


async def _add_people(work: Work) -> None:
    for name, category in PEOPLE.items():
        await commands.create(work, Details(name=name, category=category, starts_on=MONDAY.replace(day=1)))


async def renew_tokens(installation: Installation) -> None:
    """Open another session for each role's account: after this, clients made by `installation` send new tokens."""
    application = installation.application
    async with application.database.write() as work:
        installation.tokens = await open_sessions(work, application.settings)


async def open_sessions(work: Work, settings: Settings) -> dict[Role, str]:
    """Tokens as after a login, which is for the tests of accounts to show."""
    account, session = tables.account, tables.session
    rows = await work.rows(select(account.c.id, account.c.role).where(account.c.email.in_(map(email, Role))))
    opened = {Role(row.role): (row.id, secrets.token_urlsafe(24)) for row in rows}
    if opened:
        times = {"created_at": work.now, "expires_at": work.now + timedelta(seconds=settings.refresh_token_seconds)}
        await work.write(session.insert(), [{"id": one, "account_id": of, **times} for of, one in opened.values()])
    expires_at = work.now.replace(microsecond=0) + timedelta(seconds=settings.access_token_seconds)
    tokens = AccessTokens(settings.keyring)
    return {role: tokens.issue(Claims(one, of, expires_at), now=work.now) for role, (of, one) in opened.items()}


def email(role: Role) -> str:
    """The address of the account with this role."""
    return f"{role.lower()}@school.example"
