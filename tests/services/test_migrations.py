"""Migrations: they make exactly the tables that the program uses, on both engines."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import IntegrityError

from memberstaff.db.database import Database
from memberstaff.db.migrate import Compatibility, compatibility, migrate
from memberstaff.db.tables import account, installation, metadata, refresh_token, session
from tests.databases import UTC_ZONE, Databases, Engine


async def test_tables_and_migrations_agree(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_migrated_database_has_its_epoch_and_is_current(database: Database) -> None:
    assert await compatibility(database.engine) is Compatibility.COMPATIBLE
    async with database.read() as reading:
        [row] = await reading.rows(select(installation))
    assert (row.id, row.roster_version) == (1, 0)
    assert type(row.epoch) is int


async def test_the_epoch_of_a_new_installation_counts_milliseconds_since_1970(
    databases: Databases, engine: Engine
) -> None:
    async with databases.empty(engine) as url:
        database = Database(url, zone=UTC_ZONE)
        assert await compatibility(database.engine) is Compatibility.NOT_MIGRATED
        await migrate(database.engine)
        async with database.read() as reading:
            epoch = await reading.scalar(select(installation.c.epoch))
        await database.close()
    assert 2026 <= datetime.fromtimestamp(epoch / 1000, UTC).year < 2100


async def test_two_nodes_may_migrate_at_once(databases: Databases, engine: Engine) -> None:
    async with databases.empty(engine) as url:
        nodes = [Database(url, zone=UTC_ZONE) for _ in range(2)]
        await asyncio.gather(*(migrate(node.engine) for node in nodes))
        async with nodes[0].engine.connect() as connection:
            tables = await connection.run_sync(lambda found: set(inspect(found).get_table_names()))
        assert tables == {*metadata.tables, "alembic_version"}
        for node in nodes:
            await node.close()


async def test_refresh_tokens_from_before_they_named_their_predecessor_are_linked_by_time(
    databases: Databases, engine: Engine
) -> None:
    async with databases.empty(engine) as url:
        database = Database(url, zone=UTC_ZONE)
        await migrate(database.engine, "0001")
        async with database.write() as work:
            start = work.now
            of_anna = {"display_name": "Anna", "role": "VIEWER", "created_at": start}
            await work.write(account.insert().values(id=1, **of_anna))
            for session_id in ("screen", "tabs"):
                values = {"id": session_id, "account_id": 1, "created_at": start, "expires_at": start}
                await work.write(session.insert().values(values))
            for session_id, token, issued, used in (
                ("screen", "lost", 0, 5),
                ("screen", "unheard of", 5, None),
                ("tabs", "shared", 0, 1),
                ("tabs", "one", 1, 4),
                ("tabs", "other", 2, None),
                ("tabs", "latest", 4, None),
            ):
                values = {"hash": token, "session_id": session_id, "issued_at": start + timedelta(seconds=issued)}
                used_at = None if used is None else start + timedelta(seconds=used)
                await work.write(refresh_token.insert().values(used_at=used_at, **values))
        await migrate(database.engine)
        async with database.read() as reading:
            rows = await reading.rows(select(refresh_token.c.hash, refresh_token.c.predecessor))
        assert {row.hash: row.predecessor for row in rows} == {
            "lost": None,
            "unheard of": "lost",
            "shared": None,
            "one": "shared",
            "other": "shared",
            "latest": "one",
        }
        await database.close()


async def test_outside_accounts_from_before_they_knew_their_newest_token_have_that_of_their_newest_session(
    databases: Databases, engine: Engine
) -> None:
    async with databases.empty(engine) as url:
        database = Database(url, zone=UTC_ZONE)
        await migrate(database.engine, "0003")
        async with database.write() as work:
            start, later = work.now, work.now + timedelta(minutes=5)
            for number, issuer in enumerate(("https://id.example.org", "https://id.example.org", None), start=1):
                person = {"display_name": "Anna", "role": "VIEWER", "created_at": start}
                await work.write(account.insert().values(id=number, issuer=issuer, subject=str(number), **person))
            for session_id, number, created_at in (("1", 1, start), ("2", 1, later), ("3", 3, start)):
                values = {"id": session_id, "account_id": number, "created_at": created_at, "expires_at": later}
                await work.write(session.insert().values(values))
        await migrate(database.engine)
        async with database.read() as reading:
            rows = await reading.rows(select(account.c.role_issued_at, account.c.role_withdrawn).order_by(account.c.id))
        assert [tuple(row) for row in rows] == [(later, False), (None, False), (None, False)]
        await database.close()


async def test_foreign_keys_are_enforced(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.write() as work:
            values = {"id": "x", "account_id": 99, "created_at": work.now, "expires_at": work.now}
            await work.write(session.insert().values(values))
