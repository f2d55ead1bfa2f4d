"""The Python client's sessions end: with a logout, and with a program that keeps them nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from memberstaff.access import Role
from memberstaff.db.tables import audit
from memberstaff_client import (
    Attendance,
    RequestRefused,
    SessionEnded,
    Storage,
    TokenFile,
    Unavailable,
    connection,
    sync,
)
from tests.clients.odd_server import BOARD, STREAM, answer, odd_server, refused
from tests.clock import TODAY, TurnedClock
from tests.installation import PASSWORD, Installation, email
from tests.waiting import WAIT_SECONDS, until

VIEWER = "query { viewer { displayName } }"
LOGGED_OUT = r"^You have logged out\.$"
LOGIN = answer({"data": {"session": {"accessToken": "a", "refreshToken": "newest", "errors": []}}})
OUT = answer({"data": {"logout": {"errors": []}}})


async def count(installation: Installation, action: str) -> int:
    """How often this has happened."""
    async with installation.application.database.read() as reading:
        return int(await reading.scalar(select(func.count()).where(audit.c.action == action)))


async def play(address: str, storage: Storage | None = None, timeout: float = 30) -> None:
    """Log in, ask for something, and leave."""
    who = email(Role.MARKER)
    async with Attendance(address, email=who, password=PASSWORD, storage=storage, timeout=timeout) as attendance:
        await attendance.execute(VIEWER)


async def play_in_a_thread(address: str, storage: Storage | None = None, timeout: float = 30) -> None:
    """The same without an event loop."""

    def playing() -> None:
        who = email(Role.MARKER)
        with sync.Attendance(address, email=who, password=PASSWORD, storage=storage, timeout=timeout) as attendance:
            attendance.execute(VIEWER)

    await asyncio.to_thread(playing)


both = pytest.mark.parametrize("run", [play, play_in_a_thread], ids=["with an event loop", "without one"])


@both
async def test_a_session_that_is_stored_nowhere_ends_with_its_program_and_another_does_not(
    installation: Installation, tmp_path: Path, run: Callable[..., Awaitable[None]]
) -> None:
    before, storage = await count(installation, "login"), TokenFile(tmp_path / "session")
    for _ in range(3):
        await run(installation.address.http)
    assert (await count(installation, "login") - before, await count(installation, "logout")) == (3, 3)
    for _ in range(2):
        await run(installation.address.http, storage)
    assert (await count(installation, "login") - before, await count(installation, "logout")) == (4, 3)


async def test_a_session_whose_token_has_expired_ends_with_its_program_too(
    installation: Installation, clock: TurnedClock
) -> None:
    async with Attendance(installation.address.http, email=email(Role.MARKER), password=PASSWORD) as attendance:
        await attendance.execute(VIEWER)
        clock.turn(seconds=installation.application.settings.access_token_seconds + 1)
    assert await count(installation, "logout") == 1


async def test_a_program_that_is_closed_ends_its_loops_quietly_and_its_session(installation: Installation) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        attendance = Attendance(installation.address.http, email=email(Role.MARKER), password=PASSWORD)
        day = attendance.day(TODAY)
        await day.board()
        await attendance.mark(installation.staff["Amina"], TODAY, "LATE")
        heard: list[str] = []

        async def follow() -> None:
            async for change in day.changes():
                heard.append(change.name)

        following = asyncio.ensure_future(follow())
        await until(lambda: heard == ["Amina"])
        await attendance.close()
        await following
        with pytest.raises(Unavailable, match=r"^This client was closed\.$"):
            await attendance.execute(VIEWER)
        assert await count(installation, "logout") == 1


async def test_a_logout_ends_the_session_on_the_server_in_the_storage_and_in_loops(
    installation: Installation, tmp_path: Path
) -> None:
    storage, address = TokenFile(tmp_path / "session"), installation.address.http
    async with (
        asyncio.timeout(WAIT_SECONDS),
        Attendance(address, email=email(Role.MARKER), password=PASSWORD, storage=storage) as attendance,
    ):
        day = attendance.day(TODAY)
        await day.board()
        stored = storage.path.read_text()
        changes = asyncio.ensure_future(anext(day.changes()))
        await attendance.logout()
        assert not storage.path.exists()
        with pytest.raises(SessionEnded, match=LOGGED_OUT):
            await changes
        with pytest.raises(SessionEnded, match=LOGGED_OUT):
            await attendance.execute(VIEWER)
        await attendance.logout()
    storage.save(stored)
    async with Attendance(address, storage=storage) as attendance:
        with pytest.raises(SessionEnded):
            await attendance.execute(VIEWER)
        await attendance.logout()
    assert await count(installation, "logout") == 1


async def test_a_stored_session_can_be_ended_without_an_event_loop_and_before_anything_else(
    installation: Installation, tmp_path: Path
) -> None:
    storage = TokenFile(tmp_path / "session")
    await play(installation.address.http, storage)

    def logout() -> None:
        with sync.Attendance(installation.address.http, storage=storage) as attendance:
            attendance.logout()
            with pytest.raises(SessionEnded, match=LOGGED_OUT):
                attendance.day().board()

    await asyncio.to_thread(logout)
    assert storage.load() is None
    assert await count(installation, "logout") == 1


@pytest.mark.parametrize(
    "given",
    [
        b"",
        answer("<html>", "502 Bad Gateway", media="text/html"),
        answer("<html>", "404 Not Found", media="text/html"),
        *(answer(refused(code)) for code in ("INTERNAL", "RATE_LIMITED", "UNAVAILABLE", "FORBIDDEN", "BAD_REQUEST")),
        answer({"data": {}}),
        answer({"data": {"logout": None}}),
        answer({"data": {"logout": {"errors": [{"code": "LATER", "message": "No."}]}}}),
    ],
)
async def test_a_logout_that_is_not_answered_as_one_is_raised_and_keeps_the_session(
    given: bytes, tmp_path: Path
) -> None:
    storage = TokenFile(tmp_path / "session")
    storage.save("first")
    async with odd_server(LOGIN, given, OUT) as server, Attendance(server.address, storage=storage) as attendance:
        with pytest.raises(RequestRefused):
            await attendance.logout()
        assert storage.load() == "newest"
        await attendance.logout()
        assert storage.load() is None


async def test_a_logout_whose_tokens_are_all_refused_is_raised_and_keeps_the_session(tmp_path: Path) -> None:
    storage, no = TokenFile(tmp_path / "session"), answer(refused("UNAUTHENTICATED"), "401 Unauthorized")
    storage.save("first")
    async with (
        odd_server(LOGIN, BOARD, no, LOGIN, no) as server,
        Attendance(server.address, storage=storage) as attendance,
    ):
        await attendance.day().board()
        with pytest.raises(SessionEnded, match=r"^The server takes no token of this session\.$"):
            await attendance.logout()
        assert storage.load() == "newest"


@pytest.mark.parametrize(
    "given",
    [
        b"",
        None,
        STREAM.replace(b"text/event-stream", b"application/json") + b"{",
        answer(refused("INTERNAL")),
        answer({"data": {"logout": None}}),
    ],
    ids=["cut off", "nothing", "half of it", "refused", "odd"],
)
@both
async def test_leaving_raises_nothing_and_waits_for_a_moment_whatever_the_server_does(
    run: Callable[..., Awaitable[None]], given: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MOMENT_SECONDS", 0.2)
    async with asyncio.timeout(WAIT_SECONDS), odd_server(LOGIN, BOARD, given) as server:
        await run(server.address, timeout=10 * WAIT_SECONDS)
    assert [each.headers.get("authorization") for each in server.asked] == [None, "Bearer a", "Bearer a"]


async def test_leaving_what_never_logged_in_sends_nothing() -> None:
    async with odd_server() as server:
        async with Attendance(server.address, email="a@b.example", password="secret"):
            pass
        with sync.Attendance(server.address, email="a@b.example", password="secret"):
            pass
    assert server.asked == []
