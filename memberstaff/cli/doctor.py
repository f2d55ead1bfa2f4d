"""`memberstaff doctor`: looks at what a server would meet here, and says what is wrong and what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer
from redis.exceptions import NoPermissionError, RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from memberstaff import tracing
from memberstaff.cli.console import CommandError, app, out, require_folder, run, unusable
from memberstaff.cli.serving import in_clear_text, without_names
from memberstaff.db.clock import utc_now
from memberstaff.db.database import Database
from memberstaff.db.deadline import APPLICATION_NAME, connection_arguments
from memberstaff.db.migrate import Compatibility, Incompatible, compatibility
from memberstaff.deployment import PREFIX
from memberstaff.notify.codec import MISSED, encode
from memberstaff.notify.notifier import purpose
from memberstaff.notify.seal import Seal
from memberstaff.redis_client import RedisAddress, RedisConnection, parse
from memberstaff.server import descriptors
from memberstaff.settings import Settings, load

APART_SECONDS = 1.0
"""By which two clocks may differ."""

REDIS_SECONDS = 2.0
"""For an answer of Redis."""

TIMEOUTS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
"""Parameters of each connection without which a server that hangs keeps others waiting."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    ADVICE = "advice"
    """It works, and something is to be known."""
    WRONG = "wrong"


STYLES = {Level.OK: "green", Level.ADVICE: "yellow", Level.WRONG: "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence or two: what is so, and what to do if it is wrong."""

    level: Level
    text: str


def ok(text: str) -> Finding:
    """As it should be."""
    return Finding(Level.OK, text)


def advice(text: str) -> Finding:
    """Not wrong, but to be known."""
    return Finding(Level.ADVICE, text)


def wrong(text: str) -> Finding:
    """To be mended."""
    return Finding(Level.WRONG, text)


@app.command("doctor")
def doctor_command(
    processes: Annotated[int, typer.Option(min=1, help="Server processes on this database, of all servers.")] = 1,
    host: Annotated[str, typer.Option(help="Address that `serve` listens on.")] = "127.0.0.1",
    tls: Annotated[bool, typer.Option("--tls", help="`serve` is given a certificate.")] = False,
) -> None:
    """Check the settings, the database, Redis and this machine; exit code 1 when something is wrong.

    Run it where the server runs, as its user and with its environment. It changes nothing, but for the epoch
    that any first connection begins after a failover.
    """
    settings = load()
    found: list[Finding] = []

    async def main() -> None:
        found.extend(of_settings(settings, host=host, tls=tls))
        found.extend([each async for each in of_database(settings, processes=processes)])
        found.extend([each async for each in of_redis(settings, processes=processes)])

    run(main)
    for each in found:
        out.print(
            f"{each.level:<8}{each.text}", style=STYLES[each.level], markup=False, highlight=False, soft_wrap=True
        )
    if any(each.level is Level.WRONG for each in found):
        raise typer.Exit(1)


def of_settings(settings: Settings, *, host: str, tls: bool) -> Iterator[Finding]:
    """The secret, the way to clients, traces, and the descriptors."""
    if settings.secret_key is None:
        yield wrong(f"{PREFIX}SECRET_KEY is missing; generate one with `openssl rand -base64 48`.")
    exposed = in_clear_text(settings, host, encrypted=tls)
    if exposed is not None:
        yield wrong(exposed)
    nameless = without_names(settings, host)
    if nameless is not None:
        yield advice(nameless)
    if exposed is None:
        how = "TLS" if tls else "a proxy" if settings.trusted_proxies else "this machine alone"
        yield ok(f"Clients come by {how}.")
    if settings.tracing:
        problem = tracing.problem()
        yield ok(f"Traces are sent to {tracing.endpoint()}.") if problem is None else wrong(problem)
    descriptors.raise_limit()
    total = descriptors.for_connections(settings.database_pool_size)
    if total // 2 < settings.max_sockets_per_address:
        yield wrong(
            f"A process may open {descriptors.limit():,} files, so one address gets {total // 2:,} connections, and "
            f"not the {settings.max_sockets_per_address:,} of {PREFIX}MAX_SOCKETS_PER_ADDRESS. Raise the limit "
            "(`ulimit -Hn`, systemd's LimitNOFILE=), or lower the setting."
        )
    else:
        yield ok(f"A process has room for {total:,} connections.")


async def of_database(settings: Settings, *, processes: int) -> AsyncIterator[Finding]:
    """Migrations, and on PostgreSQL clocks, connections, time-outs and standbys."""
    url = settings.database_url.get_secret_value()
    try:
        require_folder(url)
    except CommandError as error:
        yield wrong(str(error))
        return
    seconds = settings.database_seconds
    opened = Database(
        url, zone=settings.zone, pool_size=2, answer_seconds=seconds, pgbouncer=settings.database_pgbouncer
    )
    try:
        async with asyncio.timeout(2 * seconds):
            found = await compatibility(opened.engine)
            if found is Compatibility.COMPATIBLE:
                yield ok("This release can serve with the database's tables.")
            else:
                yield wrong(str(Incompatible(found)))
            if not opened.is_sqlite:
                async with opened.engine.connect() as connection:
                    for each in await _of_postgresql(connection, settings, processes):
                        yield each
                    if found is Compatibility.COMPATIBLE and (ahead := await connection.scalar(_EPOCH_AHEAD)) > 1:
                        yield advice(
                            f"The epoch is from a clock that was {ahead:,} s ahead of the database's. Servers refuse a "
                            "standby that is promoted without having heard of it, unless its timeline is higher than "
                            "any that they have seen: run `memberstaff new-epoch` there (docs/backup.md)."
                        )
                if not opened.timeline.followed:
                    yield advice(
                        "PostgreSQL does not tell this role its timeline, so a failover is not noticed: run "
                        "`memberstaff new-epoch` after each one, before the servers start (docs/backup.md)."
                    )
    except (SQLAlchemyError, OSError) as error:  # a time-out is an OSError
        yield wrong(f"{unusable(error)}. Is the address right, does it run there, and does it let this role in?")
    finally:
        await opened.close()


async def _of_postgresql(connection: AsyncConnection, settings: Settings, processes: int) -> list[Finding]:
    asked = utc_now()
    row = (await connection.execute(_STATE)).one()
    between = asked + (utc_now() - asked) / 2
    found = [_clock("The database's", (row.now - between).total_seconds())]
    found.append(_room(settings, processes, admitted=row.admitted))
    found += [*_timeouts(dict(row.parameters), settings), *_durability(row)]
    return found


def _room(settings: Settings, processes: int, *, admitted: int) -> Finding:
    wanted = settings.database_pool_size * processes
    if settings.database_pgbouncer:
        return ok(
            f"{wanted} connections of {processes} processes need a max_client_conn of PgBouncer as high; of its "
            f"sessions (default_pool_size) PostgreSQL admits {admitted}."
        )
    if wanted > admitted:
        return wrong(
            f"{processes} processes may open {wanted} connections, and PostgreSQL admits {admitted}. Raise its "
            f"max_connections (or the CONNECTION LIMIT of the role or the database), lower {PREFIX}DATABASE_POOL_SIZE, "
            "or put PgBouncer between (docs/postgresql.md)."
        )
    return ok(f"{wanted} connections of {processes} processes fit into the {admitted} of PostgreSQL.")


_STATE = text(
    """SELECT clock_timestamp() AS now, least(
      current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0),
      (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user AND NOT rolsuper),
      (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
    ) AS admitted,
    current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commits,
    current_setting('synchronous_standby_names') AS synchronous,
    (SELECT count(*) FROM pg_stat_replication) AS standbys,
    (SELECT json_object_agg(name, setting) FROM pg_settings WHERE name LIKE '%timeout' OR name = 'application_name')
    AS parameters"""
)


_EPOCH_AHEAD = text("SELECT epoch / 1000 - extract(epoch FROM clock_timestamp())::bigint FROM installation")


def _clock(whose: str, ahead: float) -> Finding:
    if abs(ahead) <= APART_SECONDS:
        return ok(f"{whose} clock and this machine's agree.")
    return wrong(
        f"{whose} clock is {abs(ahead):,.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's. Have both set "
        "by NTP (timedatectl set-ntp true): sessions end, marks are dated and delivery is measured by them."
    )


def _timeouts(parameters: dict[str, str], settings: Settings) -> Iterator[Finding]:
    expected: dict[str, str] = connection_arguments(settings.database_seconds)["server_settings"]
    lost = [name for name in TIMEOUTS if parameters[name] != expected[name]]
    for name in lost:
        yield wrong(
            f"{name} is {parameters[name]} ms, and not the {expected[name]} ms that each connection asks for: "
            f"something between, such as PgBouncer, has swallowed it. Give it to the role: ALTER ROLE … SET {name} = "
            f"{expected[name]} (docs/postgresql.md)."
        )
    if parameters["application_name"] != APPLICATION_NAME:
        yield wrong(
            f"application_name arrives as {parameters['application_name']!r}, so transactions of stopped processes are "
            "not found and ended. Unset application_name_add_host of PgBouncer (docs/postgresql.md)."
        )
    elif not lost:
        yield ok("The time-outs of each connection are in force.")


def _durability(row: Any) -> Iterator[Finding]:
    if row.fsync == "off":
        yield wrong("fsync is off: a crash of PostgreSQL's machine can destroy everything. Set it to on.")
    if row.commits == "off":
        yield wrong(
            "synchronous_commit is off: a crash of PostgreSQL loses marks that were acknowledged. Set it to on, at "
            "least for this role: ALTER ROLE … SET synchronous_commit = on."
        )
    elif row.synchronous and row.commits == "local":
        yield wrong("synchronous_commit is local: commits do not wait for the synchronous standby. Set it to on.")
    elif row.synchronous and not row.standbys:
        yield wrong(
            "No standby is connected, and synchronous_standby_names asks for one: no mark succeeds until one is. Start "
            "it again, or have two; to go on without one, ALTER SYSTEM RESET synchronous_standby_names."
        )
    elif row.synchronous:
        yield ok("A standby is synchronous: a failover to it loses nothing that was acknowledged.")
    elif row.standbys:
        yield advice(
            "The standby is asynchronous: a failover loses the marks of the last moments before it, though they were "
            "acknowledged. To lose none, set synchronous_standby_names."
        )
    else:
        yield advice("There is no standby: when PostgreSQL's disk is lost, all since the last backup is.")


async def of_redis(settings: Settings, *, processes: int) -> AsyncIterator[Finding]:
    """Whether it answers, its clock, and whether a message comes through."""
    if settings.one_process_only:
        if processes > 1:
            yield wrong(f"Several processes need Redis to notify each other: set {PREFIX}BROADCAST_URL to redis://….")
        else:
            yield ok("There is one process, which needs no Redis.")
        return
    address = parse(settings.broadcast_url.get_secret_value())
    redis = RedisConnection(address.clients(REDIS_SECONDS))
    try:
        await redis.do(lambda client: client.ping())
        yield ok("Redis answers.")
        with suppress(NoPermissionError):  # a user with the least rights may not ask
            asked = utc_now().timestamp()
            seconds, microseconds = await redis.do(lambda client: client.time())
            between = (asked + utc_now().timestamp()) / 2
            yield _clock("Redis's", seconds + microseconds / 1e6 - between)
    except (RedisError, OSError) as error:
        yield wrong(
            f"Redis in {PREFIX}BROADCAST_URL does not answer ({type(error).__name__}): changes reach other processes "
            f"by polling, {settings.poll_seconds:g} s late. Is the address right, does it run there, and does it let "
            "this user in?"
        )
        return
    finally:
        await redis.close()
    if settings.secret_key is not None:
        yield await _message(settings, address)


async def _message(settings: Settings, address: RedisAddress) -> Finding:
    """Publish one as servers do, on one node, and hear it on another if there are several: servers ask the database."""
    name, clients = settings.broadcast_channel, address.clients(REDIS_SECONDS)
    sealed = Seal(settings.keyring, purpose(name)).seal(encode(MISSED))
    listener, publisher = RedisConnection(clients), RedisConnection(clients)
    try:
        async with asyncio.timeout(2 * REDIS_SECONDS), listener.client.pubsub() as listening:
            await listening.subscribe(name)
            async for message in listening.listen():
                if message["type"] == "subscribe":
                    await publisher.client.publish(name, sealed)
                elif message["data"] == sealed.encode():
                    break
    except (RedisError, OSError) as error:
        return wrong(
            f"Redis does not pass on what is published on the channel {name!r} ({type(error).__name__}): changes reach "
            f"other processes by polling, {settings.poll_seconds:g} s late. Give this user its rights (docs/redis.md); "
            "of a cluster, see whether its nodes reach each other."
        )
    finally:
        await listener.close()
        await publisher.close()
    return ok("What is published on Redis is heard.")
