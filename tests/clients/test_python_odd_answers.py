"""The Python client, and answers that no memberstaff gives: of proxies, of other programs, of broken connections."""

from __future__ import annotations

import json
from typing import Any

import pytest

from memberstaff_client import Attendance, RequestRefused, Unavailable
from tests.clients.odd_server import (
    BOARD,
    DAY,
    NODE,
    STREAM,
    answer,
    change,
    client_of,
    event,
    odd_server,
    stream,
    token,
)
from tests.clients.test_python_outages import versions


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (b"\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n", Unavailable, "The connection failed: "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", Unavailable, "The connection failed: "),
        (answer("no gzip", headers="Content-Encoding: gzip\r\n"), Unavailable, "The connection failed: "),
        (answer("[" * 100_000), RequestRefused, "The answer has the status 200 and is not memberstaff's."),
        (
            answer('{"data": {"a": ' + "9" * 5_000 + "}}"),
            RequestRefused,
            "The answer has the status 200 and is not mem",
        ),
        (answer({"errors": [{"message": None}]}), RequestRefused, "The answer has the status 200 and is not memberst"),
        (answer({"errors": [{"message": "x", "extensions": [1], "path": 3}], "data": 4}), RequestRefused, "x"),
        (answer({"errors": [{"message": "x", "extensions": {"code": ["UNAVAILABLE"]}}]}), RequestRefused, "x"),
        (answer({"data": {}}), RequestRefused, "The answer does not fit the question."),
        (answer({"data": {"attendanceDay": None}}), RequestRefused, "The answer does not fit the question."),
        (answer({"data": {"attendanceDay": {**DAY, "date": 5}}}), RequestRefused, "The answer does not fit the quest"),
        (answer({"data": {"attendanceDay": {**DAY, "records": []}}}), RequestRefused, "The answer does not fit the q"),
    ],
)
async def test_what_cannot_be_read_is_an_error_of_the_package(
    given: bytes, kind: type[RequestRefused], message: str
) -> None:
    async with client_of(given) as (attendance, _):
        with pytest.raises(RequestRefused, match=f"^{message}") as refused:
            await attendance.day().board()
        assert type(refused.value) is kind


@pytest.mark.parametrize(
    "answered", [None, {}, {"errors": [], "attendance": None}, {"errors": [{"code": "INVALID"}]}, []]
)
async def test_a_mark_that_is_answered_oddly_is_an_error_of_the_package(answered: Any) -> None:
    async with client_of(answer({"data": {"updateAttendance": answered}})) as (attendance, _):
        with pytest.raises(RequestRefused, match=r"^The answer does not fit the question\.$"):
            await attendance.mark("staff", "2026-01-12", "LATE")


@pytest.mark.parametrize("session", [None, [], {}, {"errors": [{}]}, {"errors": []}])
async def test_a_login_that_is_answered_oddly_is_an_error_of_the_package(session: Any) -> None:
    async with (
        odd_server(answer({"data": {"session": session}})) as server,
        Attendance(server.address, email="a@b.example", password="secret") as attendance,
    ):
        with pytest.raises(RequestRefused, match=r"^The answer does not fit the question\.$"):
            await attendance.day().board()


@pytest.mark.parametrize("data", ["null", "[]", "not JSON", '{"data": null}', '{"errors": [{}]}', "", "9" * 5_000])
async def test_an_event_that_is_none_breaks_the_stream_which_goes_on_after_the_last_one_that_was(data: str) -> None:
    odd = stream(change(1), f"id: 2\nevent: next\ndata: {data}\n\n".encode(), change(3))
    async with client_of(BOARD, odd, stream(change(2))) as (attendance, server):
        assert await versions(attendance.day().changes(), 2) == [1, 2]
    assert [each.last_event_id for each in server.asked] == [None, "0", "1"]


async def test_events_of_a_kind_that_comes_later_are_passed_over_and_odd_fields_are_not_read() -> None:
    more = b"event: news\ndata: {}\n\n: a comment\nretry: soon\ncolour: blue\n\nid: 7\n\nid: \xc3\xa4\n\n"
    bom = STREAM + b"\xef\xbb\xbf: begun\n\n"
    async with client_of(BOARD, bom, stream(more), stream(change(1))) as (attendance, server):
        assert await versions(attendance.day().changes(), 1) == [1]
    assert [each.last_event_id for each in server.asked] == [None, "0", "0", "0"]


async def test_a_change_without_its_values_is_raised_rather_than_passed_over() -> None:
    for odd in (None, {**NODE, "date": "tomorrow"}, {"staffId": "staff"}, [NODE]):
        async with client_of(BOARD, stream(event({"data": {"attendanceUpdated": odd}}))) as (attendance, _):
            with pytest.raises(RequestRefused, match=r"^The answer does not fit the question\.$"):
                await anext(attendance.day().changes())


@pytest.mark.parametrize("head", [STREAM, stream()])
async def test_a_change_whose_place_is_not_known_is_raised_since_what_follows_it_would_be_lost(head: bytes) -> None:
    without_id = change(1).replace(b"id: 1\n", b"")
    async with client_of(BOARD, head + without_id) as (attendance, _):
        with pytest.raises(RequestRefused, match=r"^The answer does not fit the question\.$"):
            await anext(attendance.day().changes())


@pytest.mark.parametrize(
    ("records", "pages"),
    [
        ({"feedCursor": None}, 1),
        ({"pageInfo": {"hasNextPage": True, "endCursor": None}}, 1),
        ({"pageInfo": {"hasNextPage": True, "endCursor": "1"}}, 2),
    ],
    ids=["without a cursor", "without an end", "the same page for ever"],
)
async def test_a_board_that_cannot_be_read_to_its_end_or_followed_is_none(records: Any, pages: int) -> None:
    odd = answer({"data": {"attendanceDay": {**DAY, "records": {**DAY["records"], **records}}}})
    async with client_of(*[odd] * pages) as (attendance, _):
        with pytest.raises(RequestRefused, match=r"^The answer does not fit the question\.$"):
            await attendance.day().board()


async def test_an_event_that_is_cut_anywhere_comes_once_and_whole() -> None:
    whole = change(1)
    cuts = [*range(0, len(whole) - 1, 20), len(whole) - 1]
    async with client_of(BOARD, *(stream(whole[:cut]) for cut in cuts), stream(whole, change(2))) as (
        attendance,
        server,
    ):
        assert await versions(attendance.day().changes(), 2) == [1, 2]
    assert {each.last_event_id for each in server.asked[1:]} == {"0"}


async def test_a_stream_that_ends_as_soon_as_it_has_begun_is_begun_anew_more_and_more_rarely() -> None:
    rounds = 8
    at_once = STREAM + b"retry: 0\nid: 0\n\n"
    async with client_of(BOARD, *[at_once] * rounds, stream(change(1))) as (attendance, server):
        await versions(attendance.day().changes(), 1)
    most = [0.25, 0.5, 1, 2, 4, 8, 10, 10]
    assert len(server.waits) == rounds
    assert all(longest / 2 <= wait <= longest for wait, longest in zip(server.waits, most, strict=True))


async def test_a_server_that_always_wants_a_new_start_is_asked_more_and_more_rarely() -> None:
    again = answer({"errors": [{"message": "No.", "extensions": {"code": "RESTART_REQUIRED"}}]}, "409 Conflict")
    async with client_of(BOARD, *[again, BOARD] * 7, stream(change(1))) as (attendance, server):
        await versions(attendance.day().changes(), 1)
    assert server.waits[-1] > 5


@pytest.mark.parametrize(
    ("headers", "retry_after"),
    [
        ("Retry-After: 7\r\n", 7),
        (f"Retry-After: {'9' * 5_000}\r\n", 86_400),
        ("Date: Wed, 01 Jan 1975 10:00:00 GMT\r\nRetry-After: Wed, 01 Jan 1975 10:00:30 GMT\r\n", 30),
        ("Date: Wed, 01 Jan 1975 10:00:00 GMT\r\nRetry-After: Wed, 01 Jan 1975 09:00:00 GMT\r\n", None),
        ("Retry-After: Wed, 01 Jan 2200 10:00:00 GMT\r\n", None),
        ("Retry-After: -1\r\n", None),
        ("Retry-After: soon\r\n", None),
    ],
)
async def test_a_proxy_says_when_to_come_back_by_its_own_clock(headers: str, retry_after: float | None) -> None:
    async with client_of(answer("busy", "503 x", headers=headers)) as (attendance, _):
        with pytest.raises(Unavailable) as unavailable:
            await attendance.day().board()
    assert unavailable.value.retry_after == retry_after


async def test_an_address_may_have_a_path_and_the_endpoint_at_its_end() -> None:
    async with odd_server(*[BOARD] * 4) as server:
        for path in ("/desk", "/desk/", "/desk/graphql", "/desk/graphql/\n"):
            async with Attendance(server.address + path, token=token) as attendance:
                await attendance.day().board()
    assert [each.target for each in server.asked] == ["/desk/graphql"] * 4


async def test_a_password_may_be_in_any_script() -> None:
    password = 'Größe "und" Übermut 🔑\u2028\\'
    no = answer({"data": {"session": {"errors": [{"message": "No."}], "accessToken": None, "refreshToken": None}}})
    async with odd_server(no) as server, Attendance(server.address, email="ä@b.example", password=password) as wrong:
        with pytest.raises(Exception, match=r"^No\.$"):
            await wrong.day().board()
    assert server.asked[0].body["variables"] == {"input": {"email": "ä@b.example", "password": password}}


async def test_what_cannot_be_a_token_is_refused_without_being_shown() -> None:
    async def broken() -> str:
        return "eyJ\r\nX-Evil: 1"

    async with odd_server() as server, Attendance(server.address, token=broken) as attendance:
        with pytest.raises(ValueError, match=r"^What the token callback gave cannot be a token\.$"):
            await attendance.day().board()


async def test_variables_may_be_dates_and_what_is_no_json_is_refused_before_anything_is_sent() -> None:
    async with client_of(BOARD) as (attendance, server):
        await attendance.day("2026-01-12").board()
        assert json.dumps(server.asked[0].body["variables"]) == '{"date": "2026-01-12", "after": null}'
        with pytest.raises(TypeError, match=r"^A variable cannot be a set\.$"):
            await attendance.execute("{ viewer { id } }", odd={1})
