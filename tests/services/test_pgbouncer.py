"""Behind PgBouncer each transaction may have another session: nothing is asked of a session that outlives one.

The real PgBouncer is in `./dev drill pgbouncer`; this is what it relies on.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url, text

from memberstaff.access import COMMAND_LINE
from memberstaff.db.database import Database
from memberstaff.db.migrate import Compatibility, compatibility
from memberstaff.staff import commands
from memberstaff.staff.commands import Details
from tests.clock import MONDAY
from tests.databases import UTC_ZONE, connected

PAGE = (Path(__file__).parents[2] / "docs" / "postgresql.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])


@asynccontextmanager
async def opened(url: str, *, pgbouncer: bool = True) -> AsyncIterator[Database]:
    """A process with one connection."""
    database = Database(url, zone=UTC_ZONE, answer_seconds=5, pool_size=1, pgbouncer=pgbouncer)
    yield database
    await database.close()


@pytest.mark.parametrize(("pgbouncer", "prepared"), [(True, False), (False, True)])
async def test_no_statement_is_prepared_under_a_name(database_url: str, pgbouncer: bool, prepared: bool) -> None:
    async with opened(database_url, pgbouncer=pgbouncer) as database:
        assert await compatibility(database.engine) is Compatibility.COMPATIBLE
        async with database.write() as work:
            work.caller = COMMAND_LINE
            await commands.create(work, Details(name="Amina", category="Teaching", starts_on=MONDAY))
        async with database.read() as reading:
            found = await reading.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
        assert (found > 0) is prepared


async def test_a_connection_begins_with_nothing_that_pgbouncer_refuses(database_url: str) -> None:
    """It passes on these, and refuses others: https://www.pgbouncer.org/config.html, `ignore_startup_parameters`."""
    async with opened(database_url) as database, database.read() as reading:
        sent = await reading.rows(text("SELECT name, setting FROM pg_settings WHERE source = 'client'"))
    assert {row.name: row.setting for row in sent} == {"application_name": "memberstaff", "client_encoding": "UTF8"}


async def test_the_role_of_the_page_has_the_time_outs_that_a_connection_asks_for_elsewhere(database_url: str) -> None:
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    role = f"test_{uuid4().hex}"
    statements = re.findall(r"^(ALTER ROLE memberstaff SET .*)$", PAGE, re.MULTILINE)
    assert len(statements) == len(names)
    async with connected(database_url) as owner:
        await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'")
        await owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        for statement in statements:
            await owner.execute(statement.replace("ROLE memberstaff", f"ROLE {role}"))
        url = make_url(database_url).set(username=role, password=role).render_as_string(hide_password=False)
        told = []
        for asked, pgbouncer in ((database_url, False), (url, True)):
            async with opened(asked, pgbouncer=pgbouncer) as database, database.read() as reading:
                told.append([await reading.scalar(text(f"SHOW {name}")) for name in names])
        await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert told[0] == told[1] == ["4s", "10s", "5s"]
