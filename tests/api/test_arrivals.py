"""When people came and left, as the API takes and shows it."""

from __future__ import annotations

from typing import Any

import pytest

from memberstaff.access import Role
from tests.clock import TODAY, TurnedClock
from tests.front_ends import Client
from tests.installation import Installation, install, renew_tokens

RECORD = "status arrivedAt leftAt isOnSite"
MARK = f"""mutation ($input: UpdateAttendanceInput!) {{ updateAttendance(input: $input) {{
  attendance {{ {RECORD} }}
  errors {{ __typename code message path ... on ClockAheadError {{ serverTime }} }} }} }}"""
BULK = f"""mutation ($input: BulkUpdateAttendanceInput!) {{ bulkUpdateAttendance(input: $input) {{
  attendances {{ {RECORD} }} day {{ summary {{ onSite }} }}
  errors {{ __typename code path ... on ClockAheadError {{ serverTime }} }} }} }}"""
DAY = """subscription ($date: Date!) { attendanceDayUpdated(date: $date) { summary { onSite present } } }"""
BOARD = f"""query ($date: Date!) {{ attendanceDay(date: $date) {{
  summary {{ onSite }} records(first: 1) {{ edges {{ node {{ {RECORD} history {{ edges {{ node {{
  status arrivedAt leftAt }} }} }} }} }} }} }} }}"""
EIGHT, NINE = "2026-01-12T08:00:00.000Z", "2026-01-12T09:00:00.000Z"
TWO_DAYS_BEFORE = "2026-01-10"


async def mark(client: Client, staff_id: str, date: str = TODAY, **values: Any) -> Any:
    target = {"staffDate": {"staffId": staff_id, "date": date}}
    return (await client.ask(MARK, input={"target": target, **values}))["updateAttendance"]


async def test_the_record_its_history_and_the_day_s_counts_tell_who_is_on_site(installation: Installation) -> None:
    amina = installation.staff["Amina"]
    present = {"status": "PRESENT", "arrivedAt": EIGHT, "leftAt": None, "isOnSite": True}
    marked = await mark(installation.marker, amina, status="PRESENT")
    assert marked == {"attendance": present, "errors": []}
    async with installation.socket(Role.VIEWER) as wall:
        await wall.subscribe("1", DAY, date=TODAY)
        assert (await wall.event())["attendanceDayUpdated"]["summary"] == {"onSite": 1, "present": 1}
        gone = {**present, "leftAt": NINE, "isOnSite": False}
        assert (await mark(installation.marker, amina, leftAt=NINE))["attendance"] == gone
        assert (await wall.event())["attendanceDayUpdated"]["summary"] == {"onSite": 0, "present": 1}
    day = (await installation.marker.ask(BOARD, date=TODAY))["attendanceDay"]
    [edge] = day["records"]["edges"]
    assert (day["summary"]["onSite"], {name: edge["node"][name] for name in gone}) == (0, gone)
    assert [revision["node"] for revision in edge["node"]["history"]["edges"]] == [
        {"status": "PRESENT", "arrivedAt": EIGHT, "leftAt": NINE},
        {"status": "PRESENT", "arrivedAt": EIGHT, "leftAt": None},
    ]


async def test_a_mark_of_a_desk_that_was_offline_counts_as_of_when_it_was_made(
    installation: Installation, clock: TurnedClock
) -> None:
    clock.turn(days=1)
    await renew_tokens(installation)
    amina, björn = installation.staff["Amina"], installation.staff["Björn"]
    late = await mark(installation.marker, amina, status="LATE", occurredAt="2026-01-12T09:00:00+01:00")
    assert late["attendance"] == {"status": "LATE", "arrivedAt": EIGHT, "leftAt": None, "isOnSite": True}
    entries = [{"staffId": björn, "status": "PRESENT", "occurredAt": NINE}]
    bulk = {"date": TODAY, "change": {"entries": entries}}
    [record] = (await installation.marker.ask(BULK, input=bulk))["bulkUpdateAttendance"]["attendances"]
    assert record == {"status": "PRESENT", "arrivedAt": NINE, "leftAt": None, "isOnSite": True}
    rest = {"date": TODAY, "change": {"fill": {"status": "PRESENT", "occurredAt": NINE}}}
    payload = (await installation.marker.ask(BULK, input=rest))["bulkUpdateAttendance"]
    assert (payload["errors"], payload["day"]["summary"]["onSite"]) == ([], 4)
    assert [each["arrivedAt"] for each in payload["attendances"]] == [None, None]
    code, _ = await installation.marker.fail(BULK, input={"date": TWO_DAYS_BEFORE, "change": rest["change"]})
    assert code == "FORBIDDEN"


async def test_a_desk_whose_clock_is_ahead_is_told_the_server_s_time(installation: Installation) -> None:
    amina = installation.staff["Amina"]
    ahead = "2026-01-12T08:01:00.001Z"
    message = (
        "This has not happened yet: it is 2026-01-12T08:00:00.000Z on the server. Set the clock, and record it anew."
    )
    told = {"__typename": "ClockAheadError", "code": "CLOCK_AHEAD", "serverTime": EIGHT}
    refused = await mark(installation.marker, amina, status="LATE", occurredAt=ahead)
    assert refused == {"attendance": None, "errors": [{**told, "message": message, "path": ["occurredAt"]}]}
    for entries, path in (
        ({"entries": [{"staffId": amina, "status": "LATE", "occurredAt": ahead}]}, ["entries", "0", "occurredAt"]),
        ({"fill": {"status": "LATE", "occurredAt": ahead}}, ["occurredAt"]),
    ):
        payload = (await installation.marker.ask(BULK, input={"date": TODAY, "change": entries}))[
            "bulkUpdateAttendance"
        ]
        assert payload == {"attendances": [], "day": None, "errors": [{**told, "path": path}]}
    assert (await mark(installation.marker, amina, status="LATE", occurredAt="2026-01-12T08:01:00Z"))["errors"] == []


@pytest.mark.parametrize(
    ("values", "code", "path", "date"),
    [
        ({"status": "LATE", "leftAt": "2026-01-12T07:59:00Z"}, "LEFT_BEFORE_ARRIVED", "leftAt", TODAY),
        ({"status": "LATE", "arrivedAt": "2026-01-11T23:59:59Z"}, "OUTSIDE_DAY", "arrivedAt", TODAY),
        ({"status": "LATE", "leftAt": "2026-01-13T16:00:00.001Z"}, "OUTSIDE_DAY", "leftAt", TODAY),
        ({"status": "LATE", "leftAt": "0001-01-01T00:00:00Z"}, "OUTSIDE_DAY", "leftAt", TODAY),
        ({"status": "LATE", "leftAt": "9999-12-31T23:59:59Z"}, "OUTSIDE_DAY", "leftAt", TODAY),
        ({"status": "ON_LEAVE", "arrivedAt": EIGHT}, "INVALID", "arrivedAt", TODAY),
        ({"leftAt": EIGHT}, "INVALID", "leftAt", TODAY),
        ({"status": "LATE", "occurredAt": "2026-01-04T23:00:00Z"}, "TOO_LATE", "occurredAt", "2026-01-04"),
        ({"status": "LATE", "occurredAt": "0001-01-01T00:00:00Z"}, "TOO_LATE", "occurredAt", "0001-01-01"),
    ],
)
async def test_a_time_that_cannot_be_is_refused_by_a_code(
    installation: Installation, values: dict[str, Any], code: str, path: str, date: str
) -> None:
    refused = await mark(installation.marker, installation.staff["Amina"], date, **values)
    assert [(each["__typename"], each["code"], each["path"]) for each in refused["errors"]] == [
        ("InputError", code, [path])
    ]
    assert refused["attendance"] is None


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_setting_shows_times_to_viewers_live_too(database_url: str, clock: TurnedClock) -> None:
    async with (
        install(database_url, clock=clock, viewers_see_times=True) as installed,
        installed.socket(Role.VIEWER) as wall,
    ):
        async with installed.one_more_follower(TODAY):
            watch = "subscription ($date: Date!) { attendanceUpdated(date: $date) { arrivedAt leftAt note } }"
            await wall.subscribe("1", watch, date=TODAY)
        await installed.marker.mark(installed.staff["Amina"], TODAY, status="LATE", note="Bus", leftAt=NINE)
        assert await wall.change() == {"arrivedAt": EIGHT, "leftAt": NINE, "note": None}
        [edge] = (await installed.viewer.ask(BOARD, date=TODAY))["attendanceDay"]["records"]["edges"]
        assert (edge["node"]["arrivedAt"], edge["node"]["leftAt"]) == (EIGHT, NINE)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_times_follow_the_organisation_s_zone_over_a_clock_change(database_url: str, clock: TurnedClock) -> None:
    """The night of 28 March has 23 hours in Berlin, and its people may leave until sixteen hours after midnight."""
    clock.turn(days=75, hours=10)  # 18:00 on 28 March, in UTC
    async with install(database_url, clock=clock, time_zone="Europe/Berlin") as installed:
        amina = installed.staff["Amina"]
        night = await mark(installed.marker, amina, "2026-03-28", status="PRESENT", leftAt="2026-03-29T06:00:00+02:00")
        assert night["attendance"]["leftAt"] == "2026-03-29T04:00:00.000Z"
        last = await mark(installed.marker, amina, "2026-03-28", leftAt="2026-03-29T15:00:00Z")
        assert last["errors"] == []
        [error] = (await mark(installed.marker, amina, "2026-03-28", leftAt="2026-03-29T15:00:00.001Z"))["errors"]
        assert error["code"] == "OUTSIDE_DAY"
        assert error["message"] == (
            "Times of 2026-03-28 are from 2026-03-28 00:00+01:00 to 2026-03-29 17:00+02:00; "
            "2026-03-29 17:00:00.001+02:00 is not."
        )
