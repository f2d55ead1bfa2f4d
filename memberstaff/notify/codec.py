"""The wire format of notifications: one JSON object, encoded and decoded only here."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from types import NoneType
from typing import Any

import orjson

from memberstaff.changes import Change, DayProgress, Status
from memberstaff.notify.notification import Notification

MOST_CHANGES = 200
"""In one notification; one with more carries none, only the days' positions, and its listeners read the log."""


class InvalidNotification(Exception):
    """A message that this version of memberstaff did not write."""


def encode(notification: Notification) -> str:
    """Serialise a notification, without its changes if there are more than `MOST_CHANGES`."""
    if len(notification.changes) > MOST_CHANGES:
        notification = replace(notification, changes=())
    return orjson.dumps(notification).decode()


def decode(text: str) -> Notification:
    """Parse a message; raises InvalidNotification if it is not a valid notification."""
    try:
        data = orjson.loads(text)
        return Notification(
            epoch=_typed(data["epoch"], str),
            roster_version=_typed(data["roster_version"], int, NoneType),
            days=tuple(_state(fields) for fields in _typed(data["days"], list)),
            changes=tuple(_change(fields) for fields in _typed(data["changes"], list)),
            accounts=tuple(_typed(account, int) for account in _typed(data["accounts"], list)),
            sessions=tuple(_typed(session, str) for session in _typed(data["sessions"], list)),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise InvalidNotification(str(type(error).__name__)) from error


def _state(fields: dict[str, Any]) -> DayProgress:
    return DayProgress(
        date=date.fromisoformat(fields["date"]),
        position=_typed(fields["position"], int),
        day_version=_typed(fields["day_version"], int),
    )


def _change(fields: dict[str, Any]) -> Change:
    changed_at = datetime.fromisoformat(fields["changed_at"])
    if changed_at.tzinfo is None:
        raise ValueError
    texts = ("note", "photo_url", "changed_by_name", "staff_name", "staff_category", "staff_photo_url")
    return Change(
        **{
            **fields,
            **{name: _typed(fields[name], int) for name in ("position", "staff_id", "version")},
            **{name: _typed(fields[name], str, NoneType) for name in texts},
            "changed_by": _typed(fields["changed_by"], int, NoneType),
            "date": date.fromisoformat(fields["date"]),
            "status": Status(fields["status"]),
            "changed_at": changed_at,
        }
    )


def _typed(value: Any, *types: type) -> Any:
    """The value, if it is of exactly one of these types: to isinstance(), True is an int. Raises TypeError."""
    if type(value) not in types:
        raise TypeError
    return value
