"""A person, as the roster knows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row

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
"""What a statement selects so that `person()` can read a Person from its rows."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody employed from `starts_on` to `ends_on`, both included; a day's roster is those employed on it.

    `name` is None once it has been erased.
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
        """Whether the day's roster has this person."""
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)


def person(row: Row[Any]) -> Person:
    """Read a Person from a row that has `COLUMNS`."""
    return Person(
        id=row.id,
        name=row.name if row.erased_at is None else None,
        category=row.category,
        photo_url=row.photo_url,
        external_ref=row.external_ref,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        version=row.staff_version,
        sort_key=row.sort_key,
    )
