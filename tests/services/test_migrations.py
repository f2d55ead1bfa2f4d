"""Migrations: they make exactly the tables that the program uses, on both engines."""

from __future__ import annotations

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import IntegrityError

from memberstaff.db.migrate import is_current, migrate
from memberstaff.db.tables import installation, metadata, session
from memberstaff.db.work import Database
from tests.databases import UTC_ZONE, Databases, Engine


async def test_tables_and_migrations_agree(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_migrated_database_has_its_epoch_and_is_current(database: Database) -> None:
    assert await is_current(database.engine)
    async with database.read() as reading:
        [row] = await reading.rows(select(installation))
    assert (row.id, row.roster_version) == (1, 0)
    assert len(row.epoch) >= 12


async def test_every_installation_has_an_epoch_of_its_own(databases: Databases, engine: Engine) -> None:
    # Copies of a template share one, so these two are migrated anew.
    async with databases.empty(engine) as one, databases.empty(engine) as other:
        epochs = set()
        for url in (one, other):
            database = Database(url, zone=UTC_ZONE)
            assert not await is_current(database.engine)
            await migrate(database.engine)
            async with database.read() as reading:
                epochs.add(await reading.scalar(select(installation.c.epoch)))
            await database.close()
    assert len(epochs) == 2


async def test_two_nodes_may_migrate_at_once(databases: Databases, engine: Engine) -> None:
    async with databases.empty(engine) as url:
        nodes = [Database(url, zone=UTC_ZONE) for _ in range(2)]
        await asyncio.gather(*(migrate(node.engine) for node in nodes))
        async with nodes[0].engine.connect() as connection:
            tables = await connection.run_sync(lambda found: set(inspect(found).get_table_names()))
        assert tables == {*metadata.tables, "alembic_version"}
        for node in nodes:
            await node.close()


async def test_foreign_keys_are_enforced(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.write() as work:
            values = {"id": "x", "account_id": 99, "created_at": work.now, "expires_at": work.now}
            await work.write(session.insert().values(values))
