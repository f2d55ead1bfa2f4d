"""A database that hangs is noticed: nobody waits without an end, and whoever waited knows what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy import make_url, select, text
from structlog.testing import capture_logs

from memberstaff.access import Role
from memberstaff.db import deadline, pool
from memberstaff.db.database import Database
from memberstaff.db.tables import account
from memberstaff.db.work import Work
from memberstaff.errors import Unavailable
from tests.databases import UTC_ZONE
from tests.freezing import Line, line_to
from tests.waiting import WAIT_SECONDS

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])

NO_ANSWER = {"retryAfter": 1}
NOT_APPLIED = {"retryAfter": 1, "applied": False}
UNKNOWN = {"retryAfter": 1, "applied": None}


@pytest.fixture
async def line(database_url: str) -> AsyncIterator[Line]:
    """A process's line to a database."""
    async with line_to(database_url) as opened:
        yield opened


@asynccontextmanager
async def process(
    url: str, *, seconds: float = 1, connections: int = 2, heard: Callable[[object], None] = lambda _: None
) -> AsyncIterator[Database]:
    """A process that waits so long for an answer."""
    database = Database(url, zone=UTC_ZONE, answer_seconds=seconds, pool_size=connections, after_commit=heard)
    yield database
    await database.close()


async def add(work: Work, name: str) -> None:
    """An account, in this transaction."""
    values = {"email": f"{name}@school.example", "display_name": name, "role": Role.VIEWER, "created_at": work.now}
    await work.write(account.insert().values(**values))


async def ask(database: Database) -> int:
    async with database.read() as reading:
        return int(await reading.scalar(text("SELECT 7")))


async def names(url: str) -> list[str]:
    """The accounts that are stored, read past the line."""
    async with process(url, seconds=10) as database, database.read() as reading:
        return [row.display_name for row in await reading.rows(select(account.c.display_name))]


async def test_a_statement_on_a_frozen_connection_ends_and_the_next_one_takes_another(line: Line) -> None:
    async with process(line.url, connections=1) as database:
        assert await ask(database) == 7
        line.freeze()
        with pytest.raises(Unavailable) as unanswered:
            await ask(database)
        assert unanswered.value.extensions == NO_ANSWER
        assert await ask(database) == 7


async def test_a_connection_that_froze_while_idle_is_replaced_unnoticed(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PING_AFTER_SECONDS", 0)
    async with process(line.url, connections=1) as database:
        assert await ask(database) == 7
        line.freeze()
        assert await ask(database) == 7


async def test_a_change_on_a_frozen_connection_is_told_not_to_be_applied(line: Line) -> None:
    async with process(line.url, connections=1) as database:
        with pytest.raises(Unavailable) as unanswered:
            async with database.write() as work:
                await add(work, "Amina")
                line.freeze()
                await add(work, "Björn")
        assert unanswered.value.extensions == NOT_APPLIED
        assert await names(line.url) == []


@pytest.mark.parametrize(("asking", "stored"), [(True, []), (False, ["Amina"])])
async def test_of_a_commit_whose_answer_is_lost_nobody_says_what_became_of_it(
    line: Line, asking: bool, stored: list[str]
) -> None:
    announced: list[object] = []
    async with process(line.url, connections=1, heard=announced.append) as database:
        with pytest.raises(Unavailable) as unanswered:
            async with database.write() as work:
                await add(work, "Amina")
                work.announce_roster(5, 1)
                line.freeze(asking=asking)
        assert unanswered.value.extensions == UNKNOWN
        assert announced == []
        assert await names(line.url) == stored


async def test_an_error_of_the_caller_is_not_hidden_by_a_rollback_without_an_answer(line: Line) -> None:
    async with process(line.url, connections=1) as database:
        with pytest.raises(KeyError):
            async with database.write() as work:
                await add(work, "Amina")
                line.freeze()
                raise KeyError
        assert await ask(database) == 7


async def test_a_server_that_accepts_connections_and_says_nothing_is_not_waited_for(line: Line) -> None:
    async with process(line.url) as database:
        line.freeze_new()
        with pytest.raises(Unavailable) as unanswered:
            await ask(database)
        assert unanswered.value.extensions == NO_ANSWER


async def test_a_pool_that_stays_empty_is_not_waited_for(database_url: str) -> None:
    async with process(database_url, connections=1) as database, database.read():
        with pytest.raises(Unavailable) as unanswered:
            async with database.write():
                pass
        assert unanswered.value.extensions == NOT_APPLIED


async def test_a_lock_that_a_stopped_process_holds_is_taken_from_it(database_url: str) -> None:
    async with process(database_url, seconds=10) as other, other.write() as work:
        await add(work, "Amina")
    async with process(database_url) as stopped, process(database_url, seconds=10) as going_on:
        with pytest.raises(Unavailable) as unanswered:
            async with stopped.write() as held:
                await held.row(select(account.c.id).with_for_update())
                with pytest.raises(ZeroDivisionError):  # and not Unavailable, which the lock would be if it were kept
                    async with going_on.write() as work:  # waits until the other's time is over
                        await work.row(select(account.c.id).with_for_update())
                        raise ZeroDivisionError
                await add(held, "Björn")
        assert unanswered.value.extensions == NOT_APPLIED


async def test_a_lock_that_is_not_let_go_is_not_waited_for(database_url: str) -> None:
    async with process(database_url, seconds=10) as other, process(database_url) as waiting:
        async with other.write() as work:
            await add(work, "Amina")
        async with other.write() as held:
            await held.row(select(account.c.id).with_for_update())
            with pytest.raises(Unavailable) as unanswered:
                async with waiting.write() as work:
                    await work.row(select(account.c.id).with_for_update())
            assert unanswered.value.extensions == NOT_APPLIED


@asynccontextmanager
async def stopped_within_a_statement(url: str, **settings: str) -> AsyncIterator[asyncpg.Connection]:
    """A process that has locked the accounts, has sent the first half of a statement, and was stopped."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(address, server_settings=settings)
    async with process(url, seconds=10) as database, database.write() as work:
        await add(work, "Amina")
    await connection.execute("BEGIN")
    await connection.execute("SELECT id FROM account FOR UPDATE")
    await connection.prepare("SELECT 1")
    try:
        yield connection
    finally:
        connection.terminate()


@pytest.mark.parametrize(
    ("name", "result"), [("memberstaff", None), ("pg_dump", NOT_APPLIED)], ids=["memberstaff", "another program"]
)
async def test_a_lock_is_taken_only_from_a_process_of_ours_that_was_stopped_within_a_statement(
    database_url: str, name: str, result: object
) -> None:
    """PostgreSQL counts it as at work."""

    async def lock(database: Database) -> object:
        try:
            async with database.write() as work:
                await work.row(select(account.c.id).with_for_update())
        except Unavailable as error:
            return error.extensions
        return None

    async with stopped_within_a_statement(database_url, application_name=name) as stopped:
        async with process(database_url, seconds=1, connections=1) as waiting:
            with capture_logs() as logs:
                assert await lock(waiting) == NOT_APPLIED
            assert await lock(waiting) == result
        pid = stopped.get_server_pid()
        ended = [{"event": "stalled_transactions_ended", "log_level": "warning", "postgresql_pids": [pid]}]
        assert logs == (ended if result is None else [])


async def test_the_command_line_waits_for_as_long_as_a_command_may(database_url: str) -> None:
    database = Database(database_url, zone=UTC_ZONE)
    async with database.read() as reading:
        for name in ("statement_timeout", "lock_timeout"):
            assert await reading.scalar(text(f"SHOW {name}")) == "0"
    await database.close()


async def test_postgresql_is_told_when_to_give_up_a_server_and_its_statements(database_url: str) -> None:
    told = {"lock_timeout": "4s", "statement_timeout": "10s", "idle_in_transaction_session_timeout": "5s"}
    database = Database(database_url, zone=UTC_ZONE, answer_seconds=5)
    async with database.read() as reading:
        assert {name: await reading.scalar(text(f"SHOW {name}")) for name in told} == told
    await database.close()


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("seconds", "most"), [(5, "10000"), (None, "20000")])
async def test_postgresql_is_told_to_notice_a_peer_that_is_gone(seconds: float | None, most: str) -> None:
    """Over the Unix socket of the tests it would not say so."""
    sent = deadline.connection_arguments(seconds)["server_settings"]
    assert {name: value for name, value in sent.items() if name.startswith("tcp")} == {
        "tcp_user_timeout": most,
        "tcp_keepalives_idle": "5",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
    }


async def test_a_command_that_is_stopped_while_it_holds_a_lock_loses_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "COMMAND_IDLE_SECONDS", 0.3)
    async with process(database_url, seconds=10) as server:
        async with server.write() as work:
            await add(work, "Amina")
        command = Database(database_url, zone=UTC_ZONE)
        with pytest.raises(Unavailable) as unanswered:
            async with command.write() as held:
                await held.row(select(account.c.id).with_for_update())
                with pytest.raises(ZeroDivisionError):
                    async with server.write() as work:
                        await work.row(select(account.c.id).with_for_update())
                        raise ZeroDivisionError
                await add(held, "Björn")
        assert unanswered.value.extensions == NOT_APPLIED
        await command.close()


async def test_a_command_whose_server_is_gone_ends(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "COMMAND_ANSWER_SECONDS", 0.3)
    command = Database(line.url, zone=UTC_ZONE)
    with pytest.raises(Unavailable):
        async with command.read() as reading:
            await reading.scalar(text("SELECT 1"))
            line.freeze()
            await reading.scalar(text("SELECT 1"))
    await command.close()


async def test_one_connection_that_froze_while_idle_takes_the_others_of_its_pool_with_it(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the next ones who come would each wait for another."""
    monkeypatch.setattr(pool, "PING_AFTER_SECONDS", 0)
    async with process(line.url, connections=3) as database:
        async with database.read(), database.read():
            assert await ask(database) == 7
        assert line.freeze() == 3
        with capture_logs() as logged:
            assert [await ask(database) for _ in range(3)] == [7, 7, 7]
    assert [entry["event"] for entry in logged] == ["database_connection_cut"]


async def test_connections_that_do_not_answer_do_not_hold_up_the_end_of_a_process(line: Line) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        async with process(line.url, connections=3) as database:
            async with database.read(), database.read():
                assert await ask(database) == 7
            assert line.freeze() == 3
