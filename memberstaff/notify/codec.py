"""How a notification travels between processes: one JSON object, made and read only here."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from types import NoneType
from typing import Any

import orjson

from memberstaff.changes import Change, DayState, Status
from memberstaff.notify.notification import Notification

MOST_CHANGES = 200
"""A notification with more says only how far its days came, and its listeners read the log."""


class Unreadable(Exception):
    """A message that this version of memberstaff did not write."""


def encode(notification: Notification) -> str:
    """The notification as text for one message."""
    if len(notification.changes) > MOST_CHANGES:
        notification = replace(notification, changes=())
    return orjson.dumps(notification).decode()


def decode(text: str) -> Notification:
    """The notification that a message holds; raises Unreadable for anything else."""
    try:
        data = orjson.loads(text)
        return Notification(
            epoch=_is(data["epoch"], str),
            roster_version=_is(data["roster_version"], int, NoneType),
            days=tuple(_state(fields) for fields in _is(data["days"], list)),
            changes=tuple(_change(fields) for fields in _is(data["changes"], list)),
            accounts=tuple(_is(account, int) for account in _is(data["accounts"], list)),
            sessions=tuple(_is(session, str) for session in _is(data["sessions"], list)),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(str(type(error).__name__)) from error


def _state(fields: dict[str, Any]) -> DayState:
    return DayState(
        date=date.fromisoformat(fields["date"]),
        position=_is(fields["position"], int),
        day_version=_is(fields["day_version"], int),
    )


def _change(fields: dict[str, Any]) -> Change:
    changed_at = datetime.fromisoformat(fields["changed_at"])
    if changed_at.tzinfo is None:
        raise ValueError
    texts = ("note", "photo_url", "changed_by_name", "staff_name", "staff_category", "staff_photo_url")
    return Change(
        **{
            **fields,
            **{name: _is(fields[name], int) for name in ("position", "staff_id", "version")},
            **{name: _is(fields[name], str, NoneType) for name in texts},
            "changed_by": _is(fields["changed_by"], int, NoneType),
            "date": date.fromisoformat(fields["date"]),
            "status": Status(fields["status"]),
            "changed_at": changed_at,
        }
    )


def _is(value: Any, *types: type) -> Any:
    """The value, if it has one of these very types (True is no number); what is wrong must not get any further."""
    if type(value) not in types:
        raise TypeError
    return value
