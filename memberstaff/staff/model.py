"""A person on the roster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from memberstaff.db.tables import staff

COLUMNS = (
    staff.c.id,
    staff.c.name,
    staff.c.category,
    staff.c.photo_url,
    staff.c.external_ref,
    staff.c.starts_on,
    staff.c.ends_on,
    staff.c.version.label("staff_version"),
    staff.c.sort_key,
    staff.c.erased_at,
)
"""What a statement selects for `person()`."""


class Person(NamedTuple):
    """Somebody employed from `starts_on` to `ends_on`, inclusive; a day's roster is those employed on it.

    `name` is None once erased. A named tuple, since a board creates a thousand at a time, and a frozen dataclass costs
    five times as much.
    """

    id: int
    name: str | None
    category: str | None
    photo_url: str | None
    external_ref: str | None
    starts_on: date
    ends_on: date | None
    version: int
    sort_key: str

    def is_employed_on(self, day: date) -> bool:
        """Whether the person is on the day's roster."""
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)


def person(row: Sequence[Any]) -> Person:
    """Build a Person from a row of exactly `COLUMNS`."""
    staff_id, name, category, photo_url, external_ref, starts_on, ends_on, version, sort_key, erased_at = row
    if erased_at is not None:
        name = None
    return Person(staff_id, name, category, photo_url, external_ref, starts_on, ends_on, version, sort_key)
