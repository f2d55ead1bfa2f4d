"""Front ends that use Laravel Echo: the Pusher protocol, message by message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import websockets
from sqlalchemy import func, select

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.db.installation import new_epoch
from memberstaff.db.tables import channel_grant
from memberstaff.pusher import channel_groups as shows
from memberstaff.pusher import protocol
from schema.ids import global_id, staff_key
from tests.clock import TurnedClock
from tests.installation import Installation, install, until
from tests.pusher import KEY, authorise, echo

TODAY = datetime.now(UTC).date().isoformat()
DAY = f"private-attendance.{TODAY}"


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock(datetime.now(UTC))


@pytest.fixture
async def installation(database_url: str, clock: TurnedClock) -> AsyncIterator[Installation]:
    async with install(database_url, clock=clock, echo_key=KEY, poll_seconds=0.05) as installed:
        yield installed


async def mark(installation: Installation, name: str, status: str, day: str = TODAY, **values: Any) -> None:
    payload = await installation.admin.mark(installation.staff[name], day, status=status, **values)
    assert payload["errors"] == []


def names(changes: list[dict[str, Any]]) -> list[str]:
    return [change["attendanceData"]["staff_name"] for change in changes]


async def test_a_change_arrives_with_the_original_payload_and_a_cursor(
    installation: Installation, clock: TurnedClock
) -> None:
    async with echo(installation) as client:
        await client.joined("private-attendance", Role.MARKER)
        await mark(installation, "Amina", "LATE", note="Bus")
        message = await client.hear()
    staff = installation.staff["Amina"]
    number = staff_key(staff)
    cursor = message["data"].pop("cursor")
    assert isinstance(cursor, str)
    assert message == {
        "event": "attendance.updated",
        "channel": "private-attendance",
        "data": {
            "attendanceData": {
                "id": global_id("Attendance", number, TODAY),
                "staff_id": staff,
                "staff_name": "Amina",
                "staff_category": "Teaching",
                "staff_photo": None,
                "status": "late",
                "note": "Bus",
                "photo_url": None,
                "date": TODAY,
                "updated_at": f"{clock():%Y-%m-%dT%H:%M:%S.%f}Z",
            }
        },
    }


async def test_notes_are_for_those_who_may_read_them(installation: Installation) -> None:
    async with echo(installation) as desk, echo(installation) as wall:
        await desk.joined(DAY, Role.MARKER)
        await wall.joined(DAY, Role.VIEWER)
        await mark(installation, "Amina", "LATE", note="Bus")
        assert (await desk.change())["attendanceData"]["note"] == "Bus"
        assert (await wall.change())["attendanceData"]["note"] is None


async def test_the_public_channel_is_closed_unless_a_setting_opens_it(
    installation: Installation, database_url: str
) -> None:
    async with echo(installation) as client:
        refused = await client.subscribe("attendance")
    assert refused["event"] == "pusher:subscription_error"
    assert (refused["data"]["type"], refused["data"]["status"]) == ("AuthError", 403)
    async with install(database_url, furnish=False, echo_key=KEY, echo_public=True) as open_one:
        open_one.staff = installation.staff
        async with echo(open_one) as client:
            await client.joined("attendance")
            await mark(open_one, "Amina", "LATE", note="Bus")
            assert (await client.change())["attendanceData"]["note"] is None


async def test_words_and_form_of_the_payload_are_settings(database_url: str, clock: TurnedClock) -> None:
    async with (
        install(
            database_url, clock=clock, echo_key=KEY, echo_flat=True, echo_statuses={"HALF_DAY": "half-day"}
        ) as installed,
        echo(installed) as client,
    ):
        await client.joined("private-attendance", Role.VIEWER)
        await mark(installed, "Amina", "HALF_DAY")
        data = await client.change()
    assert (data["status"], data["staff_name"], "attendanceData" in data) == ("half-day", "Amina", False)
    assert set(data) == {
        *("id", "staff_id", "staff_name", "staff_category", "staff_photo", "status", "note", "photo_url"),
        *("date", "updated_at", "cursor"),
    }


async def test_all_days_arrive_on_one_channel_each_change_once_and_in_order(installation: Installation) -> None:
    other_day = date.fromordinal(date.fromisoformat(TODAY).toordinal() - 1).isoformat()
    async with echo(installation) as client:
        await client.joined("private-attendance", Role.VIEWER)
        for name, day in (("Amina", TODAY), ("Björn", other_day), ("Chloé", TODAY), ("Дмитрий", other_day)):
            await mark(installation, name, "PRESENT", day)
        heard = [await client.change() for _ in range(4)]
    assert names(heard) == ["Amina", "Björn", "Chloé", "Дмитрий"]


async def test_a_day_channel_resumes_from_a_cursor_with_nothing_missed(installation: Installation) -> None:
    async with echo(installation) as client:
        await client.joined(DAY, Role.VIEWER)
        await mark(installation, "Amina", "PRESENT")
        cursor = (await client.change())["cursor"]
    await mark(installation, "Björn", "LATE")
    await mark(installation, "Chloé", "ABSENT")
    async with echo(installation) as client:
        await client.joined(DAY, Role.VIEWER, cursor=cursor)
        await mark(installation, "Дмитрий", "REMOTE")
        assert names([await client.change() for _ in range(3)]) == ["Björn", "Chloé", "Дмитрий"]


async def test_a_cursor_that_cannot_be_honoured_refuses_the_subscription(installation: Installation) -> None:
    async with echo(installation) as client:
        refused = await client.subscribe(DAY, Role.VIEWER, cursor="nonsense")
    assert (refused["channel"], refused["data"]["type"], refused["data"]["status"]) == (DAY, "SubscriptionError", 409)
    assert "This is not a feed cursor." in refused["data"]["error"]


async def test_after_a_restored_backup_clients_come_back(installation: Installation) -> None:
    async with echo(installation) as day, echo(installation) as all_days:
        await day.joined(DAY, Role.VIEWER)
        await all_days.joined("private-attendance", Role.VIEWER)
        async with installation.application.database.write() as work:
            work.caller = COMMAND_LINE
            await new_epoch(work)
        assert (await day.closing())[0] == 4100
        assert (await all_days.closing())[0] == 4100


@pytest.mark.parametrize(
    "channel", ["private-staff", "private-attendance.2026-02-30", "private-attendance.x", "x" * 5_000, "presence-x"]
)
async def test_a_channel_that_does_not_exist_is_refused(installation: Installation, channel: str) -> None:
    assert (await authorise(installation, Role.ADMIN, "1.2", channel)).status_code == 403
    async with echo(installation) as client:
        assert (await client.subscribe(channel))["data"]["status"] == 403


async def test_without_a_login_there_is_no_authorisation_and_no_subscription(installation: Installation) -> None:
    async with echo(installation) as client:
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            fields = {"socket_id": client.socket_id, "channel_name": DAY}
            answer = await installation.http.post("/broadcasting/auth", data=fields, headers=headers)
            assert answer.status_code == 401
            assert set(answer.json()) == {"message"}
        refused = await client.subscribe(DAY)
        assert (refused["data"]["type"], refused["data"]["status"]) == ("AuthError", 401)


async def test_an_authorisation_is_for_one_socket_one_channel_and_one_time(installation: Installation) -> None:
    async with echo(installation) as one, echo(installation) as other:
        auth = (await authorise(installation, Role.VIEWER, one.socket_id, DAY)).json()
        for client, channel in ((other, DAY), (one, "private-attendance")):
            await client.send("pusher:subscribe", {"channel": channel, **auth})
            assert (await client.hear())["data"]["status"] == 401
        await one.send("pusher:subscribe", {"channel": DAY, **auth})
        assert (await one.hear())["event"] == "pusher_internal:subscription_succeeded"
        await one.send("pusher:unsubscribe", {"channel": DAY})
        await one.send("pusher:subscribe", {"channel": DAY, **auth})
        assert (await one.hear())["data"]["status"] == 401


async def test_grants_that_nobody_uses_do_not_stay(installation: Installation, clock: TurnedClock) -> None:
    async with echo(installation) as client:
        old = (await authorise(installation, Role.VIEWER, client.socket_id, DAY)).json()
        clock.turn(seconds=61)
        await client.send("pusher:subscribe", {"channel": DAY, **old})
        assert (await client.hear())["data"]["status"] == 401
        await authorise(installation, Role.VIEWER, "1.1", DAY)
        clock.turn(seconds=61)
        await authorise(installation, Role.VIEWER, "1.2", DAY)
    async with installation.application.database.read() as reading:
        assert await reading.scalar(select(func.count()).select_from(channel_grant)) == 1


async def test_what_the_authorisation_refuses(installation: Installation) -> None:
    async def status(**fields: Any) -> int:
        headers = {"Authorization": f"Bearer {installation.tokens[Role.VIEWER]}"}
        return (await installation.http.post("/broadcasting/auth", json=fields, headers=headers)).status_code

    assert await status(socket_id="1.2", channel_name=DAY) == 200
    assert await status(socket_id="nobody's", channel_name=DAY) == 422
    assert await status(socket_id=12, channel_name=DAY) == 422
    assert await status(socket_id="1.2", channel_name="attendance") == 403
    assert await status(socket_id="1.2", channel_name="private-attendance", cursor="x") == 422
    assert await status(socket_id="1.2", channel_name=DAY, cursor="x" * 201) == 422
    assert await status(socket_id="1.2", channel_name=DAY, more="x" * 20_000) == 413
    assert (await installation.http.get("/broadcasting/auth")).status_code == 405


async def test_laravel_echo_server_is_answered_in_its_own_shape(installation: Installation) -> None:
    async def answer(channel: str) -> Any:
        headers = {"Authorization": f"Bearer {installation.tokens[Role.VIEWER]}"}
        sent = await installation.http.post("/broadcasting/auth", data={"channel_name": channel}, headers=headers)
        assert sent.status_code == 200
        return sent.json()

    told = await answer("presence-attendance")
    assert told == {"channel_data": {"user_id": told["channel_data"]["user_id"], "user_info": {"name": "Viewer"}}}
    assert "auth" not in await answer("private-attendance")


async def test_a_presence_channel_tells_who_else_is_looking(installation: Installation) -> None:
    async with echo(installation) as marker, echo(installation) as second:
        answer = await marker.subscribe("presence-attendance", Role.MARKER)
        [me] = answer["data"]["presence"]["ids"]
        assert answer["data"] == {"presence": {"count": 1, "ids": [me], "hash": {me: {"name": "Marker"}}}}
        async with echo(installation) as viewer:
            both = (await viewer.subscribe("presence-attendance", Role.VIEWER))["data"]["presence"]
            assert (both["count"], sorted(member["name"] for member in both["hash"].values())) == (
                2,
                ["Marker", "Viewer"],
            )
            added = await marker.hear()
            [other] = set(both["ids"]) - {me}
            assert (added["event"], added["channel"]) == ("pusher_internal:member_added", "presence-attendance")
            assert added["data"] == {"user_id": other, "user_info": {"name": "Viewer"}}
            # One member for an account, however many tabs it has.
            await second.joined("presence-attendance", Role.VIEWER)
        await second.send("pusher:unsubscribe", {"channel": "presence-attendance"})
        removed = await marker.hear()
        assert (removed["event"], removed["data"]) == ("pusher_internal:member_removed", {"user_id": other})


async def test_a_logout_closes_the_socket_for_good(installation: Installation) -> None:
    async with echo(installation) as client:
        await client.joined(DAY, Role.VIEWER)
        await installation.viewer.ask("mutation { logout { errors { code } } }")
        assert await client.closing() == (4009, "The session has been ended. Log in again.")


async def test_an_expired_token_makes_the_client_come_back(installation: Installation, clock: TurnedClock) -> None:
    async with echo(installation) as client:
        await client.joined(DAY, Role.VIEWER)
        clock.turn(minutes=16)
        await installation.application.access_watcher.check()
        assert (await client.closing())[0] == 4100


async def test_a_socket_without_a_channel_is_closed_after_a_while(database_url: str) -> None:
    async with install(database_url, echo_key=KEY, echo_public=True, echo_idle_seconds=0.2) as installed:
        async with echo(installed) as idle, echo(installed) as client:
            await client.joined("attendance")
            assert await idle.closing() == (4100, "No channel was subscribed to")
            await client.send("pusher:ping", {})
            assert await client.hear() == {"event": "pusher:pong", "data": {}}
            await client.send("pusher:unsubscribe", {"channel": "attendance"})
            assert (await client.closing())[0] == 4100


@pytest.mark.parametrize(
    ("path", "origin", "code"),
    [
        ("/app/other?protocol=7", None, 4001),
        (f"/app/{KEY}?protocol=4", None, 4007),
        (f"/app/{KEY}", None, 4007),
        (f"/app/{KEY}?protocol=7", "https://stranger.example", 4009),
    ],
)
async def test_who_is_not_served_is_told_to_give_up(
    installation: Installation, path: str, origin: str | None, code: int
) -> None:
    options: dict[str, Any] = {"origin": origin} if origin else {}
    async with websockets.connect(installation.address.ws + path, **options) as connection:
        with pytest.raises(websockets.ConnectionClosed):
            await connection.recv()
        assert connection.close_code == code


async def test_without_a_key_nothing_is_served(database_url: str) -> None:
    async with install(database_url) as installed:
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(f"{installed.address.ws}/app/{KEY}?protocol=7")
        assert (await installed.http.post("/broadcasting/auth")).status_code == 404


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        "{}",
        '{"event":"client-typing","channel":"private-attendance","data":{}}',
        '{"event":"pusher:subscribe","data":{"channel":7}}',
        '{"event":"pusher:subscribe","data":{"channel":"attendance","auth":7}}',
        '{"event":"pusher:subscribe","data":"{"}',
        '{"event":"pusher:unsubscribe"}',
    ],
)
async def test_a_message_that_is_none_is_answered_and_the_socket_goes_on(installation: Installation, text: str) -> None:
    async with echo(installation) as client:
        await client.connection.send(text)
        assert (await client.hear())["event"] == "pusher:error"
        await client.send("pusher:ping", {})
        assert (await client.hear())["event"] == "pusher:pong"


async def test_too_many_messages_and_binary_ones_close_the_socket(database_url: str) -> None:
    async with install(database_url, echo_key=KEY, message_burst=3, messages_per_second=0.01) as installed:
        async with echo(installed) as client:
            for _ in range(4):
                await client.send("pusher:pong", {})
            assert await client.closing() == (4100, "Too many messages; slow down")
        async with echo(installed) as client:
            await client.connection.send(b"\x00")
            assert (await client.closing())[0] == 4100


async def test_channels_of_a_socket_and_sockets_of_an_account_are_limited(database_url: str) -> None:
    async with install(database_url, echo_key=KEY, max_operations_per_socket=1, max_sockets_per_account=1) as installed:
        async with echo(installed) as one, echo(installed) as other:
            await one.joined(DAY, Role.VIEWER)
            assert (await one.subscribe("private-attendance", Role.VIEWER))["data"]["status"] == 429
            assert (await other.subscribe(DAY, Role.VIEWER))["data"]["status"] == 429


async def test_a_change_is_written_once_for_a_channel_and_what_may_be_seen(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def writing(name: str, data: dict[str, Any], channel: str) -> bytes:
        written.append(channel)
        return protocol.event(name, data, channel)

    monkeypatch.setattr(shows, "event", writing)
    async with (
        echo(installation) as desk,
        echo(installation) as admin,
        echo(installation) as wall,
        echo(installation) as screen,
    ):
        await desk.joined(DAY, Role.MARKER)
        await admin.joined(DAY, Role.ADMIN)
        await wall.joined(DAY, Role.VIEWER)
        await screen.joined(DAY, Role.VIEWER)
        await mark(installation, "Amina", "LATE")
        for client in (desk, admin, wall, screen):
            await client.change()
    assert written == [DAY, DAY]


async def test_a_stop_tells_clients_to_come_back(database_url: str) -> None:
    async with install(database_url, echo_key=KEY, echo_public=True, drain_seconds=0.1) as installed:
        client_context = echo(installed)
        client = await client_context.__aenter__()
        await client.joined("attendance")
        installed.address.server.should_exit = True
        assert (await client.closing())[0] == 4100
        await client_context.__aexit__(None, None, None)


async def test_a_bulk_mark_reaches_a_channel_whole(installation: Installation) -> None:
    async with echo(installation) as client:
        await client.joined("private-attendance", Role.VIEWER)
        await installation.admin.ask(
            "mutation Rest($date: Date!) {"
            "  bulkUpdateAttendance(input: {date: $date, change: {fill: {status: PRESENT}}}) { errors { code } }"
            "}",
            date=TODAY,
        )
        assert sorted(names([await client.change() for _ in range(4)])) == ["Amina", "Björn", "Chloé", "Дмитрий"]


async def test_when_all_have_left_nothing_is_kept(installation: Installation) -> None:
    application = installation.application
    async with echo(installation) as client:
        await client.joined("private-attendance", Role.VIEWER)
        await client.joined(DAY, Role.VIEWER)
        assert len(application.groups) == 2
    await until(lambda: len(application.groups) == 0 and application.feed.watched_days == 0)
    await until(lambda: not application.all_days.watched and len(application.access_watcher) == 0)
