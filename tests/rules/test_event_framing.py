"""An EventSource reads from a stream what was framed: each payload whole, with the cursor after it as its id."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memberstaff.attendance.cursor import Cursor
from memberstaff.fanout.event_source import Batch
from memberstaff.server.event_streams import EVENTS, FRAMINGS, OVER
from memberstaff.server.listeners import framed
from memberstaff.server.negotiate import MULTIPART, SSE
from tests.server_sent_events import Interpreter, ServerSentEvent

TODAY = date(2026, 1, 12)
SCALARS = st.text() | st.integers(-5, 5) | st.none()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)


def read(text: bytes, pieces: list[int] | None = None) -> tuple[list[ServerSentEvent], Interpreter]:
    """The events in a text that arrives in pieces, cut at these places."""
    interpreter = Interpreter()
    cuts = sorted({0, len(text), *(cut % (len(text) + 1) for cut in pieces or ())})
    found = [event for start, end in pairwise(cuts) for event in interpreter.feed(text[start:end])]
    return found, interpreter


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_no_cursor_can_break_a_line_or_be_taken_for_the_end(epoch: int, position: int) -> None:
    cursor = str(Cursor(epoch, TODAY, position))
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
    assert cursor != OVER


@given(st.lists(VALUES, max_size=4), st.integers(0, 9), st.booleans(), st.lists(st.integers(0, 5_000), max_size=6))
@example(["\r\n\u2028\x85id: 7\n\nevent: complete"], 1, True, [3, 4])
def test_events_are_read_as_they_were_framed(values: list[object], first: int, moved: bool, pieces: list[int]) -> None:
    cursors = [str(Cursor(5, TODAY, first + number)) for number in range(len(values) + moved)]
    text = EVENTS.begin("begun") + framed(Batch([msgspec.json.encode(value) for value in values], cursors), EVENTS)
    found, interpreter = read(text, pieces)
    assert [(event.type, json.loads(event.data), event.last_event_id) for event in found] == [
        ("next", value, cursor) for value, cursor in zip(values, cursors, strict=False)
    ]
    assert interpreter.last_event_id == [*cursors, "begun"][len(cursors) - 1 if cursors else 0]


def test_a_stream_that_begins_nowhere_sets_no_id() -> None:
    text = EVENTS.begin(None) + EVENTS.heartbeat + EVENTS.event(b"1") + EVENTS.complete(is_over=False)
    found, interpreter = read(text)
    assert found == [ServerSentEvent("next", "1", ""), ServerSentEvent("complete", "", "")]
    assert interpreter.last_event_id == ""


@pytest.mark.parametrize(("is_over", "last"), [(True, OVER), (False, "begun")])
def test_only_a_stream_that_is_over_takes_the_last_id_away(is_over: bool, last: str) -> None:
    found, interpreter = read(EVENTS.begin("begun") + EVENTS.complete(is_over=is_over))
    assert [(event.type, event.data) for event in found] == [("complete", "")]
    assert interpreter.last_event_id == last


def test_an_event_that_breaks_off_does_not_move_the_last_id() -> None:
    text = framed(Batch([b"1", b"2"], ["one", "two"]), EVENTS)
    for length in range(len(text) - 1):
        _, interpreter = read(text[:length])
        assert interpreter.last_event_id in {"", "one"}


def test_who_is_refused_for_now_is_told_why_in_one_line_and_when_to_come_back() -> None:
    text = EVENTS.come_back("Too many.\r\n\r\nid: x", 3, None)
    found, interpreter = read(text)
    assert text.startswith(b": Too many. id: x\n")
    assert (found, interpreter.last_event_id) == ([], "")
    assert 3_000 <= (interpreter.retry or 0) <= 4_000


@pytest.mark.parametrize("last", [str(Cursor(5, TODAY, 7)), "nonsense", "\xc3\xa9", OVER])
@pytest.mark.parametrize("text", [EVENTS.begin, lambda last: EVENTS.come_back("Too many.", 3, last)])
def test_a_response_takes_nothing_from_the_id_with_which_its_client_came(
    text: Callable[[str], bytes], last: str
) -> None:
    for length in range(len(text(last)) + 1):
        interpreter = Interpreter()
        interpreter.last_event_id = header = last.encode("latin-1").decode()  # as an EventSource read it before
        assert interpreter.feed(text(last)[:length]) == []
        assert interpreter.last_event_id == header


def test_a_batch_with_cursors_alone_is_nothing_to_multipart() -> None:
    moved = Batch([], ["one"])
    assert framed(moved, FRAMINGS[SSE]) == b"id: one\n\n"
    assert framed(moved, FRAMINGS[MULTIPART]) == b""


def test_a_batch_is_framed_once_for_all_who_read_it() -> None:
    batch = Batch([b"1"], ["one", "two"])
    assert framed(batch, EVENTS) is framed(batch, EVENTS)
    assert framed(batch, EVENTS) == b"id: one\nevent: next\ndata: 1\n\nid: two\n\n"
