"""The Python client, and servers that are away, restart, or refuse it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from memberstaff_client import Attendance, RateLimited, Record, RequestRefused, SessionEnded, Unavailable, transport
from tests.clients.odd_server import BOARD, answer, change, client_of, event, refused, stream
from tests.infrastructure.process import free_port
from tests.waiting import until


async def versions(changes: AsyncGenerator[Record], count: int) -> list[int]:
    """Those of the next changes, after which the loop is left."""
    async with aclosing(changes):
        return [(await anext(changes)).version for _ in range(count)]


async def test_a_server_that_is_not_there_has_applied_nothing() -> None:
    async with Attendance(f"http://127.0.0.1:{free_port()}", email="a@b.example", password="secret") as attendance:
        with pytest.raises(Unavailable, match=r"^The connection failed: ") as unavailable:
            await attendance.execute("{ viewer { id } }")
    assert (unavailable.value.applied, unavailable.value.retry_after) == (False, None)


@pytest.mark.parametrize(
    ("given", "applied", "retry_after", "message"),
    [
        (b"", None, None, "The connection failed: "),
        (answer("<html>", "502 Bad Gateway", media="text/html"), None, None, "The answer has the status 502 "),
        (answer("", "503 x", headers="Retry-After: 7\r\n"), None, 7, "The answer has the status 503 and "),
        (answer(refused("UNAVAILABLE", applied=None, retryAfter=2)), None, 2, "No."),
        (answer(refused("UNAVAILABLE", applied=False)), False, None, "No."),
        (answer(refused("UNAVAILABLE", {"b": {"attendance": None}})), True, None, "No."),
    ],
    ids=["cut off", "a proxy", "a proxy that knows when", "unknown", "not stored", "stored"],
)
async def test_what_became_of_a_mutation_is_told(
    given: bytes, applied: bool | None, retry_after: float | None, message: str
) -> None:
    async with client_of(given) as (attendance, server):
        with pytest.raises(Unavailable, match=f"^{message}") as unavailable:
            await attendance.execute("mutation { b }")
    assert (unavailable.value.applied, unavailable.value.retry_after, len(server.asked)) == (applied, retry_after, 1)


async def test_an_answer_of_somebody_else_is_no_answer() -> None:
    given = [answer({"errors": "none"}), answer([]), answer("{}", "404 Not Found"), answer("", "307 x"), answer("null")]
    async with client_of(*given, answer("", "429 x", headers="Retry-After: 9\r\n")) as (attendance, _):
        for status in (200, 200, 404, 307, 200):
            with pytest.raises(RequestRefused, match=rf"^The answer has the status {status} and is not mem.* right\?$"):
                await attendance.execute("{ viewer { id } }")
        with pytest.raises(RateLimited) as limited:
            await attendance.execute("{ viewer { id } }")
        assert limited.value.retry_after == 9


async def test_what_was_done_is_not_done_again_because_another_field_was_refused() -> None:
    data = {"a": {"attendance": {"status": "LATE"}}, "b": None}
    async with client_of(answer(refused("UNAUTHENTICATED", data))) as (attendance, server):
        with pytest.raises(RequestRefused) as refusal:
            await attendance.execute("mutation { a b }")
        assert (refusal.value.data, refusal.value.code, len(server.asked)) == (data, "UNAUTHENTICATED", 1)


async def test_a_fresh_token_that_is_refused_too_ends_what_is_followed() -> None:
    no = answer(refused("UNAUTHENTICATED"), "401 Unauthorized")
    async with client_of(BOARD, no, no) as (attendance, _):
        with pytest.raises(SessionEnded, match=r"^No\.$"):
            await anext(attendance.day().changes())


async def test_tokens_that_expire_one_after_the_other_while_nothing_happens_end_nothing() -> None:
    over = stream(event(refused("UNAUTHENTICATED")))
    async with client_of(BOARD, over, over, over, stream(change(1))) as (attendance, server):
        assert await versions(attendance.day().changes(), 1) == [1]
    assert [each.last_event_id for each in server.asked] == [None, "0", "0", "0", "0"]


async def test_a_token_that_was_renewed_before_an_outage_and_expires_in_it_ends_nothing() -> None:
    no = answer(refused("UNAUTHENTICATED"), "401 Unauthorized")
    away = answer("", "502 Bad Gateway")
    async with client_of(BOARD, no, away, no, stream(change(1))) as (attendance, _):
        assert await versions(attendance.day().changes(), 1) == [1]


async def test_a_stream_that_is_refused_breaks_or_falls_silent_is_begun_anew_after_the_last_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "SILENCE_SECONDS", 0.2)
    away = answer(refused("UNAVAILABLE", retryAfter=0), "503 x")
    async with client_of(BOARD, away, stream(change(1)), None, b"", stream(change(2))) as (attendance, server):
        assert await versions(attendance.day().changes(), 2) == [1, 2]
    assert [each.last_event_id for each in server.asked] == [None, "0", "0", "1", "1", "1"]


async def test_what_a_proxy_answers_while_the_server_is_away_ends_nothing_that_is_followed() -> None:
    away = [
        answer("404 page not found", "404 Not Found", media="text/plain"),
        answer("<html>Sign in</html>", media="text/html"),
        answer("", "302 Found", headers="Location: /maintenance\r\n"),
    ]
    async with client_of(BOARD, *away, stream(change(1))) as (attendance, server):
        assert await versions(attendance.day().changes(), 1) == [1]
    assert len(server.asked) == 5


async def test_closing_a_client_ends_the_loops_over_its_days() -> None:
    async with client_of(BOARD, None) as (attendance, server):

        async def follow() -> list[Record]:
            return [record async for record in attendance.day().changes()]

        following = asyncio.ensure_future(follow())
        await until(lambda: bool(server.silent))
        await attendance.close()
        assert await following == []
        with pytest.raises(Unavailable, match=r"^This client was closed\.$"):
            await attendance.execute("{ viewer { id } }")


async def test_a_stream_that_is_refused_for_now_is_asked_for_when_the_server_says() -> None:
    busy = answer(refused("RATE_LIMITED", retryAfter=7), "429 Too Many Requests", headers="Retry-After: 7\r\n")
    async with client_of(BOARD, busy, stream(change(1))) as (attendance, server):
        assert await versions(attendance.day().changes(), 1) == [1]
    [wait] = server.waits
    assert 7 < wait < 8
