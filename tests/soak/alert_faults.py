"""What `./dev drill alerts` breaks so that each alert fires. docs/runbook.md lists it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import redis
from sqlalchemy import make_url

from memberstaff.db.deadline import APPLICATION_NAME
from tests.databases import OTHERS_ENDED
from tests.soak.alert_site import ANSWER_SECONDS, DAY, Site
from tests.soak.cluster import CHANNEL, EMAIL, PASSWORD, Node

LOGINS = 150
LOGIN = "mutation ($i: LoginInput!) { login(input: $i) { refreshToken errors { code } } }"
REFRESH = "mutation ($i: RefreshSessionInput!) { refreshSession(input: $i) { refreshToken errors { code } } }"


Inject = Callable[[Site], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """A fault, and the alerts that fire at it."""

    what: str
    inject: Inject
    alerts: tuple[str, ...]


def log_to_a_full_disk(node: Node) -> None:
    """Before it starts."""
    node.log_to(Path("/dev/full"))


@asynccontextmanager
async def nothing(_site: Site) -> AsyncIterator[None]:
    """It is so from the start."""
    yield


@asynccontextmanager
async def lost_table(site: Site) -> AsyncIterator[None]:
    rename = "ALTER TABLE {} RENAME TO {}"
    async with site.edited(rename.format("channel_grant", "kept"), rename.format("kept", "channel_grant")):
        yield


@asynccontextmanager
async def forger(site: Site) -> AsyncIterator[None]:
    def forge() -> None:
        with redis.Redis.from_url(site.redis.url) as client:
            client.publish(CHANNEL, "not sealed with our secret")

    await asyncio.to_thread(forge)
    yield


@asynccontextmanager
async def stolen_token(site: Site) -> AsyncIterator[None]:
    node = site.cluster.nodes[0]
    answer = await site.ask(node, LOGIN, login=False, i={"email": EMAIL, "password": PASSWORD})
    first = {"refreshToken": answer["data"]["login"]["refreshToken"]}
    answer = await site.ask(node, REFRESH, login=False, i=first)
    second = {"refreshToken": answer["data"]["refreshSession"]["refreshToken"]}
    for token in (second, first):
        await site.ask(node, REFRESH, login=False, i=token)
    yield


@asynccontextmanager
async def guesser(site: Site) -> AsyncIterator[None]:
    for number in range(LOGINS):
        guess = {"email": EMAIL, "password": f"guess {number}"}
        await site.ask(site.cluster.nodes[0], LOGIN, login=False, i=guess)
    yield


@asynccontextmanager
async def flood(site: Site) -> AsyncIterator[None]:
    async def connect() -> None:
        opened.append(socket.create_connection(("127.0.0.1", site.cluster.nodes[0].port)))

    opened: list[socket.socket] = []
    try:
        async with site.repeating(connect, 0.005):
            yield
    finally:
        for each in opened:
            each.close()


@asynccontextmanager
async def slow_redis(site: Site) -> AsyncIterator[None]:
    async def hiccup() -> None:
        site.redis.pause()
        try:
            marking = asyncio.create_task(site.mark())
            await asyncio.sleep(0.15)
        finally:
            site.redis.resume()
        await marking

    async with site.repeating(hiccup):
        yield


@asynccontextmanager
async def dead_redis(site: Site) -> AsyncIterator[None]:
    site.redis.kill()
    try:
        async with site.repeating(site.mark):
            yield
    finally:
        await asyncio.to_thread(site.redis.start)


@asynccontextmanager
async def held_day(site: Site) -> AsyncIterator[None]:
    async def hold() -> None:
        async with site.cluster.connection() as connection, connection.transaction():
            await connection.execute("SELECT 1 FROM attendance_day FOR UPDATE")
            marking = asyncio.create_task(site.mark())
            await asyncio.sleep(ANSWER_SECONDS / 2)
        await marking

    async with site.repeating(hold):
        yield


@asynccontextmanager
async def dead_database(site: Site) -> AsyncIterator[None]:
    await asyncio.to_thread(site.postgres.crash)
    try:
        async with site.repeating(site.mark, 0.05):
            yield
    finally:
        await asyncio.to_thread(site.postgres.start)
        await _serving(site)


@asynccontextmanager
async def locked_table(site: Site) -> AsyncIterator[None]:
    async def crowd() -> None:
        nodes = [*site.cluster.nodes] * 8
        await asyncio.gather(*(site.ask(node, DAY) for node in nodes), site.mark(), site.mark())

    async with site.cluster.connection() as connection, connection.transaction():
        await connection.execute("LOCK TABLE attendance_day")
        async with site.repeating(crowd):
            yield
    await _serving(site)


@asynccontextmanager
async def stopped_process(site: Site) -> AsyncIterator[None]:
    address = make_url(site.cluster.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    stopped = await asyncpg.connect(address, server_settings={"application_name": APPLICATION_NAME})
    try:
        await stopped.execute("BEGIN")
        await stopped.execute("UPDATE attendance_day SET label = label")
        await stopped.prepare("SELECT 1")  # which sends the first half of a statement
        async with site.repeating(site.mark):
            yield
    finally:
        stopped.terminate()


@asynccontextmanager
async def bad_row(site: Site) -> AsyncIterator[None]:
    early = "UPDATE staff SET starts_on = '0044-03-15 BC'"
    back = "UPDATE staff SET starts_on = '2026-01-01'"
    async with site.edited(early, back), site.repeating(site.mark):
        yield


@asynccontextmanager
async def untold_timeline(site: Site) -> AsyncIterator[None]:
    rename = "ALTER FUNCTION pg_catalog.{}(pg_lsn) RENAME TO {}; " + OTHERS_ENDED
    async with site.edited(rename.format("pg_walfile_name", "kept"), rename.format("kept", "pg_walfile_name")):
        yield


@asynccontextmanager
async def failover(site: Site) -> AsyncIterator[None]:
    postgres = site.postgres
    await asyncio.to_thread(postgres.wait_for_standby)
    await asyncio.to_thread(postgres.cut_standby)
    for _ in range(4):
        await site.mark()
    await asyncio.to_thread(postgres.primary.kill)
    old = await asyncio.to_thread(postgres.promote)
    old.stop()
    postgres.lead_to_primary()
    async with site.repeating(site.mark):
        yield


@asynccontextmanager
async def ended_server(site: Site) -> AsyncIterator[None]:
    await asyncio.to_thread(site.cluster.nodes[1].stop)
    yield


async def _serving(site: Site) -> None:
    for node in site.cluster.nodes:
        await node.ready()


STANDING = (
    Fault("the log goes to a disk that is full (/dev/full)", nothing, ("MemberstaffLogLinesDropped",)),
    Fault("a table that a service needs is renamed by hand", lost_table, ("MemberstaffServiceRestarts",)),
)
"""From the start, since they take a while."""

FAULTS = (
    Fault("a message that is not sealed is published in our channel of Redis", forger, ("MemberstaffForgedMessages",)),
    Fault("a refresh token is sent again after its successor", stolen_token, ("MemberstaffRefreshTokenReused",)),
    Fault(f"{LOGINS} logins with a wrong password", guesser, ("MemberstaffLoginsRefused",)),
    Fault("one address opens connection after connection", flood, ("MemberstaffConnectionsRefused",)),
    Fault("Redis stands still for 150 ms at each mark (SIGSTOP)", slow_redis, ("MemberstaffRedisSlow",)),
    Fault(
        "Redis is killed, and marking goes on",
        dead_redis,
        (
            "MemberstaffNotHearing",
            "MemberstaffNotificationsDropped",
            "MemberstaffDeliveryBudgetBurns",
            "MemberstaffDeliveryBudgetBurnsFast",
        ),
    ),
    Fault("another transaction holds the day's lock for 1.5 s at a time", held_day, ("MemberstaffMarksWait",)),
    Fault(
        "PostgreSQL is killed",
        dead_database,
        ("MemberstaffNotReady", "MemberstaffNotReading", "MemberstaffDatabaseUnavailable", "MemberstaffRequestsFail"),
    ),
    Fault("a table of the database is locked for good", locked_table, ("MemberstaffDatabaseConnectionsUsed",)),
    Fault(
        "a process has stopped in the midst of a statement, with the day's lock",
        stopped_process,
        ("MemberstaffStalledTransactions",),
    ),
    Fault("a date is set by hand that Python cannot hold (44 BC)", bad_row, ("MemberstaffRenderingFails",)),
    Fault("PostgreSQL does not tell its timeline any more", untold_timeline, ("MemberstaffTimelineNotFollowed",)),
    Fault(
        "PostgreSQL's host dies, and its standby has not received the last marks", failover, ("MemberstaffChangesLost",)
    ),
    Fault("a server ends", ended_server, ("MemberstaffDown",)),
)


def page() -> str:
    """The end of docs/runbook.md."""
    lines = ["`./dev drill alerts` has each fire in a real Prometheus, with these rules, at a fault of its own:", ""]
    lines += ["| alert | fault |", "|---|---|"]
    lines += [f"| {', '.join(fault.alerts)} | {fault.what} |" for fault in (*STANDING, *FAULTS)]
    return "\n".join(lines) + "\n"
