"""docs/backup.md in its short form: what a backup held is there after the restore, and every board starts again."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from memberstaff.db.database import Database
from memberstaff.db.migrate import migrate
from tests.databases import UTC_ZONE, connected
from tests.drills.backup import WAYS, Outcome, postgres, postgres_site
from tests.infrastructure.postgres import USER
from tests.newer_release import NEXT, newer_release
from tests.soak.cluster import DATABASE_URL
from tests.soak.pages import steps
from tests.soak.site import Here, Site

POSTGRESQL = (Path(__file__).parents[2] / "docs" / "postgresql.md").read_text(encoding="utf-8")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_whatever_a_backup_held_is_there_after_its_restore(
    way: Callable[[float], Awaitable[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Site, "kind", Here)
    outcome = await way(0.2)
    assert outcome.violations == []
    assert outcome.held >= 5
    assert outcome.lost >= 5


async def test_a_database_with_the_roles_of_the_page_can_be_migrated_and_served_after_it_was_restored(
    tmp_path: Path,
) -> None:
    [roles] = re.findall(r"```sql\n(CREATE ROLE.*?)```", POSTGRESQL, re.DOTALL)
    with postgres() as server:
        script = server.folder / "roles.sql"
        script.write_text(roles.replace("memberstaff", "school"))  # as the tests' superuser is called
        connect: list[str | Path] = ["-h", server.folder, "-U", USER, "-d", "postgres", "-v", "ON_ERROR_STOP=1"]
        server.run_program("psql", *connect, "-f", script)
        owner, served = (
            f"postgresql+asyncpg://{role}@/school?host={server.folder}" for role in ("school_owner", "school")
        )
        site = postgres_site(server)
        site.variables |= {"PGDATABASE": "school", DATABASE_URL: owner}
        await migrated(owner)
        page = steps("PostgreSQL: a dump")
        await site.run([*page["Back up"], *page["Restore"]])
        with newer_release(tmp_path / "next"):
            await migrated(owner)
        async with connected(served) as server_of_memberstaff:
            assert await server_of_memberstaff.fetchval("SELECT version_num FROM alembic_version") == NEXT
            await server_of_memberstaff.execute("UPDATE installation SET roster_version = roster_version + 1")


async def migrated(url: str) -> None:
    database = Database(url, zone=UTC_ZONE, pool_size=2)
    await migrate(database.engine)
    await database.close()
