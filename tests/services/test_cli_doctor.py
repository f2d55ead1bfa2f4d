"""`memberstaff doctor`: each fault that it knows, on a real PostgreSQL and a real Redis."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from memberstaff.cli import doctor
from memberstaff.cli.doctor import Finding, Level, of_database, of_redis, of_settings
from memberstaff.db import deadline
from memberstaff.db.clock import utc_now
from memberstaff.server import descriptors
from memberstaff.settings import Settings
from tests.databases import Databases, Engine, connected
from tests.infrastructure.postgres import PostgresServer
from tests.infrastructure.redis import Redis, RedisServer
from tests.installation import SECRET
from tests.services.command_line import memberstaff

AGREE = "The database's clock and this machine's agree."
FIT = "10 connections of 1 processes fit into the 197 of PostgreSQL."
CURRENT = "This release can serve with the database's tables."
IN_FORCE = "The time-outs of each connection are in force."
ALONE = "There is no standby: when PostgreSQL's disk is lost, all since the last backup is."
TOO_MANY = (
    "20 processes may open 200 connections, and PostgreSQL admits 197. Raise its max_connections (or the CONNECTION "
    "LIMIT of the role or the database), lower MEMBERSTAFF_DATABASE_POOL_SIZE, or put PgBouncer between "
    "(docs/postgresql.md)."
)
RENAMED = (
    "application_name arrives as '', so transactions of stopped processes are not found and ended. Unset "
    "application_name_add_host of PgBouncer (docs/postgresql.md)."
)
SILENT = (
    "Redis in MEMBERSTAFF_BROADCAST_URL does not answer (ConnectionError): changes reach other processes by "
    "polling, 2 s late. Is the address right, does it run there, and does it let this user in?"
)
FEW_FILES = (
    "A process may open 1,024 files, so one address gets 442 connections, and not the 5,000 of "
    "MEMBERSTAFF_MAX_SOCKETS_PER_ADDRESS"
)
UNSAFE = {"fsync is off", "synchronous_commit is off"}
"""What is so in the tests' own PostgreSQL."""


async def found(url: str, *, processes: int = 1) -> dict[Level, list[str]]:
    """What it says of a database, but for what tests want so."""
    settings = Settings(database_url=SecretStr(url), database_seconds=2)
    return by_level([each async for each in of_database(settings, processes=processes)])


def by_level(findings: Sequence[Finding]) -> dict[Level, list[str]]:
    told: dict[Level, list[str]] = {level: [] for level in Level}
    for each in findings:
        if each.text.split(":")[0] not in UNSAFE:
            told[each.level].append(each.text)
    return told


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_database_without_a_fault_is_said_to_have_none(database_url: str) -> None:
    assert await found(database_url) == {
        Level.OK: [CURRENT, AGREE, FIT, IN_FORCE],
        Level.ADVICE: [],
        Level.WRONG: [],
    }


async def test_a_database_that_is_not_migrated_or_does_not_answer_is_told(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    empty = own_postgres.create_database()
    missing = "The database's schema is not that of this release. Run `memberstaff migrate` first."
    assert (await found(empty))[Level.WRONG] == [missing]
    assert (await found(f"sqlite+aiosqlite:///{tmp_path}/school.db"))[Level.WRONG] == [missing]
    [nowhere] = (await found(f"sqlite+aiosqlite:///{tmp_path}/missing/school.db"))[Level.WRONG]
    assert nowhere.endswith(f"{tmp_path}/missing is no folder to write to.")
    own_postgres.stop()
    [away] = (await found(empty))[Level.WRONG]
    assert away.startswith("The database in MEMBERSTAFF_DATABASE_URL cannot be used: ")
    assert away.endswith(" Is the address right, does it run there, and does it let this role in?")


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_clock_that_is_wrong_is_told(
    database_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late() -> datetime:
        return utc_now() - timedelta(minutes=2)

    monkeypatch.setattr(doctor, "utc_now", late)
    ours = Settings(broadcast_url=SecretStr(redis_server.url))
    for told in (
        (await found(database_url))[Level.WRONG],
        by_level([each async for each in of_redis(ours, processes=2)])[Level.WRONG],
    ):
        [sentence] = told
        assert re.search(r"clock is 1(19\.9|20\.[0-9]) s ahead of this machine's\. Have both set by NTP", sentence)


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_an_epoch_of_a_clock_that_was_ahead_is_told(database_url: str) -> None:
    async with connected(database_url) as connection:
        await connection.execute(
            "UPDATE installation SET epoch = 1000 * (extract(epoch FROM clock_timestamp())::bigint + 3600)"
        )
    [sentence] = (await found(database_url))[Level.ADVICE]
    assert re.match(r"The epoch is from a clock that was 3,(600|59[0-9]) s ahead of the database's\. ", sentence)


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_more_connections_than_postgresql_admits_are_told(database_url: str) -> None:
    assert (await found(database_url, processes=20))[Level.WRONG] == [TOO_MANY]


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_behind_pgbouncer_connections_are_those_of_pgbouncer(database_url: str) -> None:
    settings = Settings(database_url=SecretStr(database_url), database_seconds=2, database_pgbouncer=True)
    told = by_level([each async for each in of_database(settings, processes=20)])
    assert (
        "200 connections of 20 processes need a max_client_conn of PgBouncer as high; of its sessions "
        "(default_pool_size) PostgreSQL admits 197."
    ) in told[Level.OK]
    assert [sentence for sentence in told[Level.WRONG] if "may open" in sentence] == []


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_what_the_role_or_the_database_is_not_given_is_told(databases: Databases, engine: Engine) -> None:
    role = f"test_{uuid4().hex}"
    async with databases.empty(engine) as url, connected(url) as owner:
        await owner.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 9")
        try:
            await owner.execute("REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC")
            poor = make_url(url).set(username=role).render_as_string(hide_password=False)
            told = await found(poor)
            assert "PostgreSQL admits 9." in told[Level.WRONG][-1]
            assert [each.split(",")[0] for each in told[Level.ADVICE]] == [
                "PostgreSQL does not tell this role its timeline"
            ]
            await owner.execute(f'ALTER DATABASE "{make_url(url).database}" CONNECTION LIMIT 8')
            assert "PostgreSQL admits 8." in (await found(poor))[Level.WRONG][-1]
        finally:
            await owner.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_time_outs_that_something_between_has_swallowed_are_told(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "connection_arguments", lambda seconds, pgbouncer: {"timeout": seconds})
    told = (await found(database_url))[Level.WRONG]
    assert [sentence.split(":")[0] for sentence in told] == [
        "lock_timeout is 0 ms, and not the 1600 ms that each connection asks for",
        "statement_timeout is 0 ms, and not the 4000 ms that each connection asks for",
        "idle_in_transaction_session_timeout is 0 ms, and not the 2000 ms that each connection asks for",
        RENAMED,
    ]


async def test_what_a_crash_or_a_failover_loses_is_told(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning = vars(own_postgres)["_settings"]
    url = own_postgres.create_database()
    settings = Settings(database_url=SecretStr(url), database_seconds=2)

    async def told() -> list[str]:
        findings = [each async for each in of_database(settings, processes=1)]
        usual = ("The database's", "The time-outs", "10 connections")
        return [each.text.split(":")[0] for each in findings if not each.text.startswith(usual)]

    assert await told() == ["fsync is off", "synchronous_commit is off"]
    for name, value in {"fsync": "on", "synchronous_commit": "on", "wal_level": "replica"}.items():
        monkeypatch.setitem(tuning, name, value)
    monkeypatch.setitem(tuning, "max_wal_senders", "2")
    await asyncio.to_thread(own_postgres.restart)
    assert await told() == ["There is no standby"]
    async with replicating(url):
        assert await told() == ["The standby is asynchronous"]
    monkeypatch.setitem(tuning, "synchronous_standby_names", "*")
    monkeypatch.setitem(tuning, "synchronous_commit", "local")
    await asyncio.to_thread(own_postgres.restart)
    assert await told() == ["synchronous_commit is local"]
    monkeypatch.setitem(tuning, "synchronous_commit", "on")
    await asyncio.to_thread(own_postgres.restart)
    assert await told() == ["No standby is connected, and synchronous_standby_names asks for one"]
    async with replicating(url):
        assert await told() == ["A standby is synchronous"]
    (own_postgres.folder / "data" / "standby.signal").touch()
    await asyncio.to_thread(own_postgres.restart)
    findings = by_level([each async for each in of_database(settings, processes=1)])
    [standby] = findings[Level.WRONG]
    assert "It is a standby, from which memberstaff does not read." in standby


@asynccontextmanager
async def replicating(url: str) -> AsyncIterator[None]:
    """A connection that PostgreSQL counts as a standby's."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain, server_settings={"replication": "true"})
    try:
        yield
    finally:
        connection.terminate()


async def test_a_redis_that_is_missing_or_does_not_answer_is_told(own_redis: RedisServer) -> None:
    async def told(url: str, processes: int) -> dict[Level, list[str]]:
        settings = Settings(broadcast_url=SecretStr(url))
        return by_level([each async for each in of_redis(settings, processes=processes)])

    assert (await told("memory://", 1))[Level.WRONG] == []
    assert (await told("memory://", 2))[Level.WRONG] == [
        "Several processes need Redis to notify each other: set MEMBERSTAFF_BROADCAST_URL to redis://…."
    ]
    assert await told(own_redis.url, 2) == {
        Level.OK: ["Redis answers.", "Redis's clock and this machine's agree."],
        Level.ADVICE: [],
        Level.WRONG: [],
    }
    own_redis.kill()
    assert (await told(own_redis.url, 2))[Level.WRONG] == [SILENT]


@pytest.mark.parametrize("user", ["deaf -@all +ping +time +hello +publish", "mute -@all +ping +time +hello +subscribe"])
async def test_a_redis_that_answers_and_passes_nothing_on_is_told(own_redis: RedisServer, user: str) -> None:
    name, *rights = user.split()
    with own_redis.client() as client:
        client.execute_command("ACL", "SETUSER", name, "on", "nopass", "allchannels", *rights)
    url = own_redis.url.replace("//", f"//{name}:any@")
    settings = Settings(broadcast_url=SecretStr(url), secret_key=SecretStr(SECRET))
    told = by_level([each async for each in of_redis(settings, processes=2)])
    [sentence] = told[Level.WRONG]
    assert sentence.startswith(
        "Redis does not pass on what is published on the channel 'memberstaff' (NoPermissionError): "
    )
    whole = Settings(broadcast_url=SecretStr(own_redis.url), secret_key=SecretStr(SECRET))
    told = by_level([each async for each in of_redis(whole, processes=2)])
    assert (told[Level.WRONG], told[Level.OK][-1]) == ([], "What is published on Redis is heard.")


def test_what_serve_would_refuse_or_warn_of_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(secret_key=SecretStr(SECRET), allowed_hosts=("board.school.example",))
    assert by_level([*of_settings(settings, host="0.0.0.0", tls=True)])[Level.WRONG] == []
    monkeypatch.setattr(descriptors, "limit", lambda: 1_024)
    told = by_level([*of_settings(Settings(), host="0.0.0.0", tls=False)])
    assert [sentence.split(". ")[0].split(";")[0] for sentence in told[Level.WRONG]] == [
        "MEMBERSTAFF_SECRET_KEY is missing",
        "On 0.0.0.0 passwords and notes would cross the network in clear text",
        FEW_FILES,
    ]
    assert [sentence.split(" ")[0] for sentence in told[Level.ADVICE]] == ["MEMBERSTAFF_ALLOWED_HOSTS"]


def test_where_traces_go_is_told_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(secret_key=SecretStr(SECRET), tracing=True)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://school:secret@collector.example:4318/")
    told = by_level([*of_settings(settings, host="127.0.0.1", tls=False)])
    assert "Traces are sent to https://collector.example:4318/v1/traces." in told[Level.OK]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")
    [wrong] = by_level([*of_settings(settings, host="127.0.0.1", tls=False)])[Level.WRONG]
    assert wrong.startswith("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL must be http/protobuf")


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_the_command_says_all_of_it_and_fails_when_something_is_wrong(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = memberstaff("doctor", url=database_url)
    assert done.returncode == 1
    first, *others = done.stdout.splitlines()
    assert first == "wrong   MEMBERSTAFF_SECRET_KEY is missing; generate one with `openssl rand -base64 48`."
    assert others == [
        "ok      Clients come by this machine alone.",
        f"ok      A process has room for {descriptors.for_connections(10):,} connections.",
        f"ok      {CURRENT}",
        "ok      There is one process, which needs no Redis.",
    ]
    sound = Settings(database_url=SecretStr(database_url), secret_key=SecretStr(SECRET))
    monkeypatch.setattr(doctor, "load", lambda: sound)
    assert memberstaff("doctor", url=database_url).returncode == 0
