"""The wire format of notifications: one JSON object, encoded and decoded only here."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta

import msgspec

from memberstaff.changes import Change
from memberstaff.notify.notification import Notification

MOST_CHANGES = 200
"""In one notification; one with more carries the first and the last of each day, and its listeners read the log."""
MOST_DAYS = 1_000
"""Days in one notification; one with more only says that the database is to be asked."""
MOST_BYTES = 524_288
"""Of one notification; a longer one carries no changes."""

MISSED = Notification(epoch=0)
"""Something may have been missed: ask the database about everything."""

_DECODER = msgspec.json.Decoder(Notification)
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KNOWN = {field.name for field in fields(Notification)}
_HIGHEST = 2**63 - 1
"""That the database's columns hold."""


class InvalidNotification(Exception):
    """A message that this version of memberstaff did not write."""


def encode(notification: Notification) -> bytes:
    """Serialise a notification. Beyond the bounds it says less, and its listeners ask the database."""
    if len(notification.days) > MOST_DAYS:
        notification = MISSED
    if len(notification.changes) <= MOST_CHANGES and len(text := msgspec.json.encode(notification)) <= MOST_BYTES:
        return text
    for changes in (_ends(notification), ()):
        text = msgspec.json.encode(replace(notification, changes=changes))
        if len(text) <= MOST_BYTES and len(changes) <= MOST_CHANGES:
            return text
    return msgspec.json.encode(MISSED)


def _ends(notification: Notification) -> tuple[Change, ...]:
    """The first and the last change of each day: should a failover lose all of them, that tells which they were."""
    first = {change.date: change for change in reversed(notification.changes)}
    last = {change.date: change for change in notification.changes}
    return tuple(change for change in notification.changes if change in (first[change.date], last[change.date]))


def decode(text: bytes) -> Notification:
    """Parse a message; raises InvalidNotification if it is not a valid notification."""
    try:
        notification = _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidNotification(type(error).__name__) from error
    if len(notification.days) > MOST_DAYS or len(notification.changes) > MOST_CHANGES:
        raise InvalidNotification("it is longer than any of ours")
    if notification == Notification(epoch=notification.epoch) and notification != MISSED:
        raise InvalidNotification("it says nothing that is known here")
    instants = ((change.changed_at, change.arrived_at, change.left_at) for change in notification.changes)
    if any(each.utcoffset() != timedelta() for some in instants for each in some if each is not None):
        raise InvalidNotification("an instant is not in UTC")
    numbers = [notification.epoch, notification.roster_version or 0, notification.access_number or 0]
    for day in notification.days:
        numbers += day.position, day.day_version
    for change in notification.changes:
        numbers += change.position, change.version, change.staff_id, change.reason.id if change.reason else 0
    if min(numbers) < 0 or max(numbers) > _HIGHEST or 0 in {change.position for change in notification.changes}:
        raise InvalidNotification("a number is out of range")
    return notification


def says_more(text: bytes) -> bool:
    """Whether a message that could be decoded says something that only a later release knows."""
    return not _KEYS.decode(text).keys() <= _KNOWN
