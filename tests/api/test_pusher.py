"""Front ends that use Laravel Echo: the Pusher protocol, message by message."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.db.installation import new_epoch
from memberstaff.pusher import channel_groups as shows
from memberstaff.pusher import protocol
from schema.ids import global_id, staff_key
from tests.api.echoes import DAY, mark, names
from tests.clock import TODAY, TurnedClock
from tests.databases import Engine
from tests.installation import Installation, install
from tests.pusher import KEY, echo
from tests.waiting import until


@pytest.fixture
def engine() -> Engine:
    """What the protocol makes of changes; how they are read is for tests/services to show on both."""
    return "sqlite"


@pytest.fixture
def installation_settings() -> dict[str, Any]:
    return {"echo_key": KEY, "poll_seconds": 0.05}


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
                "reason": None,
                "photo_url": None,
                "date": TODAY,
                "arrived_at": f"{clock():%Y-%m-%dT%H:%M:%S.%f}Z",
                "left_at": None,
                "updated_at": f"{clock():%Y-%m-%dT%H:%M:%S.%f}Z",
            }
        },
    }


PHOTO = "https://photos.example/1.jpg"
TOLD = {"note": "Bus", "photoUrl": PHOTO, "leftAt": "2026-01-12T09:00:00Z"}


CONFIDENTIAL = "note", "photo_url", "arrived_at", "left_at"


def seen(change: dict[str, Any]) -> tuple[str | None, ...]:
    """What is confidential about a change."""
    return tuple(change["attendanceData"][name] for name in CONFIDENTIAL)


@pytest.mark.parametrize("channel", [DAY, "private-attendance"])
async def test_what_is_confidential_is_for_those_who_may_read_notes(installation: Installation, channel: str) -> None:
    async with echo(installation) as desk, echo(installation) as wall:
        await desk.joined(channel, Role.MARKER)
        await wall.joined(channel, Role.VIEWER)
        await mark(installation, "Amina", "LATE", **TOLD)
        assert seen(await desk.change()) == ("Bus", PHOTO, "2026-01-12T08:00:00.000000Z", "2026-01-12T09:00:00.000000Z")
        assert seen(await wall.change()) == (None, None, None, None)


async def test_a_setting_shows_times_to_viewers_and_never_on_the_public_channel(database_url: str) -> None:
    options: dict[str, Any] = {"echo_key": KEY, "echo_public": True, "viewers_see_times": True}
    async with install(database_url, **options) as installed, echo(installed) as wall, echo(installed) as anybody:
        await wall.joined(DAY, Role.VIEWER)
        await anybody.joined("attendance")
        await mark(installed, "Amina", "LATE", **TOLD)
        times = "2026-01-12T08:00:00.000000Z", "2026-01-12T09:00:00.000000Z"
        assert seen(await wall.change()) == (None, None, *times)
        assert seen(await anybody.change()) == (None, None, None, None)


async def test_the_public_channel_is_closed_unless_a_setting_opens_it(
    installation: Installation, furnished_url: str
) -> None:
    async with echo(installation) as client:
        refused = await client.subscribe("attendance")
    assert refused["event"] == "pusher:subscription_error"
    assert (refused["data"]["type"], refused["data"]["status"]) == ("AuthError", 403)
    async with install(furnished_url, furnish=False, echo_key=KEY, echo_public=True) as open_one:
        open_one.staff = installation.staff
        async with echo(open_one) as client:
            await client.joined("attendance")
            await mark(open_one, "Amina", "LATE", **TOLD)
            assert seen(await client.change()) == (None, None, None, None)


async def test_words_and_form_of_the_payload_are_settings(furnished_url: str, clock: TurnedClock) -> None:
    async with (
        install(
            furnished_url, clock=clock, echo_key=KEY, echo_flat=True, echo_statuses={"HALF_DAY": "half-day"}
        ) as installed,
        echo(installed) as client,
    ):
        await client.joined("private-attendance", Role.VIEWER)
        await mark(installed, "Amina", "HALF_DAY")
        data = await client.change()
    assert (data["status"], data["staff_name"], "attendanceData" in data) == ("half-day", "Amina", False)
    assert set(data) == {
        *("id", "staff_id", "staff_name", "staff_category", "staff_photo", "status", "note", "reason", "photo_url"),
        *("date", "arrived_at", "left_at", "updated_at", "cursor"),
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
