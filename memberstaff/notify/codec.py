"""The wire format of notifications: one JSON object, encoded and decoded only here."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from memberstaff.notify.notification import Notification

MOST_CHANGES = 200
"""In one notification; one with more carries none, only the days' positions, and its listeners read the log."""

_DECODER = msgspec.json.Decoder(Notification)


class InvalidNotification(Exception):
    """A message that this version of memberstaff did not write."""


def encode(notification: Notification) -> bytes:
    """Serialise a notification, without its changes if there are more than `MOST_CHANGES`."""
    if len(notification.changes) > MOST_CHANGES:
        notification = replace(notification, changes=())
    return msgspec.json.encode(notification)


def decode(text: bytes) -> Notification:
    """Parse a message; raises InvalidNotification if it is not a valid notification."""
    try:
        notification = _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidNotification(type(error).__name__) from error
    if any(change.changed_at.tzinfo is None for change in notification.changes):
        raise InvalidNotification("an instant has no time zone")
    return notification
