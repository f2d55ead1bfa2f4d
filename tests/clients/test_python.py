"""The Python client: each change once and in order, whatever breaks, and errors that say what to do."""

from __future__ import annotations

import asyncio
import datetime as dt
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from memberstaff.access import Role
from memberstaff.db.installation import new_epoch
from memberstaff_client import (
    Attendance,
    LoginRefused,
    RateLimited,
    Record,
    RequestRefused,
    SessionEnded,
    TokenFile,
    VersionConflict,
    sync,
)
from tests.clients.follower import following
from tests.clock import MONDAY, TODAY, TurnedClock
from tests.installation import PASSWORD, Installation, email, install, renew_tokens
from tests.waiting import WAIT_SECONDS

VIEWER = "query { viewer { displayName } }"
ALL_SESSIONS = "mutation ($input: UpdateAccountInput!) { updateAccount(input: $input) { errors { message } } }"
ACCOUNTS = "query ($search: String) { accounts(search: $search) { edges { node { id } } } }"


def desk(installation: Installation, role: Role = Role.MARKER) -> Attendance:
    """A client with this role."""
    return Attendance(installation.address.http, email=email(role), password=PASSWORD)


async def disable(installation: Installation, role: Role) -> None:
    """End all sessions of this role's account, for good."""
    found = await installation.admin.ask(ACCOUNTS, search=email(role))
    [account] = found["accounts"]["edges"]
    await installation.admin.ask(ALL_SESSIONS, input={"id": account["node"]["id"], "isDisabled": True})


async def restore(installation: Installation) -> None:
    """What is done after a backup was restored."""
    async with installation.application.database.write() as work:
        await new_epoch(work)


async def test_a_mark_is_answered_and_heard_as_the_same_record(installation: Installation) -> None:
    async with asyncio.timeout(WAIT_SECONDS), desk(installation) as attendance:
        day = attendance.day()
        board = await day.board()
        assert (board.date, board.state, board.is_working_day, board.label) == (MONDAY, "OPEN", True, None)
        assert [(record.name, record.status, record.version) for record in board.records] == [
            (name, "UNMARKED", 0) for name in ("Amina", "Björn", "Chloé", "Дмитрий")
        ]
        note = "a line separator \u2028, a next line \x85, and the end"
        marked = await attendance.mark(board.records[0].staff_id, board.date, "LATE", note=note)
        assert marked == Record(
            id=board.records[0].id,
            staff_id=installation.staff["Amina"],
            name="Amina",
            category="Teaching",
            staff_photo_url=None,
            date=MONDAY,
            status="LATE",
            note=note,
            photo_url=None,
            reason=None,
            arrived_at=dt.datetime(2026, 1, 12, 8, 0, tzinfo=dt.UTC),
            left_at=None,
            is_on_site=True,
            version=1,
            sequence=marked.sequence,
            updated_at=dt.datetime(2026, 1, 12, 8, 0, tzinfo=dt.UTC),
            updated_by="Marker",
        )
        assert marked.sequence > board.records[0].sequence
        assert await anext(day.changes()) == marked
        kept = await attendance.mark(marked.staff_id, TODAY, "PRESENT", expected_version=1)
        assert kept.note == note
        left_at = dt.datetime(2026, 1, 12, 9, 30, tzinfo=dt.UTC)
        left = await attendance.mark(marked.staff_id, TODAY, left_at=left_at)
        assert (left.arrived_at, left.left_at, left.is_on_site) == (kept.arrived_at, left_at, False)
        assert (await attendance.mark(marked.staff_id, TODAY, left_at=None)).is_on_site
        assert (await attendance.mark(marked.staff_id, TODAY, note=None)).status == "PRESENT"


async def test_expired_tokens_are_renewed_for_requests_and_while_a_day_is_followed(
    installation: Installation, clock: TurnedClock
) -> None:
    lifetime = installation.application.settings.access_token_seconds
    async with following(installation.address.http, TODAY) as python:
        for name in ("Amina", "Björn"):
            clock.turn(seconds=lifetime + 1)
            await renew_tokens(installation)
            await installation.marker.mark(installation.staff[name], TODAY, status="LATE")
            await python.hear(f"{name} LATE")
        clock.turn(seconds=lifetime + 1)
        await python.attendance.mark(installation.staff["Chloé"], TODAY, "ABSENT")
        await python.hear("Chloé ABSENT")
        assert python.seen == ["Amina LATE", "Björn LATE", "Chloé ABSENT"]


async def test_changes_go_on_after_the_last_one_that_was_given_and_begin_at_the_board(
    installation: Installation,
) -> None:
    staff = installation.staff
    async with asyncio.timeout(WAIT_SECONDS), desk(installation) as attendance:
        day = attendance.day(MONDAY)
        await attendance.mark(staff["Amina"], TODAY, "LATE")
        await day.board()
        for status in ("PRESENT", "ABSENT", "REMOTE"):
            await attendance.mark(staff["Björn"], TODAY, status)
        seen = []
        for _ in range(3):
            async with aclosing(day.changes()) as changes:
                seen.append((await anext(changes)).status)
        assert seen == ["PRESENT", "ABSENT", "REMOTE"]


async def test_a_board_that_is_read_meanwhile_takes_nothing_from_a_loop_over_changes(
    installation: Installation,
) -> None:
    staff = installation.staff
    async with asyncio.timeout(WAIT_SECONDS), desk(installation) as attendance:
        day = attendance.day(MONDAY)
        await day.board()
        for name in ("Amina", "Björn", "Chloé"):
            await attendance.mark(staff[name], TODAY, "LATE")
        async with aclosing(day.changes()) as changes:
            assert (await anext(changes)).name == "Amina"
            assert [record.status for record in (await day.board()).records] == ["LATE", "LATE", "LATE", "UNMARKED"]
            assert [(await anext(changes)).name for _ in range(2)] == ["Björn", "Chloé"]


async def test_after_a_restored_backup_what_differs_is_a_change_and_what_does_not_is_none(
    installation: Installation,
) -> None:
    staff = installation.staff
    async with asyncio.timeout(WAIT_SECONDS), desk(installation) as attendance:
        await attendance.mark(staff["Chloé"], TODAY, "PRESENT")
        day = attendance.day(TODAY)
        await day.board()
        await attendance.mark(staff["Amina"], TODAY, "LATE")
        assert (await anext(day.changes())).name == "Amina"
        await restore(installation)
        for status in ("PRESENT", "ABSENT"):
            await attendance.mark(staff["Björn"], TODAY, status)
        await attendance.mark(staff["Дмитрий"], TODAY, "ON_LEAVE")
        async with aclosing(day.changes()) as changes:  # given out one by one, also over several loops
            first = await anext(changes)
        assert (first.name, first.status, first.version) == ("Björn", "ABSENT", 2)
        async with aclosing(day.changes()) as changes:
            assert (await anext(changes)).name == "Дмитрий"
            await attendance.mark(staff["Chloé"], TODAY, "LATE")
            assert (await anext(changes)).name == "Chloé"


async def test_a_new_epoch_while_a_day_is_followed_repeats_and_loses_nothing(installation: Installation) -> None:
    async with following(installation.address.http, TODAY) as python:
        await python.attendance.mark(installation.staff["Amina"], TODAY, "LATE")
        await python.hear("Amina LATE")
        await restore(installation)
        await python.attendance.mark(installation.staff["Björn"], TODAY, "LATE")
        await python.hear("Björn LATE")
        await python.attendance.mark(installation.staff["Amina"], TODAY, "PRESENT")
        await python.hear("Amina PRESENT")
        assert python.seen == ["Amina LATE", "Björn LATE", "Amina PRESENT"]


async def test_a_live_board_is_given_anew_after_each_change_of_records_roster_and_day(
    installation: Installation,
) -> None:
    async with (
        asyncio.timeout(WAIT_SECONDS),
        desk(installation, Role.ADMIN) as attendance,
        aclosing(attendance.day().live()) as boards,
    ):
        first = await anext(boards)
        assert {record.status for record in first.records} == {"UNMARKED"}
        await attendance.mark(first.records[0].staff_id, TODAY, note="only a note")
        noted = await anext(boards)
        assert [record.note for record in noted.records] == ["only a note", None, None, None]
        await attendance.execute(
            "mutation ($input: CreateStaffInput!) { createStaff(input: $input) { errors { message } } }",
            input={"name": "Emil", "startsOn": MONDAY},
        )
        assert [record.name for record in (await anext(boards)).records][-2:] == ["Emil", "Дмитрий"]
        await attendance.execute(
            "mutation ($i: SetAttendanceDayStateInput!) { setAttendanceDayState(input: $i) { errors { message } } }",
            i={"date": MONDAY, "state": "LOCKED"},
        )
        assert (await anext(boards)).state == "LOCKED"
        await restore(installation)
        restored = await anext(boards)
        assert len(restored.records) == 5
        assert restored.sequence > noted.sequence > first.sequence


async def test_what_is_refused_says_why(installation: Installation) -> None:
    amina = installation.staff["Amina"]
    async with desk(installation) as attendance:
        marked = await attendance.mark(amina, TODAY, "LATE")
        with pytest.raises(VersionConflict) as conflict:
            await attendance.mark(amina, TODAY, "ABSENT", expected_version=0)
        assert (conflict.value.code, conflict.value.current) == ("VERSION_CONFLICT", marked)
        with pytest.raises(RequestRefused) as refused:
            await attendance.mark(amina, TODAY, "ABSENT", note="x" * 2_001)
        assert (refused.value.code, refused.value.path) == ("INVALID", ("note",))
        with pytest.raises(RequestRefused) as refused:
            await attendance.execute("{ nonsense }")
        assert refused.value.code == "BAD_REQUEST"
        [unchanged, *_] = (await attendance.day().board()).records
        assert unchanged == replace(marked, sequence=unchanged.sequence)
    async with desk(installation, Role.VIEWER) as wall:
        with pytest.raises(RequestRefused) as refused:
            await wall.mark(amina, TODAY, "ABSENT")
        assert (refused.value.code, refused.value.path) == ("FORBIDDEN", ("updateAttendance",))
        day = wall.day(TODAY)
        assert [record.note for record in (await day.board()).records] == [None] * 4


async def test_a_wrong_password_and_too_many_of_them_are_told(furnished_url: str, clock: TurnedClock) -> None:
    async with install(furnished_url, clock=clock, logins_per_minute=2) as installation:
        for _ in range(2):
            async with Attendance(installation.address.http, email=email(Role.VIEWER), password="wrong") as attendance:
                with pytest.raises(LoginRefused, match=r"^The email or the password is wrong\.$"):
                    await attendance.day().board()
        async with desk(installation, Role.VIEWER) as attendance:
            with pytest.raises(RateLimited) as limited:
                await attendance.day().board()
            assert limited.value.retry_after is not None
            assert 1 <= limited.value.retry_after <= 60


async def test_a_stored_session_is_gone_on_with_until_it_has_ended(
    installation: Installation, clock: TurnedClock, tmp_path: Path
) -> None:
    storage, address = TokenFile(tmp_path / "session"), installation.address.http
    async with Attendance(address, storage=storage) as attendance:
        with pytest.raises(SessionEnded, match=r"^Nobody is logged in: the storage has no refresh token\.$"):
            await attendance.execute(VIEWER)
    async with Attendance(address, email=email(Role.MARKER), password=PASSWORD, storage=storage) as attendance:
        await attendance.execute(VIEWER)
    assert oct(storage.path.stat().st_mode & 0o777) == "0o600"
    first = storage.load()
    async with Attendance(address, storage=storage) as attendance:  # the next start, without a password
        assert await attendance.execute(VIEWER) == {"viewer": {"displayName": "Marker"}}
        assert storage.load() not in {None, first}
        day = attendance.day()
        await day.board()
        changes = asyncio.ensure_future(anext(day.changes()))
        await disable(installation, Role.MARKER)
        with pytest.raises(SessionEnded):
            async with asyncio.timeout(WAIT_SECONDS):
                await changes
        with pytest.raises(SessionEnded):
            await attendance.execute(VIEWER)


async def test_a_password_logs_in_again_when_the_session_has_ended(
    installation: Installation, clock: TurnedClock
) -> None:
    async with desk(installation) as attendance:
        await attendance.execute("mutation { logout { errors { message } } }")
        assert await attendance.execute(VIEWER) == {"viewer": {"displayName": "Marker"}}
        await disable(installation, Role.MARKER)
        with pytest.raises(LoginRefused):
            await attendance.execute(VIEWER)


async def test_tokens_can_come_from_elsewhere(installation: Installation, clock: TurnedClock) -> None:
    asked: list[str] = []

    async def token() -> str:
        asked.append(installation.tokens[Role.MARKER])
        return asked[-1]

    async with Attendance(installation.address.http, token=token) as attendance:
        for _ in range(2):
            assert await attendance.execute(VIEWER) == {"viewer": {"displayName": "Marker"}}
        assert len(asked) == 1
        clock.turn(seconds=installation.application.settings.access_token_seconds + 1)
        with pytest.raises(SessionEnded):
            await attendance.execute(VIEWER)
        assert asked == [asked[0]] * 2
        await renew_tokens(installation)
        assert await attendance.execute(VIEWER) == {"viewer": {"displayName": "Marker"}}


async def test_without_an_event_loop_everything_is_the_same(installation: Installation, tmp_path: Path) -> None:
    def play() -> list[str]:
        storage = TokenFile(tmp_path / "session")
        with sync.Attendance(
            installation.address.http, email=email(Role.MARKER), password=PASSWORD, storage=storage
        ) as attendance:
            day = attendance.day()
            assert day.date is None
            amina, björn, *_ = day.board().records
            assert day.date == MONDAY
            for status in ("LATE", "PRESENT"):
                attendance.mark(amina.staff_id, MONDAY, status)
            seen = []
            for change in day.changes():
                seen.append(f"{change.name} {change.status}")
                if len(seen) == 2:
                    break
            boards = day.live()
            next(boards)
            attendance.mark(björn.staff_id, MONDAY, "ABSENT")
            seen += [record.status for record in next(boards).records]
            with pytest.raises(VersionConflict):
                attendance.mark(amina.staff_id, MONDAY, "ABSENT", expected_version=1)
            boards.close()
        with sync.Attendance(installation.address.http, token=lambda: installation.tokens[Role.MARKER]) as attendance:
            seen.append(attendance.execute(VIEWER)["viewer"]["displayName"])
        return seen

    async with asyncio.timeout(WAIT_SECONDS):
        assert await asyncio.to_thread(play) == [
            "Amina LATE",
            "Amina PRESENT",
            *("PRESENT", "ABSENT", "UNMARKED", "UNMARKED"),
            "Marker",
        ]
