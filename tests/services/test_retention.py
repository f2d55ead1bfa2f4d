"""What grows goes by a rule: what has expired is deleted, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, func, select

from memberstaff.db import retention
from memberstaff.db.database import Database
from memberstaff.db.idempotency import claim
from memberstaff.db.retention import Retention
from memberstaff.db.tables import (
    access_change,
    account,
    audit,
    channel_grant,
    idempotency,
    rate_limit,
    refresh_token,
    session,
)
from memberstaff.db.work import Work
from tests.clock import TurnedClock
from tests.databases import UTC_ZONE
from tests.infrastructure.process import free_port
from tests.installation import install
from tests.services.boards import held, running
from tests.services.school import School
from tests.waiting import until

ANNA = 1_000
"""Her account, beyond the numbers that an installation gives."""

Row = tuple[Table, dict[str, Any]]


def rows(work: Work) -> dict[str, Row]:
    """A row of each table that expires, as it is when it is new."""
    now = work.now
    return {
        "session": (session, {"id": "s", "account_id": ANNA, "created_at": now, "expires_at": now}),
        "grant": (
            channel_grant,
            {
                "socket_id": "1.1",
                "channel": "attendance",
                "session_id": "open",
                "account_id": ANNA,
                "expires_at": now + timedelta(days=9_000),
                "granted_at": now,
            },
        ),
        "allowance": (rate_limit, {"key": "k", "full_at": round(now.timestamp() * 1000)}),
        "key": (
            idempotency,
            {"account_id": ANNA, "key": "k", "request_hash": "h", "answer": {}, "created_at": now},
        ),
        "access": (access_change, {"number": 1, "account_id": ANNA, "at": now}),
        "entry": (audit, {"at": now, "subject": "day", "subject_id": "d", "action": "locked", "details": {}}),
    }


@pytest.fixture(autouse=True)
async def people(database: Database) -> None:
    """Somebody, and a session that stays open."""
    async with database.write() as work:
        now = work.now
        await work.write(account.insert().values(id=ANNA, display_name="A", role="VIEWER", created_at=now))
        opened = {"id": "open", "account_id": ANNA, "created_at": now, "expires_at": now + timedelta(days=9_000)}
        await work.write(session.insert().values(opened))


async def store(database: Database, name: str) -> Table:
    async with database.write() as work:
        table, values = rows(work)[name]
        await work.write(table.insert().values(values))
    return table


async def count(database: Database, table: Table) -> int:
    async with database.read() as reading:
        return int(await reading.scalar(select(func.count()).select_from(table)))


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("session", timedelta(days=7)),
        ("grant", timedelta(minutes=1)),
        ("allowance", timedelta(0)),
        ("key", timedelta(days=1)),
        ("access", timedelta(days=1)),
        ("entry", timedelta(days=730)),
    ],
)
async def test_a_row_goes_when_its_time_is_over_and_no_earlier(
    database: Database, clock: TurnedClock, name: str, kept: timedelta
) -> None:
    table = await store(database, name)
    before = await count(database, table)
    pruning = Retention(database, audit_days=730)
    clock.turn(seconds=kept.total_seconds())
    await pruning.prune()
    assert await count(database, table) == before
    clock.turn(milliseconds=1)
    await pruning.prune()
    assert await count(database, table) == before - 1


async def test_the_audit_log_can_be_kept_for_ever(database: Database, clock: TurnedClock) -> None:
    await store(database, "entry")
    clock.turn(days=36_500)
    await Retention(database, audit_days=0).prune()
    assert await count(database, audit) == 1


async def test_a_session_takes_its_tokens_along(database: Database, clock: TurnedClock) -> None:
    await store(database, "session")
    async with database.write() as work:
        of = [{"hash": name, "session_id": name, "issued_at": work.now} for name in ("s", "open")]
        await work.write(refresh_token.insert(), of)
    clock.turn(days=8)
    await Retention(database, audit_days=0).prune()
    async with database.read() as reading:
        assert [row.hash for row in await reading.rows(select(refresh_token.c.hash))] == ["open"]


async def test_a_round_ends_when_nothing_is_left_however_much_there_was(
    database: Database, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    for _ in range(5):
        await store(database, "entry")
    clock.turn(days=2)
    await store(database, "entry")
    await Retention(database, audit_days=1).prune()
    assert await count(database, audit) == 1


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_what_somebody_else_has_locked_is_left_for_the_next_round(database: Database, clock: TurnedClock) -> None:
    await store(database, "session")
    clock.turn(days=8)
    pruning = Retention(database, audit_days=0)
    async with database.write() as work:
        await work.row(select(session.c.id).where(session.c.id == "s").with_for_update(key_share=True))
        await pruning.prune()
        assert await count(database, session) == 2
    await pruning.prune()
    assert await count(database, session) == 1


@pytest.mark.parametrize("engine", ["postgresql"])  # on SQLite one writer follows the other
async def test_a_key_that_goes_while_it_is_claimed_again_is_a_new_one(school: School, clock: TurnedClock) -> None:
    async def claimed() -> object:
        async with school.work() as work:
            return await claim(work, "key", "request")

    assert await claimed() is None
    clock.turn(days=2)
    with held(school.database, "INSERT INTO idempotency") as claiming:
        again = asyncio.create_task(claimed())
        await claiming.read.wait()
        await Retention(school.database, audit_days=0).prune()
        claiming.go.set()
        assert await again is None


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PRUNE_SECONDS", 0.01)


@pytest.mark.usefixtures("soon")
async def test_a_process_prunes_while_it_serves(database_url: str, database: Database, clock: TurnedClock) -> None:
    await store(database, "key")
    clock.turn(days=2)
    async with install(database_url, clock=clock), asyncio.timeout(30):
        while await count(database, idempotency):
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("engine", ["sqlite"])
async def test_pruning_goes_on_after_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Database(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/nothing", zone=UTC_ZONE)
    tried: list[int] = []
    prune: Callable[[Retention], Any] = Retention.prune

    async def note(self: Retention) -> None:
        tried.append(1)
        await prune(self)

    monkeypatch.setattr(Retention, "prune", note)
    async with running(Retention(nowhere, audit_days=1).run):
        await until(lambda: len(tried) > 2)
    await nowhere.close()
