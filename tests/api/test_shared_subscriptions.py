"""Equal subscriptions are rendered once, whoever reads them; those that are not equal never share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from datetime import date
from typing import Any
from weakref import WeakSet

import pytest

from memberstaff.access import Caller, Role
from memberstaff.accounts.admissions import Revocable
from memberstaff.accounts.tokens import Claims
from tests.clock import TODAY
from tests.databases import Engine
from tests.front_ends import WATCH, Socket
from tests.installation import Installation
from tests.statements import statements
from tests.waiting import until


async def watch(installation: Installation, board: Socket, document: str = WATCH, **variables: Any) -> None:
    async with installation.one_more_follower(TODAY):
        await board.subscribe("1", document, date=TODAY, **variables)


@pytest.fixture
def engine() -> Engine:
    """What is executed and rendered how often, whatever it was read from."""
    return "sqlite"


async def test_an_event_is_executed_once_however_many_boards_see_it(
    installation: Installation, event_executions: Counter[str]
) -> None:
    async with installation.socket() as one, installation.socket() as two, installation.socket() as three:
        for board in (one, two, three):
            await watch(installation, board)
        for status in ("LATE", "PRESENT", "ABSENT"):
            await installation.marker.mark(installation.staff["Amina"], TODAY, status=status)
            assert {(await board.change())["status"] for board in (one, two, three)} == {status}
    assert event_executions == {"Watch": 3}
    await until(lambda: len(installation.application.groups) == 0)


async def test_several_operations_of_one_socket_share_too(
    installation: Installation, event_executions: Counter[str]
) -> None:
    async with installation.socket() as board:
        for operation in ("1", 'a "b" é'):
            async with installation.one_more_follower(TODAY):
                await board.subscribe(operation, WATCH, date=TODAY)
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
        seen = [await board.receive(), await board.receive()]
    assert sorted(message["id"] for message in seen) == ["1", 'a "b" é']
    assert event_executions == {"Watch": 1}


async def test_two_roles_never_share(installation: Installation, event_executions: Counter[str]) -> None:
    async with installation.socket(Role.VIEWER) as wall, installation.socket(Role.MARKER) as desk:
        await watch(installation, wall)
        await watch(installation, desk)
        assert len(installation.application.groups) == 2
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE", note="Migraine")
        assert (await wall.change())["note"] is None
        assert (await desk.change())["note"] == "Migraine"
    assert event_executions == {"Watch": 2}


async def test_other_variables_are_another_group(installation: Installation) -> None:
    async with installation.socket() as all_of_them, installation.socket() as kitchen:
        await watch(installation, all_of_them)
        await watch(installation, kitchen, scope={"categories": ["Kitchen"]})
        assert len(installation.application.groups) == 2
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
        await installation.marker.mark(installation.staff["Björn"], TODAY, status="LATE")
        assert [(await all_of_them.change())["staffName"] for _ in range(2)] == ["Amina", "Björn"]
        assert (await kitchen.change())["staffName"] == "Björn"


async def cursors(installation: Installation) -> list[str]:
    """After each of four marks."""
    found = []
    for staff_id in installation.staff.values():
        payload = await installation.marker.mark(staff_id, TODAY, status="LATE")
        found.append(payload["attendance"]["feedCursor"])
    return found


async def test_boards_that_resume_from_different_cursors_share(
    installation: Installation, event_executions: Counter[str]
) -> None:
    places = await cursors(installation)
    async with installation.socket() as ahead, installation.socket() as behind:
        await watch(installation, ahead, after=places[2])
        assert (await ahead.change())["staffName"] == "Дмитрий"
        await watch(installation, behind, after=places[0])
        assert [(await behind.change())["staffName"] for _ in range(3)] == ["Björn", "Chloé", "Дмитрий"]
        assert len(installation.application.groups) == 1
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="ABSENT")
        assert (await ahead.change())["status"] == (await behind.change())["status"] == "ABSENT"
    assert event_executions == {"Watch": 4}  # the fourth and fifth once; the second and third were nobody else's


async def test_boards_that_come_back_together_read_the_log_once(installation: Installation) -> None:
    before = (await installation.viewer.ask("{ attendanceDay { records { feedCursor } } }"))["attendanceDay"]
    await cursors(installation)
    async with AsyncExitStack() as stack:
        sent = stack.enter_context(statements(installation.application.database))
        boards = [await stack.enter_async_context(installation.socket()) for _ in range(20)]
        for board in boards:
            await board.subscribe("1", WATCH, date=TODAY, after=before["records"]["feedCursor"])
        for board in boards:
            assert [(await board.change())["staffName"] for _ in range(4)] == list(installation.staff)
    assert len([statement for statement in sent if "FROM attendance_revision" in statement]) == 1


async def test_a_cursor_that_is_used_twice_stays_in_the_key(installation: Installation) -> None:
    document = """subscription Twice($date: Date!, $after: String) {
      attendanceUpdated(date: $date, after: $after) {
        staffName day { records(first: 1, after: $after) { totalCount } } } }"""
    places = await cursors(installation)
    async with installation.socket() as one, installation.socket() as two:
        for board, after in ((one, places[0]), (two, places[1])):
            await watch(installation, board, document, after=after)
        assert len(installation.application.groups) == 2


async def test_a_socket_an_event_stream_and_a_multipart_answer_share_one_rendering(
    installation: Installation, event_executions: Counter[str]
) -> None:
    async with (
        installation.socket() as socket,
        installation.stream(WATCH, "text/event-stream", date=TODAY) as events,
        installation.stream(WATCH, "multipart/mixed;subscriptionSpec=1.0", date=TODAY) as parts,
    ):
        await watch(installation, socket)
        await until(lambda: installation.application.feed.followers(date.fromisoformat(TODAY)) == 3)
        for status in ("LATE", "PRESENT"):
            await installation.marker.mark(installation.staff["Amina"], TODAY, status=status)
            seen = [await socket.change(), await events.change(), await parts.change()]
            assert [change["status"] for change in seen] == [status] * 3
    assert event_executions == {"Watch": 2}
    await until(lambda: len(installation.application.groups) == 0)


async def test_a_slow_event_stream_is_fed_from_the_log_and_holds_up_nobody(installation: Installation) -> None:
    document = "subscription ($date: Date!) { attendanceUpdated(date: $date) { version note } }"
    note = "x" * 2_000
    async with (
        installation.stream(document, "text/event-stream", date=TODAY) as slow,
        installation.stream(document, "text/event-stream", date=TODAY) as quick,
    ):
        await until(lambda: installation.application.feed.followers(date.fromisoformat(TODAY)) == 2)
        for number in range(1, 151):  # 300 KB, more than the buffers on its way hold
            await installation.marker.mark(installation.staff["Amina"], TODAY, note=f"{number} {note}"[:2_000])
            assert (await quick.change())["version"] == number
        assert [(await slow.change())["version"] for _ in range(150)] == list(range(1, 151))


async def test_the_days_state_is_rendered_once_too(installation: Installation, event_executions: Counter[str]) -> None:
    document = "subscription State($date: Date!) { attendanceDayUpdated(date: $date) { summary { late } } }"
    async with installation.socket() as one, installation.socket() as two:
        for board in (one, two):
            await watch(installation, board, document)
            assert (await board.event())["attendanceDayUpdated"]["summary"] == {"late": 0}
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
        for board in (one, two):
            assert (await board.event())["attendanceDayUpdated"]["summary"] == {"late": 1}
    assert event_executions == {"State": 2}


async def test_a_renamed_person_has_the_new_name_in_changes_that_are_rendered_again(
    installation: Installation,
) -> None:
    places = await cursors(installation)
    rename = "mutation ($input: UpdateStaffInput!) { updateStaff(input: $input) { errors { message } } }"
    async with installation.socket() as one, installation.socket() as two:
        await watch(installation, one, after=places[2])
        assert (await one.change())["staffName"] == "Дмитрий"
        await installation.admin.ask(rename, input={"id": installation.staff["Дмитрий"], "name": "Dmitri"})
        async with installation.application.feed.watch(date.fromisoformat(TODAY)) as watched:
            await until(lambda: watched.roster_version == 5)
        await watch(installation, two, after=places[2])
        assert (await two.change())["staffName"] == "Dmitri"


async def test_a_socket_that_has_ended_receives_nothing_any_more(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher, sockets = installation.application.access_watcher, WeakSet[Revocable]()
    admit = watcher.admit

    def noting(socket: Revocable, claims: Claims) -> Awaitable[Caller]:
        sockets.add(socket)
        return admit(socket, claims)

    monkeypatch.setattr(watcher, "admit", noting)
    async with installation.socket() as board:
        await watch(installation, board)
        [socket] = sockets
        assert installation.application.groups.members == 1
        socket.end(4401, "Gone")
        assert installation.application.groups.members == 0  # at once: before anything else could be written
