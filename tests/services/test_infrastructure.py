"""The servers that the tests stand on are real, and can be broken and mended."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
from psutil import STATUS_ZOMBIE, NoSuchProcess, Process
from redis.exceptions import RedisError
from sqlalchemy import make_url

from tests.databases import Databases, connected
from tests.infrastructure.postgres import Postgres, PostgresServer
from tests.infrastructure.redis import Redis, RedisServer
from tests.waiting import until


async def _ask(url: str, question: str) -> object:
    async with connected(url) as connection:
        return await connection.fetchval(question)


async def test_a_database_is_a_copy_of_its_template(postgres_server: Postgres) -> None:
    template = postgres_server.create_database()
    await _ask(template, "CREATE TABLE kept AS SELECT 42 AS answer")
    copy = postgres_server.create_database(template=template)
    assert await _ask(copy, "SELECT answer FROM kept") == 42
    for url in (copy, template):
        postgres_server.drop_database(url)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await _ask(copy, "SELECT 1")


async def test_a_database_that_was_given_back_is_as_new(databases: Databases) -> None:
    everything = "SELECT count(*) || ' ' || min(epoch) FROM installation WHERE (SELECT count(*) FROM staff) = 0"
    hired = """INSERT INTO staff (name, sort_key, search_key, starts_on, version)
        VALUES ('A', 'a', 'a', '2026-01-01', 1) RETURNING id"""
    async with databases.fresh("postgresql") as url:
        before = await _ask(url, everything)
        assert await _ask(url, hired) == 1
        await _ask(url, "DELETE FROM installation")
        left_open = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(False))
        await left_open.execute("BEGIN; LOCK TABLE staff")
    async with databases.fresh("postgresql") as again:
        assert again == url
        assert await _ask(again, everything) == before is not None
        assert await _ask(again, hired) == 1
    await until(left_open.is_closed)


async def test_a_restarted_postgres_keeps_its_databases(own_postgres: PostgresServer) -> None:
    url = own_postgres.create_database()
    own_postgres.restart()
    assert await _ask(url, "SELECT 1") == 1


def test_a_killed_redis_refuses_and_a_restarted_one_has_forgotten(own_redis: RedisServer) -> None:
    with own_redis.client() as client:
        client.set("kept", "no")
        own_redis.kill()
        with pytest.raises(RedisError):
            client.get("kept")
        own_redis.start()
        assert client.get("kept") is None


def test_a_paused_redis_accepts_connections_and_answers_nothing(own_redis: RedisServer) -> None:
    with own_redis.client(socket_timeout=0.2) as client:
        own_redis.pause()
        with pytest.raises(RedisError):
            client.ping()
        own_redis.resume()
        assert client.ping() is True


def test_the_shared_redis_says_what_it_is(redis_server: Redis) -> None:
    name, version = redis_server.version().split()
    assert name in {"redis", "valkey"}
    assert version[0].isdigit()


ORPHANED = """
import sys, time
from pathlib import Path
from tests.infrastructure.postgres import PostgresServer
from tests.infrastructure.redis import RedisServer

redis, postgres = RedisServer(Path(sys.argv[1])), PostgresServer()
redis.start()
postgres.start()
print(redis.pid, postgres.pid, postgres.folder, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_the_servers_end_with_tests_that_were_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ORPHANED, str(tmp_path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as tests:
        assert tests.stdout is not None
        *pids, folder = tests.stdout.readline().split()
        tests.kill()
    assert len(pids) == 2
    deadline = time.monotonic() + 10
    while any(_is_running(int(pid)) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    shutil.rmtree(folder)


def _is_running(pid: int) -> bool:
    try:
        return Process(pid).status() != STATUS_ZOMBIE  # dead, and not yet collected by whoever inherited it
    except NoSuchProcess:
        return False
