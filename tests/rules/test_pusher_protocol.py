"""The Pusher protocol as text."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.changes import Status
from memberstaff.engine.request import Malformed
from memberstaff.pusher import protocol
from memberstaff.pusher.channels import Channel, Kind, find
from memberstaff.pusher.payload import status_words

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_channels_are_signed_as_pushers_documentation_has_it() -> None:
    secret = b"7ad3773142a6692b25b8"
    expected = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
    assert protocol.signature(secret, "1234.1234", "private-foobar") == expected


def test_the_first_message_has_its_data_as_a_string() -> None:
    message = json.loads(protocol.established("123.456"))
    assert message == {
        "event": "pusher:connection_established",
        "data": '{"socket_id":"123.456","activity_timeout":30}',
    }


def test_socket_ids_are_two_numbers_and_never_the_same() -> None:
    made = {protocol.new_socket_id() for _ in range(100)}
    assert len(made) == 100
    assert all(protocol.SOCKET_ID.fullmatch(each) for each in made)


def test_a_refusal_is_not_a_string() -> None:
    assert json.loads(protocol.refused("c", 401, "why")) == {
        "event": "pusher:subscription_error",
        "channel": "c",
        "data": {"type": "AuthError", "error": "why", "status": 401},
    }


@given(
    event=st.sampled_from(["pusher:subscribe", "pusher:unsubscribe", "pusher:ping", "client-x", "x"]) | JSON, data=JSON
)
def test_whatever_comes_is_a_message_or_malformed(event: object, data: object) -> None:
    try:
        message = protocol.read(json.dumps({"event": event, "data": data}))
    except Malformed:
        return
    assert isinstance(message, protocol.Message)


@pytest.mark.parametrize("field", ["channel", "auth", "channel_data"])
@pytest.mark.parametrize("text", ["\ud800", "a\0"])
def test_what_is_no_text_is_malformed(field: str, text: str) -> None:
    data = {"channel": "attendance", "auth": "", "channel_data": "", field: text}
    with pytest.raises(Malformed):
        protocol.read(json.dumps({"event": "pusher:subscribe", "data": data}))


@given(st.text())
def test_text_that_is_no_message_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        protocol.read(text)


def test_the_channels_there_are() -> None:
    assert find("attendance") == Channel("attendance", Kind.PUBLIC)
    assert find("private-attendance") == Channel("private-attendance", Kind.ALL_DAYS)
    assert find("presence-attendance") == Channel("presence-attendance", Kind.PRESENCE)
    name = "private-attendance.2026-01-12"
    assert find(name) == Channel(name, Kind.DAY, date(2026, 1, 12))
    for other in ("", "private-", "private-attendance.2026-1-12", "private-attendance.2026-02-30", f"{name}\n"):
        assert find(other) is None


def test_statuses_are_lower_case_unless_a_setting_names_them() -> None:
    assert status_words({Status.HALF_DAY: "half-day"}) == {
        **{status: status.lower() for status in Status},
        Status.HALF_DAY: "half-day",
    }
