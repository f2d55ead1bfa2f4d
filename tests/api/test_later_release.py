"""What only a later release knows takes nothing down: a role, a status, and more in what processes tell each other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from sqlalchemy import text

from memberstaff.access import Role
from memberstaff.db.database import Database
from memberstaff.db.migrate import migrate
from memberstaff.notify import codec
from memberstaff.notify.notification import Notification
from tests.clock import TODAY
from tests.databases import UTC_ZONE, Databases
from tests.infrastructure.redis import Redis
from tests.installation import PASSWORD, Installation, email, install
from tests.waiting import until

ACCOUNTS = "{ accounts(first: 10) { edges { node { displayName role } } } }"
BOARD = """query Board($date: Date!) { attendanceDay(date: $date) {
  summary { late unmarked total } records(first: 10) { edges { node { staff { name } status } } }
} }"""
REPORT = """query ($from: Date!, $to: Date!) { attendanceReport(from: $from, to: $to) {
  categories { category days { total late unmarked } }
} }"""
LOGIN = "mutation ($input: LoginInput!) { login(input: $input) { refreshToken errors { code } } }"
REFRESH = "mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) { accessToken errors { code } } }"
REPLACED = "This server is being replaced by a later release. Try again."
UNKNOWN_ROLE = "The account's role needs a later release than this server's. Connect again later."


@pytest.fixture
async def installation(databases: Databases, redis_server: Redis) -> AsyncIterator[Installation]:
    """On a database of its own that a later release has finished: it refuses no role and no status."""
    async with databases.empty("postgresql") as url:
        database = Database(url, zone=UTC_ZONE)
        await migrate(database.engine)
        async with database.engine.begin() as connection:
            for table, what in (("account", "role"), ("attendance", "status"), ("attendance_revision", "status")):
                await connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_{what}"))
        await database.close()
        async with install(
            url, broadcast_url=redis_server.url, broadcast_channel="later release", poll_seconds=0.05
        ) as made:
            await until(lambda: made.application.notifier.subscribed)
            yield made


async def execute(installation: Installation, statement: str) -> None:
    """As a process of a later release would, which announces nothing that this one hears."""
    async with installation.application.database.engine.begin() as connection:
        await connection.execute(text(statement))


async def test_a_role_of_a_later_release_gives_no_rights_and_harms_nobody_else(installation: Installation) -> None:
    async with installation.watching(TODAY) as screen, installation.watching(TODAY, Role.MARKER) as desk:
        await execute(
            installation,
            "UPDATE account SET role = 'AUDITOR' WHERE role = 'MARKER'",
        )
        await execute(
            installation,
            "WITH head AS (UPDATE access_head SET number = number + 1 RETURNING number) "
            "INSERT INTO access_change (number, account_id, at) "
            "SELECT head.number, account.id, now() FROM head, account WHERE role = 'AUDITOR'",
        )
        await desk.connection.wait_closed()
        assert (desk.connection.close_code, desk.connection.close_reason) == (4403, UNKNOWN_ROLE)
        assert await installation.marker.fail(ACCOUNTS) == ("UNAUTHENTICATED", UNKNOWN_ROLE)
        listed = (await installation.admin.ask(ACCOUNTS))["accounts"]["edges"]
        assert {edge["node"]["role"] for edge in listed} == {"ADMIN", "VIEWER", None}
        await installation.admin.mark(installation.staff["Amina"], TODAY, status="LATE")
        assert (await screen.change())["staffName"] == "Amina"


async def test_whoever_has_a_role_of_a_later_release_cannot_log_in_here_and_loses_no_session(
    installation: Installation,
) -> None:
    given = {"email": email(Role.MARKER), "password": PASSWORD}
    tokens = (await installation.nobody.ask(LOGIN, input=given))["login"]
    sessions = "SELECT count(*) FROM session"
    async with installation.application.database.read() as reading:
        before = await reading.scalar(text(sessions))
    await execute(installation, "UPDATE account SET role = 'AUDITOR' WHERE role = 'MARKER'")
    assert await installation.nobody.fail(LOGIN, input=given) == ("UNAUTHENTICATED", UNKNOWN_ROLE)
    wrong = {**given, "password": "a wrong password"}
    refused = (await installation.nobody.ask(LOGIN, input=wrong))["login"]["errors"]
    assert [error["code"] for error in refused] == ["BAD_CREDENTIALS"]  # the role is told to its holder alone
    renewal = {"refreshToken": tokens["refreshToken"]}
    assert await installation.nobody.fail(REFRESH, input=renewal) == ("UNAUTHENTICATED", UNKNOWN_ROLE)
    async with installation.application.database.read() as reading:
        assert await reading.scalar(text(sessions)) == before
    await execute(installation, "UPDATE account SET role = 'MARKER' WHERE role = 'AUDITOR'")
    renewed = (await installation.nobody.ask(REFRESH, input=renewal))["refreshSession"]
    assert renewed["errors"] == []


async def test_a_status_of_a_later_release_takes_down_no_board_and_is_not_written_over(
    installation: Installation,
) -> None:
    amina, other = installation.staff["Amina"], installation.staff["Björn"]
    await installation.admin.mark(amina, TODAY, status="LATE")
    for table in ("attendance", "attendance_revision"):
        await execute(installation, f"UPDATE {table} SET status = 'TRAINING'")
    async with installation.watching(TODAY) as screen:
        await installation.admin.mark(other, TODAY, status="LATE")
        assert (await screen.change())["staffName"] == "Björn"
        day = (await installation.viewer.ask(BOARD, date=TODAY))["attendanceDay"]
        assert day["summary"] == {"late": 1, "unmarked": 3, "total": 4}
        assert {edge["node"]["staff"]["name"]: edge["node"]["status"] for edge in day["records"]["edges"]} == {
            "Amina": "UNMARKED",
            "Björn": "LATE",
            "Chloé": "UNMARKED",
            "Дмитрий": "UNMARKED",
        }
        report = await installation.admin.ask(REPORT, **{"from": TODAY, "to": TODAY})
        assert report["attendanceReport"]["categories"] == [
            {"category": "Facilities", "days": [{"total": 1, "late": 0, "unmarked": 1}]},
            {"category": "Kitchen", "days": [{"total": 1, "late": 1, "unmarked": 0}]},
            {"category": "Teaching", "days": [{"total": 2, "late": 0, "unmarked": 2}]},
        ]
    note = {"target": {"staffDate": {"staffId": amina, "date": TODAY}}, "note": "Back at noon"}
    mark = "mutation ($i: UpdateAttendanceInput!) { updateAttendance(input: $i) { errors { message } } }"
    assert await installation.admin.fail(mark, i=note) == ("UNAVAILABLE", REPLACED)
    async with installation.application.database.read() as reading:
        assert await reading.scalar(text("SELECT count(*) FROM attendance WHERE status = 'TRAINING'")) == 1
        assert await reading.scalar(text("SELECT count(*) FROM attendance_revision")) == 2


@pytest.mark.parametrize(
    "message",
    [
        b'{"kind":"holiday","of":"everybody"}',
        b'{"epoch":1,"holiday":"2026-01-12"}',
        b'{"process":"ff","until":"for ever","groups":[]}',
        b"[1,2]",
    ],
)
async def test_messages_of_a_later_release_end_no_listener(installation: Installation, message: bytes) -> None:
    channel = installation.application.notifier.channel
    restarts = channel.restarts
    async with installation.watching(TODAY) as screen:
        await channel.publish(message)
        await installation.admin.mark(installation.staff["Amina"], TODAY, status="LATE")
        assert (await screen.change())["staffName"] == "Amina"
    assert channel.restarts == restarts
    assert channel.subscribed


async def test_who_hears_more_than_it_knows_asks_the_database_too(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Notification] = []
    notifier = installation.application.notifier
    await installation.admin.mark(installation.staff["Amina"], TODAY, status="LATE")
    await until(lambda: not notifier.unsent)
    monkeypatch.setattr(notifier, "_on_notification", heard.append)
    known = Notification(epoch=7, roster_version=3)
    await notifier.channel.publish(codec.encode(known))
    await notifier.channel.publish(msgspec.json.encode({"epoch": 7, "roster_version": 3, "rooms_version": 9}))
    await until(lambda: codec.MISSED in heard)
    assert heard[-3:] == [known, known, codec.MISSED]
