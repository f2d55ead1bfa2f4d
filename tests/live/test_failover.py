"""A failover of PostgreSQL: what it has lost is told, and nobody is shown a mixture of two histories."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest
from structlog.testing import capture_logs

from memberstaff.access import Role
from memberstaff.db.database import Database
from memberstaff.db.migrate import migrate
from memberstaff.errors import Unavailable
from tests.api.bad import BULK
from tests.clock import TODAY
from tests.databases import UTC_ZONE, connected
from tests.front_ends import BOARD, MARK, WATCH, Socket
from tests.infrastructure.redis import RedisServer
from tests.infrastructure.replication import ReplicatedPostgres
from tests.installation import PASSWORD, Installation, email, install
from tests.live.test_two_servers import two_servers
from tests.waiting import until

Answer = TypeVar("Answer")
EPOCH = "SELECT epoch FROM installation"


@pytest.fixture
async def url(own_replicated_postgres: ReplicatedPostgres) -> str:
    """A migrated database on the primary."""
    address = own_replicated_postgres.create_database()
    database = Database(address, zone=UTC_ZONE)
    await migrate(database.engine)
    await database.close()
    return address


async def epoch_of(url: str) -> int:
    async with connected(url) as connection:
        return int(await connection.fetchval(EPOCH))


async def statuses(server: Installation) -> dict[str, str]:
    """Everybody's status, as a board that opens now shows it."""
    answer = await server.marker.ask(BOARD, date=TODAY, first=100)
    edges = answer["attendanceDay"]["records"]["edges"]
    return {edge["node"]["staffName"]: edge["node"]["status"] for edge in edges}


async def cursor(server: Installation) -> str:
    answer = await server.marker.ask(BOARD, date=TODAY, first=100)
    return str(answer["attendanceDay"]["records"]["feedCursor"])


async def marks(server: Installation, name: str, status: str) -> None:
    """Mark somebody, as often as it takes until it is acknowledged."""
    target = {"staffDate": {"staffId": server.staff[name], "date": TODAY}}
    while True:
        answer = await server.marker.send(MARK, input={"target": target, "status": status})
        if "errors" not in answer:
            assert answer["data"]["updateAttendance"]["errors"] == []
            return
        assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE", answer


async def restarted(board: Socket) -> None:
    """The board is told to start again, after whatever else it is sent."""
    while (message := await board.receive())["type"] == "next":
        pass
    assert message["type"] == "error"
    assert [error["extensions"]["code"] for error in message["payload"]] == ["RESTART_REQUIRED"]


def fail_over(postgres: ReplicatedPostgres) -> None:
    """The primary's host dies, and the standby takes over."""
    postgres.primary.kill()
    postgres.promote().stop()
    postgres.lead_to_primary()


async def test_without_a_synchronous_standby_every_board_starts_again_and_the_loss_is_told(
    url: str, own_replicated_postgres: ReplicatedPostgres
) -> None:
    async with install(url, poll_seconds=0.2) as server:
        await marks(server, "Amina", "PRESENT")
        async with server.watching(TODAY) as board, server.watching(TODAY) as other:
            own_replicated_postgres.wait_for_standby()
            own_replicated_postgres.cut_standby()
            await marks(server, "Björn", "LATE")
            await marks(server, "Chloé", "LATE")
            assert [(await board.change())["staffName"] for _ in range(2)] == ["Björn", "Chloé"]
            kept = await cursor(server)
            assert await statuses(server) == {
                "Amina": "PRESENT",
                "Björn": "LATE",
                "Chloé": "LATE",
                "Дмитрий": "UNMARKED",
            }  # and so are kept boards and responses
            before = await epoch_of(url)
            with capture_logs() as logs:
                fail_over(own_replicated_postgres)
                # The positions of the lost marks, and one more, before this server has polled anything.
                await marks(server, "Дмитрий", "REMOTE")
                await marks(server, "Amina", "ABSENT")
                await marks(server, "Chloé", "REMOTE")
                await until(lambda: server.application.lost_changes.lost == 2)
            await restarted(board)
            await restarted(other)
        truth = {"Amina": "ABSENT", "Björn": "UNMARKED", "Chloé": "REMOTE", "Дмитрий": "REMOTE"}
        assert await statuses(server) == truth
        assert await epoch_of(url) > before
        async with server.socket() as late:
            await late.subscribe("1", WATCH, date=TODAY, after=kept)
            await restarted(late)
        timeline = server.application.database.timeline
        assert (timeline.rises, server.application.lost_changes.lost, timeline.followed) == (1, 2, True)
        [begun] = [line for line in logs if "timeline_before" in line]
        assert (begun["timeline_before"], begun["timeline"]) == (1, 2)
        [lost] = [line for line in logs if "lost" in line]
        numbers = [int(change["position"]) for change in lost["changes"]]
        assert (lost["log_level"], lost["lost"], numbers) == ("error", 2, [2, 3])


async def test_with_a_synchronous_standby_nothing_acknowledged_is_lost(
    url: str, own_replicated_postgres: ReplicatedPostgres
) -> None:
    own_replicated_postgres.set_synchronous(True)
    async with install(url, poll_seconds=0.2) as server:
        acknowledged: dict[str, str] = {}
        failed_over = asyncio.Event()

        async def mark_on(name: str) -> None:
            statuses = ["PRESENT", "LATE", "ABSENT", "REMOTE"]
            target = {"staffDate": {"staffId": server.staff[name], "date": TODAY}}
            number = 0
            while not failed_over.is_set():
                number += 1
                status = statuses[number % 4]
                change = {"target": target, "status": status, "note": f"{name} {number}"}
                answer = await server.marker.send(MARK, input=change)
                if "errors" not in answer:
                    acknowledged[name] = f"{name} {number}"

        async with asyncio.TaskGroup() as tasks:
            for name in server.staff:
                tasks.create_task(mark_on(name))
            await until(lambda: len(acknowledged) == len(server.staff))
            await asyncio.to_thread(own_replicated_postgres.primary.kill)
            failed_over.set()
        own_replicated_postgres.promote().stop()
        own_replicated_postgres.lead_to_primary()
        async with connected(url) as connection:
            notes = {row["note"] for row in await connection.fetch("SELECT note FROM attendance_revision")}
        assert notes >= set(acknowledged.values())
        with capture_logs() as logs:
            assert (await statuses(server)).keys() == server.staff.keys()
            await until(lambda: any("was lost" in line["event"] for line in logs))
        assert server.application.lost_changes.lost == 0


async def told_not_to_wait(url: str, asking: Awaitable[Answer]) -> Answer:
    """What comes of a change whose COMMIT is told to wait for the standby no longer."""
    asked = asyncio.ensure_future(asking)
    cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    async with connected(url) as connection:
        while not asked.done():
            await connection.fetchval(cancel)
            await asyncio.sleep(0.01)
    return await asked


async def test_a_commit_that_no_longer_waits_for_its_standby_is_not_acknowledged(
    url: str, own_replicated_postgres: ReplicatedPostgres
) -> None:
    """PostgreSQL calls it done when its wait is cancelled, and a failover would lose it. Nor is what repeats it."""
    async with install(url, poll_seconds=0.2) as server:
        accounts = server.application.accounts
        login = await accounts.login(email(Role.VIEWER), PASSWORD, "192.0.2.1")
        own_replicated_postgres.set_synchronous(True)
        own_replicated_postgres.cut_standby()
        target = {"staffDate": {"staffId": server.staff["Amina"], "date": TODAY}}
        mark = {"target": target, "status": "LATE"}
        entries = {"entries": [{"staffId": server.staff["Björn"], "status": "LATE"}]}
        bulk = {"date": TODAY, "change": entries, "idempotencyKey": "once"}
        for document, change in (MARK, mark), (BULK, bulk):
            for _ in ("once", "again"):
                answer = await told_not_to_wait(url, server.marker.send(document, input=change))
                [error] = answer["errors"]
                assert (error["extensions"]["code"], error["extensions"]["applied"]) == ("UNAVAILABLE", None)
        for _ in ("once", "again"):
            with pytest.raises(Unavailable):
                await told_not_to_wait(url, accounts.logout(None, login.refresh_token))


async def test_a_server_that_is_still_connected_to_the_old_primary_goes_over_when_it_hears_of_another_epoch(
    url: str, own_replicated_postgres: ReplicatedPostgres, own_redis: RedisServer
) -> None:
    """The old primary lives on, and acknowledges what will be lost, as long as nobody hears of the new one."""
    async with two_servers(url, own_redis.url, poll_seconds=60) as (one, other):
        await marks(one, "Amina", "PRESENT")
        async with one.watching(TODAY) as board:
            own_replicated_postgres.wait_for_standby()
            old = own_replicated_postgres.promote()
            try:
                await marks(one, "Björn", "LATE")  # on the old primary
                assert (await board.change())["staffName"] == "Björn"
                own_replicated_postgres.lead_to_primary()
                await other.application.database.engine.dispose()
                await marks(other, "Chloé", "LATE")
                await restarted(board)
                assert (
                    await statuses(one)
                    == await statuses(other)
                    == {
                        "Amina": "PRESENT",
                        "Björn": "UNMARKED",
                        "Chloé": "LATE",
                        "Дмитрий": "UNMARKED",
                    }
                )
                await until(lambda: one.application.lost_changes.lost == 1)
            finally:
                old.stop()


async def test_a_standby_is_not_read_from(url: str, own_replicated_postgres: ReplicatedPostgres) -> None:
    async with install(url, poll_seconds=0.2) as server:
        await marks(server, "Amina", "PRESENT")
        postgres = own_replicated_postgres
        assert postgres.standby is not None
        postgres.lead_to(postgres.standby)
        await server.application.database.engine.dispose()
        with capture_logs() as logs:
            code, _ = await server.marker.fail(BOARD, date=TODAY, first=10)
        assert code == "UNAVAILABLE"
        reasons = {line["reason"] for line in logs if "was not used" in line["event"]}
        assert reasons == {"It is a standby, from which memberstaff does not read."}
        postgres.lead_to_primary()
        assert (await statuses(server))["Amina"] == "PRESENT"


async def test_two_standbys_that_become_primary_one_after_the_other_have_different_epochs(
    url: str, own_replicated_postgres: ReplicatedPostgres
) -> None:
    """The second one has heard nothing of the first one's history, and its timeline has the same number."""
    postgres = own_replicated_postgres
    second, postgres.standby = postgres.standby, None
    postgres.add_standby()
    first = postgres.standby
    assert first is not None
    assert second is not None
    async with install(url, poll_seconds=0.2) as server:
        await marks(server, "Amina", "PRESENT")
        for postgres.standby in (first, second):
            postgres.wait_for_standby()
        epochs = [await epoch_of(url)]
        postgres.primary.kill()
        for standby in (first, second):
            postgres.standby = standby
            old = postgres.promote()
            old.stop()
            postgres.lead_to_primary()
            await marks(server, "Björn", "LATE")
            assert postgres.run("SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)") == "00000002"
            epochs.append(await epoch_of(url))
            if standby is first:
                postgres.primary.kill()
        assert sorted(set(epochs)) == epochs
