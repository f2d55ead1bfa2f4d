"""Reading the roster."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_

from memberstaff.access import Right
from memberstaff.db.arrays import any_of
from memberstaff.db.tables import staff
from memberstaff.db.work import Reading
from memberstaff.inputs import fold
from memberstaff.staff.model import COLUMNS, Person, person


@dataclass(frozen=True, slots=True)
class StaffPosition:
    """The end of a page of people, who are ordered by folded name, then by id."""

    sort_key: str
    id: int


@dataclass(frozen=True, slots=True)
class StaffFilter:
    """Filters people: employed `on` a day, in `categories`, with each word of `search` in name or category."""

    on: date
    categories: tuple[str, ...] | None = None
    staff_ids: tuple[int, ...] | None = None
    search: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The WHERE conditions."""
        conditions = [employed_on(self.on)]
        if self.staff_ids is not None:
            conditions.append(any_of(staff.c.id, self.staff_ids))
        if self.categories is not None:
            conditions.append(any_of(staff.c.category, self.categories))
        if self.search is not None and (words := fold(self.search).split()):
            conditions += [staff.c.search_key.contains(word, autoescape=True) for word in words]
        return conditions


def employed_on(day: date | ColumnElement[date]) -> ColumnElement[bool]:
    """The WHERE condition for the day's roster."""
    return and_(staff.c.starts_on <= day, or_(staff.c.ends_on.is_(None), staff.c.ends_on >= day))


def beyond(place: StaffPosition | None) -> list[ColumnElement[bool]]:
    """The WHERE condition for the part of a list after `place`."""
    return [] if place is None else [tuple_(staff.c.sort_key, staff.c.id) > tuple_(place.sort_key, place.id)]


async def people(reading: Reading, which: StaffFilter, *, first: int, after: StaffPosition | None) -> list[Person]:
    """A page of the roster, by name."""
    reading.require(Right.READ)
    rows = await reading.rows(
        select(*COLUMNS)
        .where(*which.conditions(), *beyond(after), staff.c.erased_at.is_(None))
        .order_by(staff.c.sort_key, staff.c.id)
        .limit(first)
    )
    return [person(row) for row in rows]


async def count(reading: Reading, which: StaffFilter) -> int:
    """How many people match."""
    reading.require(Right.READ)
    return int(
        await reading.scalar(
            select(func.count()).select_from(staff).where(*which.conditions(), staff.c.erased_at.is_(None))
        )
    )


async def by_id(reading: Reading, ids: Collection[int]) -> dict[int, Person]:
    """These people, in one statement; unknown ids are left out."""
    reading.require(Right.READ)
    rows: Sequence[object] = await reading.rows(select(*COLUMNS).where(any_of(staff.c.id, ids))) if ids else ()
    return {found.id: found for found in map(person, rows)}  # type: ignore[arg-type]
