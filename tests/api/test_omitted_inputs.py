"""What an input leaves out stays as it is: every subset of the fields of every input that changes something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import combinations
from typing import Any

import pytest

from memberstaff.access import Role
from tests.api.test_accounts import account
from tests.clock import TODAY
from tests.installation import Installation

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])

SUNDAY = "2026-01-11"

STAFF = """mutation ($input: UpdateStaffInput!) { updateStaff(input: $input) {
  staff { name category photoUrl externalRef startsOn endsOn } errors { message } } }"""
IMPORT = "mutation ($input: ImportStaffInput!) { importStaff(input: $input) { created updated errors { message } } }"
PERSON = """query ($id: ID!) { node(id: $id) { ... on Staff {
  name category photoUrl externalRef startsOn endsOn } } }"""
ACCOUNT = """mutation ($input: UpdateAccountInput!) { updateAccount(input: $input) {
  account { displayName role isDisabled } errors { code message path } } }"""
DAY = """mutation ($input: UpdateAttendanceDayInput!) { updateAttendanceDay(input: $input) {
  day { isWorkingDay label state } errors { code message } } }"""
OPEN = DAY.replace("pdateAttendanceDay(", "PDATE(").replace("UpdateAttendanceDay", "OpenAttendanceDay")
OPEN = OPEN.replace("uPDATE(", "openAttendanceDay(")
MARK = """mutation ($input: UpdateAttendanceInput!) { updateAttendance(input: $input) {
  attendance { status note photoUrl arrivedAt leftAt } errors { message } } }"""
BULK = """mutation ($input: BulkUpdateAttendanceInput!) { bulkUpdateAttendance(input: $input) {
  attendances { status note photoUrl } errors { code message path } } }"""

Values = dict[str, Any]
Change = Callable[[Installation, Values], Awaitable[Values]]
"""Sends some fields; returns all of them as they are stored."""


async def change_person(installation: Installation, values: Values) -> Values:
    given = {"id": installation.staff["Amina"], **values}
    payload = (await installation.admin.ask(STAFF, input=given))["updateStaff"]
    assert payload["errors"] == []
    stored: Values = payload["staff"]
    return stored


async def change_account(installation: Installation, values: Values) -> Values:
    id_ = (await account(installation, Role.VIEWER))["id"]
    payload = (await installation.admin.ask(ACCOUNT, input={"id": id_, **values}))["updateAccount"]
    assert payload["errors"] == []
    stored: Values = payload["account"]
    return stored


def change_day(document: str) -> Change:
    async def change(installation: Installation, values: Values) -> Values:
        [payload] = (await installation.admin.ask(document, input={"date": SUNDAY, **values})).values()
        assert payload["errors"] == []
        day = payload["day"]
        assert day.pop("state") == "OPEN"
        stored: Values = day
        return stored

    return change


async def change_record(installation: Installation, values: Values) -> Values:
    target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
    payload = (await installation.marker.ask(MARK, input={"target": target, **values}))["updateAttendance"]
    assert payload["errors"] == []
    stored: Values = payload["attendance"]
    return stored


async def change_entry(installation: Installation, values: Values) -> Values:
    """Its status is required, and the note's and the photo's are not; the record is read by a mark of nothing."""
    entry = {"staffId": installation.staff["Amina"], "status": "LATE", **values}
    payload = (await installation.marker.ask(BULK, input={"date": TODAY, "change": {"entries": [entry]}}))[
        "bulkUpdateAttendance"
    ]
    assert payload["errors"] == []
    record = await change_record(installation, {})
    assert record.pop("status") == "LATE"
    return record


EARLY = {"arrivedAt": "2026-01-12T07:00:00.000Z", "leftAt": "2026-01-12T15:00:00.000Z"}
LATER = {"arrivedAt": "2026-01-12T07:30:00.000Z", "leftAt": "2026-01-13T02:00:00.000Z"}
PHOTOS = "https://photos.example/1.jpg", "/photos/2.jpg"
CHANGES: list[tuple[str, Change, Values, Values]] = [
    (
        "a person",
        change_person,
        {
            "name": "Amina A.",
            "category": "Teaching",
            "photoUrl": PHOTOS[0],
            "externalRef": "A-1",
            "startsOn": "2026-01-01",
            "endsOn": "2026-12-31",
        },
        {
            "name": "Amina B.",
            "category": "Office",
            "photoUrl": PHOTOS[1],
            "externalRef": "A-2",
            "startsOn": "2025-01-01",
            "endsOn": "2027-12-31",
        },
    ),
    (
        "an account",
        change_account,
        {"displayName": "Wall", "role": "VIEWER", "isDisabled": False},
        {"displayName": "Door", "role": "MARKER", "isDisabled": True},
    ),
    ("a day", change_day(DAY), {"isWorkingDay": False, "label": "Fair"}, {"isWorkingDay": True, "label": "Open day"}),
    (
        "a day, by its old name",
        change_day(OPEN),
        {"isWorkingDay": False, "label": "A"},
        {"isWorkingDay": True, "label": "B"},
    ),
    (
        "a record",
        change_record,
        {"status": "LATE", "note": "Bus", "photoUrl": PHOTOS[0], **EARLY},
        {"status": "HALF_DAY", "note": "Ill", "photoUrl": PHOTOS[1], **LATER},
    ),
    (
        "an entry",
        change_entry,
        {"note": "Bus", "photoUrl": PHOTOS[0], **EARLY},
        {"note": "Ill", "photoUrl": PHOTOS[1], **LATER},
    ),
]


@pytest.mark.parametrize(("change", "before", "after"), [pytest.param(*each, id=what) for what, *each in CHANGES])
async def test_a_change_of_some_fields_keeps_the_others(
    installation: Installation, change: Change, before: Values, after: Values
) -> None:
    for number in range(len(after) + 1):
        for names in combinations(after, number):
            assert await change(installation, before) == before
            some = {name: after[name] for name in names}
            assert await change(installation, some) == before | some


async def test_an_import_keeps_what_a_row_leaves_out_or_has_null(installation: Installation) -> None:
    amina = installation.staff["Amina"]
    before = {**CHANGES[0][2], "name": "Amina"}
    await change_person(installation, before)
    later = {name: value for name, value in CHANGES[0][3].items() if name not in {"name", "externalRef"}}
    for name, value in later.items():
        for others in ({}, dict.fromkeys(later)):
            row = {"name": "Amina", "externalRef": "A-1", **others, name: value}
            answer = await installation.admin.ask(IMPORT, input={"rows": [row]})
            assert (answer["importStaff"]["created"], answer["importStaff"]["errors"]) == (0, [])
            assert (await installation.admin.ask(PERSON, id=amina))["node"] == before | {name: value}
        await change_person(installation, before)


async def test_null_clears_what_can_be_cleared(installation: Installation) -> None:
    for what, change, _, after in CHANGES:
        if what == "an account":
            continue  # has nothing to clear
        nulls = dict.fromkeys(name for name in after if name not in {"name", "startsOn", "status", "isWorkingDay"})
        await change(installation, after)
        cleared = await change(installation, nulls)
        expected = nulls | ({"category": "Staff"} if "category" in nulls else {})
        assert {name: cleared[name] for name in nulls} == expected, what


async def test_null_gives_a_day_back_to_the_organisations_week(installation: Installation) -> None:
    change = change_day(DAY)
    for date, expected in ((SUNDAY, False), (TODAY, True)):
        for value in (True, False):
            assert (await change(installation, {"date": date, "isWorkingDay": value}))["isWorkingDay"] is value
            assert (await change(installation, {"date": date, "isWorkingDay": None}))["isWorkingDay"] is expected


@pytest.mark.parametrize("field", ["displayName", "role", "isDisabled", "password"])
async def test_null_is_refused_where_an_account_has_nothing_to_clear(installation: Installation, field: str) -> None:
    before = await account(installation, Role.VIEWER)
    payload = (await installation.admin.ask(ACCOUNT, input={"id": before["id"], field: None}))["updateAccount"]
    message = f"{field} cannot be null. Leave it out to keep it as it is."
    assert payload == {"account": None, "errors": [{"code": "INVALID", "message": message, "path": [field]}]}
    assert await account(installation, Role.VIEWER) == before


async def test_describing_a_locked_day_does_not_unlock_it(installation: Installation) -> None:
    lock = 'mutation { setAttendanceDayState(input: {date: "2026-01-11", state: LOCKED}) { day { state } } }'
    await installation.admin.ask(lock)
    for document in (DAY, OPEN):
        [payload] = (await installation.admin.ask(document, input={"date": SUNDAY, "label": "Fair"})).values()
        assert payload == {"day": {"isWorkingDay": False, "label": "Fair", "state": "LOCKED"}, "errors": []}


async def test_an_entry_with_no_photos_url_is_refused_by_itself(installation: Installation) -> None:
    ids = [installation.staff[name] for name in ("Amina", "Björn")]
    entries = [
        {"staffId": ids[0], "status": "LATE", "photoUrl": "javascript:alert(1)"},
        {"staffId": ids[1], "status": "LATE", "photoUrl": PHOTOS[1]},
    ]
    given = {"date": TODAY, "change": {"entries": entries}, "errorPolicy": "SKIP_FAILED"}
    payload = (await installation.marker.ask(BULK, input=given))["bulkUpdateAttendance"]
    message = "A photo URL must start with https://, http:// or a single slash."
    assert payload == {
        "attendances": [{"status": "LATE", "note": None, "photoUrl": PHOTOS[1]}],
        "errors": [{"code": "INVALID", "message": message, "path": ["entries", "0", "photoUrl"]}],
    }


async def test_a_url_that_is_no_string_is_refused_before_anything_is_done(installation: Installation) -> None:
    for value in (5, True, ["https://photos.example/1.jpg"], {"url": "/1.jpg"}):
        target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
        code, message = await installation.marker.fail(MARK, input={"target": target, "photoUrl": value})
        assert code == "BAD_REQUEST"
        assert message.endswith("A URL must be a string, such as https://photos.example.org/amina.jpg.")
