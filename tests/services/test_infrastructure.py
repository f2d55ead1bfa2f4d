"""The servers that the tests stand on are real, and can be broken and mended."""

from __future__ import annotations

import asyncpg
import pytest
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import make_url

from tests.infrastructure.postgres import Postgres, PostgresServer
from tests.infrastructure.redis import RedisServer


async def _ask(url: str, question: str) -> object:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_a_database_is_a_copy_of_its_template(postgres_server: Postgres) -> None:
    template = postgres_server.create_database()
    await _ask(template, "CREATE TABLE kept AS SELECT 42 AS answer")
    copy = postgres_server.create_database(template=template)
    assert await _ask(copy, "SELECT answer FROM kept") == 42
    for url in (copy, template):
        postgres_server.drop_database(url)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await _ask(copy, "SELECT 1")


async def test_a_restarted_postgres_keeps_its_databases(own_postgres: PostgresServer) -> None:
    url = own_postgres.create_database()
    own_postgres.restart()
    assert await _ask(url, "SELECT 1") == 1


def test_a_killed_redis_refuses_and_a_restarted_one_has_forgotten(own_redis: RedisServer) -> None:
    with Redis.from_url(own_redis.url) as client:
        client.set("kept", "no")
        own_redis.kill()
        with pytest.raises(RedisError):
            client.get("kept")
        own_redis.start()
        assert client.get("kept") is None


def test_a_paused_redis_accepts_connections_and_answers_nothing(own_redis: RedisServer) -> None:
    with Redis.from_url(own_redis.url, socket_timeout=0.2) as client:
        own_redis.pause()
        with pytest.raises(RedisError):
            client.ping()
        own_redis.resume()
        assert client.ping() is True
