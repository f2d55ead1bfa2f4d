"""The Python client, and servers that answer oddly or not at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from memberstaff_client import Attendance, RateLimited, RequestRefused, SessionEnded, Unavailable, transport
from tests.infrastructure.process import free_port
from tests.waiting import WAIT_SECONDS

NODE = {
    "id": "record",
    "staffId": "staff",
    "staffName": "Amina",
    "staffCategory": "Teaching",
    "staffPhotoUrl": None,
    "date": "2026-01-12",
    "status": "LATE",
    "note": None,
    "photoUrl": None,
    "version": 1,
    "sequence": "1",
    "updatedAt": "2026-01-12T08:00:00.000Z",
    "updatedBy": "Marker",
}


def answer(body: Any, status: str = "200 OK", *, headers: str = "", media: str = "application/json") -> bytes:
    """An answer over HTTP, after which the connection is closed."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n"
    return f"{head}{headers}\r\n".encode() + content


def stream(*events: dict[str, Any]) -> bytes:
    """An event stream that breaks off after these."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1000\nid: cursor\n\n"
    return head + b"".join(b"event: next\ndata: %b\n\n" % json.dumps(event).encode() for event in events)


def refused(code: str, data: Any = None, **extensions: Any) -> dict[str, Any]:
    """The body of an answer with one error."""
    return {"data": data, "errors": [{"message": "No.", "path": ["b"], "extensions": {"code": code, **extensions}}]}


BOARD = {
    "date": "2026-01-12",
    "state": "OPEN",
    "isWorkingDay": True,
    "label": None,
    "sequence": "1",
    "records": {"feedCursor": "0", "pageInfo": {"hasNextPage": False, "endCursor": None}, "edges": []},
}


@asynccontextmanager
async def server(*answers: bytes | None) -> AsyncIterator[tuple[Attendance, Sequence[dict[str, Any]]]]:
    """A client of one that gives these answers, one a connection, and the bodies that it was sent.

    None is a stream in which nothing comes.
    """
    left = list(answers)
    asked: list[dict[str, Any]] = []
    open_: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        asked.append(json.loads(await reader.readexactly(length)))
        given = left.pop(0)
        writer.write(stream() if given is None else given)
        await writer.drain()
        if given is None:
            open_.append(writer)
        else:
            writer.close()

    async def token() -> str:
        return "a token"

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(WAIT_SECONDS), Attendance(f"http://127.0.0.1:{port}", token=token) as attendance:
            yield attendance, asked
        assert left == []
    finally:
        for writer in open_:
            writer.close()
        listening.close()


async def test_a_server_that_is_not_there_has_applied_nothing() -> None:
    async with Attendance(f"http://127.0.0.1:{free_port()}", email="a@b.example", password="secret") as attendance:
        with pytest.raises(Unavailable, match=r"^The connection failed: ") as unavailable:
            await attendance.execute("{ viewer { id } }")
    assert (unavailable.value.applied, unavailable.value.retry_after) == (False, None)


@pytest.mark.parametrize(
    ("given", "kind", "applied", "retry_after", "message"),
    [
        (b"", Unavailable, None, None, "The connection failed: "),
        (
            answer("<html>", "502 Bad Gateway", media="text/html"),
            Unavailable,
            None,
            None,
            "The answer has the status 502 ",
        ),
        (answer("", "503 x", headers="Retry-After: 7\r\n"), Unavailable, None, 7, "The answer has the status 503 and "),
        (answer(refused("UNAVAILABLE", applied=None, retryAfter=2)), Unavailable, None, 2, "No."),
        (answer(refused("UNAVAILABLE", applied=False)), Unavailable, False, None, "No."),
        (answer(refused("UNAVAILABLE", {"b": {"attendance": None}})), Unavailable, True, None, "No."),
    ],
    ids=["cut off", "a proxy", "a proxy that knows when", "unknown", "not stored", "stored"],
)
async def test_what_became_of_a_mutation_is_told(
    given: bytes, kind: type[Unavailable], applied: bool | None, retry_after: float | None, message: str
) -> None:
    async with server(given) as (attendance, asked):
        with pytest.raises(kind, match=f"^{message}") as unavailable:
            await attendance.execute("mutation { b }")
    assert (unavailable.value.applied, unavailable.value.retry_after, len(asked)) == (applied, retry_after, 1)


async def test_an_answer_of_somebody_else_is_no_answer() -> None:
    given = [answer({"errors": "none"}), answer([]), answer("{}", "404 Not Found"), answer("", "307 x"), answer("null")]
    async with server(*given, answer("", "429 x", headers="Retry-After: 9\r\n")) as (attendance, _):
        for status in (200, 200, 404, 307, 200):
            with pytest.raises(RequestRefused, match=rf"^The answer has the status {status} and is not mem.* right\?$"):
                await attendance.execute("{ viewer { id } }")
        with pytest.raises(RateLimited) as limited:
            await attendance.execute("{ viewer { id } }")
        assert limited.value.retry_after == 9


async def test_what_was_done_is_not_done_again_because_another_field_was_refused() -> None:
    data = {"a": {"attendance": {"status": "LATE"}}, "b": None}
    async with server(answer(refused("UNAUTHENTICATED", data))) as (attendance, asked):
        with pytest.raises(RequestRefused) as refusal:
            await attendance.execute("mutation { a b }")
        assert (refusal.value.data, refusal.value.code, len(asked)) == (data, "UNAUTHENTICATED", 1)


async def test_a_fresh_token_that_is_refused_too_ends_what_is_followed() -> None:
    no = stream(refused("UNAUTHENTICATED"))
    async with server(answer({"data": {"attendanceDay": BOARD}}), no, no) as (attendance, _):
        with pytest.raises(SessionEnded, match=r"^No\.$"):
            await anext(attendance.day().changes())


async def test_a_stream_that_is_refused_breaks_or_falls_silent_is_begun_anew_after_the_last_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "SILENCE_SECONDS", 0.2)

    def event(number: int) -> bytes:
        return stream({"data": {"attendanceUpdated": {**NODE, "version": number, "feedCursor": str(number)}}})

    async with server(
        answer({"data": {"attendanceDay": BOARD}}),
        answer(refused("UNAVAILABLE", retryAfter=0), "503 x"),
        event(1),
        None,
        b"",
        event(2),
    ) as (attendance, asked):
        changes = attendance.day().changes()
        assert [(await anext(changes)).version for _ in range(2)] == [1, 2]
        await changes.aclose()
    assert [body["variables"]["after"] for body in asked] == [None, "0", "0", "1", "1", "1"]
