"""A notification arrives as it was sent, and whatever else arrives on the channel breaks nothing."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memberstaff.changes import Change, DayProgress, Reason, Status
from memberstaff.notify.codec import (
    MISSED,
    MOST_BYTES,
    MOST_CHANGES,
    MOST_DAYS,
    InvalidNotification,
    decode,
    encode,
    says_more,
)
from memberstaff.notify.notification import Notification
from tests.rules.changes import DAY, changes

NUMBERS = st.integers(0, 2**63 - 1)
COUNTED = st.integers(1, 2**63 - 1)
TEXTS = st.text(max_size=20)
INSTANTS = st.datetimes(timezones=st.just(UTC))
CHANGES = st.builds(
    Change,
    date=st.dates(),
    position=COUNTED,
    staff_id=NUMBERS,
    version=NUMBERS,
    status=st.sampled_from(Status),
    note=st.none() | TEXTS,
    photo_url=st.none() | TEXTS,
    changed_at=INSTANTS,
    changed_by=st.none() | NUMBERS,
    changed_by_name=st.none() | TEXTS,
    staff_name=st.none() | TEXTS,
    staff_category=st.none() | TEXTS,
    staff_photo_url=st.none() | TEXTS,
    roster_version=NUMBERS,
    arrived_at=st.none() | INSTANTS,
    left_at=st.none() | INSTANTS,
    reason=st.none() | st.builds(Reason, NUMBERS, TEXTS, st.booleans(), st.booleans()),
)
RINGS = st.builds(
    Notification,
    epoch=NUMBERS,
    roster_version=st.none() | NUMBERS,
    days=st.lists(st.builds(DayProgress, st.dates(), NUMBERS, NUMBERS), max_size=3).map(tuple),
    changes=st.lists(CHANGES, max_size=3).map(tuple),
    access_number=st.none() | NUMBERS,
    traceparent=st.just(msgspec.UNSET) | TEXTS,
).filter(lambda made: made == MISSED or made != Notification(epoch=made.epoch))
NOTIFICATION = Notification(
    epoch=5,
    roster_version=4,
    days=(DayProgress(DAY, 7, 2),),
    changes=tuple(changes(6, 7)),
    access_number=3,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@given(RINGS)
def test_a_ring_arrives_as_it_was_sent(notification: Notification) -> None:
    assert decode(encode(notification)) == notification


def test_a_ring_is_one_json_object() -> None:
    assert msgspec.json.decode(encode(Notification(epoch=5, days=(DayProgress(DAY, 7, 2),)))) == {
        "epoch": 5,
        "roster_version": None,
        "days": [{"date": "2026-01-12", "position": 7, "day_version": 2}],
        "changes": [],
        "access_number": None,
    }


def test_as_many_changes_as_allowed_travel() -> None:
    notification = replace(NOTIFICATION, changes=tuple(changes(1, MOST_CHANGES)))
    assert decode(encode(notification)) == notification


def test_of_more_changes_the_first_and_the_last_travel_and_nothing_else_is_lost() -> None:
    first, *_, last = all_of_them = changes(1, MOST_CHANGES + 1)
    notification = replace(NOTIFICATION, changes=tuple(all_of_them))
    assert decode(encode(notification)) == replace(notification, changes=(first, last))


def test_one_that_would_be_too_long_only_says_that_the_database_is_to_be_asked() -> None:
    assert decode(encode(replace(NOTIFICATION, days=(DayProgress(DAY, 7, 2),) * (MOST_DAYS + 1)))) == MISSED


def test_changes_that_are_too_long_are_left_to_the_log() -> None:
    wordy = replace(NOTIFICATION.changes[0], note="\U0001f9a0" * (MOST_BYTES // 4))
    notification = replace(NOTIFICATION, changes=(wordy,))
    assert decode(encode(notification)) == replace(notification, changes=())


def edited(*path: str | int, to: Any) -> bytes:
    """The message of a good notification with one value replaced."""
    message = msgspec.json.decode(encode(NOTIFICATION))
    inner = message
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = to
    return msgspec.json.encode(message)


WRONG = [
    (b"", "DecodeError"),
    (b"hello", "DecodeError"),
    (b"{", "DecodeError"),
    (b"\xed\xa0\x80", "DecodeError"),
    (b"\xff", "DecodeError"),
    (b"[" * 5_000, "ValidationError"),
    (b"1", "ValidationError"),
    (b"null", "ValidationError"),
    (b"[]", "ValidationError"),
    (b'"epoch"', "ValidationError"),
    (b"{}", "ValidationError"),
    (edited("epoch", to="5"), "ValidationError"),
    (edited("epoch", to=None), "ValidationError"),
    (edited("roster_version", to="4"), "ValidationError"),
    (edited("roster_version", to=True), "ValidationError"),
    (edited("days", to={"a": 1}), "ValidationError"),
    (edited("days", 0, to=["2026-01-12"]), "ValidationError"),
    (edited("days", 0, "date", to="2026-02-30"), "ValidationError"),
    (edited("days", 0, "date", to=20260112), "ValidationError"),
    (edited("days", 0, "position", to="7"), "ValidationError"),
    (edited("days", 0, "position", to=7.5), "ValidationError"),
    (edited("days", 0, "day_version", to=None), "ValidationError"),
    (edited("changes", to=None), "ValidationError"),
    (edited("changes", 0, to=[]), "ValidationError"),
    (edited("changes", 0, "position", to=[1]), "ValidationError"),
    (edited("changes", 0, "status", to="HERE"), "ValidationError"),
    (edited("changes", 0, "status", to=[]), "ValidationError"),
    (edited("changes", 0, "changed_at", to="yesterday"), "ValidationError"),
    (edited("changes", 0, "changed_at", to="2026-01-12T08:00:00"), "an instant is not in UTC"),
    (edited("changes", 0, "changed_at", to="0001-01-01T00:00:00+14:00"), "an instant is not in UTC"),
    (edited("changes", 0, "arrived_at", to="early"), "ValidationError"),
    (edited("changes", 0, "left_at", to="2026-01-12T16:00:00"), "an instant is not in UTC"),
    (edited("changes", 0, "reason", to={"id": 1}), "ValidationError"),
    (
        edited("changes", 0, "reason", to={"id": -1, "name": "", "for_viewers": True, "retired": True}),
        "a number is out of range",
    ),
    (edited("changes", 0, "note", to={"a": 1}), "ValidationError"),
    (edited("changes", 0, "staff_name", to=5), "ValidationError"),
    (edited("access_number", to="3"), "ValidationError"),
    (edited("access_number", to=[3]), "ValidationError"),
    (edited("access_number", to=-1), "a number is out of range"),
    (edited("access_number", to=2**63), "a number is out of range"),
    (b'{"epoch":5}', "it says nothing that is known here"),
    (b'{"epoch":5,"colours":[{"date":"2026-01-12"}]}', "it says nothing that is known here"),
    (
        edited("days", to=[{"date": "2026-01-12", "position": 7, "day_version": 2}] * 1_001),
        "it is longer than any of ours",
    ),
    (edited("epoch", to=-1), "a number is out of range"),
    (edited("epoch", to=2**63), "a number is out of range"),
    (edited("roster_version", to=-1), "a number is out of range"),
    (edited("roster_version", to=2**63), "a number is out of range"),
    (edited("days", 0, "position", to=2**63), "a number is out of range"),
    (edited("days", 0, "day_version", to=-1), "a number is out of range"),
    (edited("changes", 0, "position", to=0), "a number is out of range"),
    (edited("changes", 0, "position", to=10**30), "a number is out of range"),
    (edited("changes", 0, "version", to=2**63), "a number is out of range"),
    (edited("changes", 0, "staff_id", to=-5), "a number is out of range"),
]


@pytest.mark.parametrize(("message", "reason"), WRONG)
def test_what_no_memberstaff_wrote_is_unreadable(message: bytes, reason: str) -> None:
    with pytest.raises(InvalidNotification) as refused:
        decode(message)
    assert str(refused.value) == reason


@pytest.mark.parametrize("depth", [1, 900, 5_000, 200_000])
def test_what_a_later_version_adds_is_passed_over_or_refused_however_deep_it_is(depth: int) -> None:
    try:
        notification = decode(encode(NOTIFICATION)[:-1] + b',"colour":' + b"[" * depth + b"]" * depth + b"}")
    except InvalidNotification as refused:  # how deep a parser goes differs between versions of Python
        assert depth > 1
        assert str(refused) == "RecursionError"
    else:
        assert notification == NOTIFICATION


def test_the_reason_repeats_nothing_of_the_message() -> None:
    with pytest.raises(InvalidNotification) as refused:
        decode(edited("changes", 0, "status", to="A secret"))
    assert "secret" not in str(refused.value)


PLACES = st.sampled_from(
    [(key,) for key in ("epoch", "roster_version", "days", "changes", "accounts", "sessions")]
    + [("days", 0, key) for key in ("date", "position", "day_version")]
    + [("changes", 0, key) for key in msgspec.json.decode(encode(NOTIFICATION))["changes"][0]]
)


@given(st.binary() | st.text().map(str.encode) | JSON.map(msgspec.json.encode))
def test_any_text_is_a_ring_or_unreadable(text: bytes) -> None:
    with pytest.raises(InvalidNotification):
        decode(text)


@given(PLACES, JSON)
def test_a_ring_with_anything_in_one_place_is_a_ring_or_unreadable(place: tuple[str | int, ...], value: Any) -> None:
    try:
        notification = decode(edited(*place, to=value))
    except InvalidNotification:
        return
    assert type(notification.epoch) is int
    assert all(
        type(day.date) is date and type(day.position) is type(day.day_version) is int for day in notification.days
    )
    assert all(
        type(change.position) is int and isinstance(change.changed_at, datetime) for change in notification.changes
    )
    assert decode(encode(notification)) == notification


KNOWN_KEYS = {field.name for each in (Notification, Change, DayProgress) for field in fields(each)}
PARENTS = st.sampled_from([(), ("days", 0), ("changes", 0), ("changes", 1)])


@given(PARENTS, TEXTS.filter(lambda key: key not in KNOWN_KEYS), JSON)
def test_what_a_later_release_adds_anywhere_is_passed_over_and_told(
    parent: tuple[str | int, ...], key: str, value: Any
) -> None:
    message = edited(*parent, key, to=value)
    assert decode(message) == NOTIFICATION
    assert says_more(message) == (parent == ())


@given(RINGS)
def test_a_ring_of_this_release_says_nothing_more(notification: Notification) -> None:
    assert not says_more(encode(notification))
