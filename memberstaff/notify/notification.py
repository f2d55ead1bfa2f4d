"""What a commit announces to every process."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from memberstaff.changes import Change, DayProgress


@dataclass(frozen=True, slots=True)
class Notification:
    """What a commit changed; all of it can be read from the database as well.

    `changes` may lack some although `days` advanced: of a large bulk mark the first and the last are announced, and the
    listeners read the log. `access_number` is that of the last change of somebody's access, if there was one.
    `traceparent` (W3C) says in which trace it was published; a message without one is without the field.
    """

    epoch: int
    roster_version: int | None = None
    days: tuple[DayProgress, ...] = ()
    changes: tuple[Change, ...] = ()
    access_number: int | None = None
    traceparent: str | UnsetType = UNSET
