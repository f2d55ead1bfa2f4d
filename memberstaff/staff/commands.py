"""Changing the roster: creating, updating and erasing people."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Executable, Row, select, update
from sqlalchemy.exc import IntegrityError

from memberstaff.access import Right
from memberstaff.changes import NOTES, TIMES
from memberstaff.db.installation import raise_roster_version
from memberstaff.db.tables import attendance, attendance_day, attendance_revision, audit, staff
from memberstaff.db.work import Work
from memberstaff.errors import ErrorCode, Refusal
from memberstaff.inputs import LONGEST_NAME, UNSET, Unset, fold, line, photo_address
from memberstaff.staff.model import COLUMNS, Person, person


@dataclass(frozen=True, slots=True)
class Details:
    """A person's details; `UNSET` keeps the stored value (for a new person, the default)."""

    name: str | None | Unset = UNSET
    category: str | None | Unset = UNSET
    photo_url: str | None | Unset = UNSET
    external_ref: str | None | Unset = UNSET
    starts_on: date | None | Unset = UNSET
    ends_on: date | None | Unset = UNSET

    def checked(self, *, stored: dict[str, Any]) -> dict[str, Any]:
        """The new values on top of the `stored` ones. Raises Refusal for the first invalid one."""
        values = stored | {
            field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not UNSET
        }
        if values["name"] is None:
            raise Refusal(ErrorCode.INVALID, "A person needs a name.", "name")
        if values["starts_on"] is None:
            raise Refusal(ErrorCode.INVALID, "A person's first day cannot be cleared.", "startsOn")
        values["name"] = line(values["name"], longest=LONGEST_NAME, what="The name", path="name")
        values["category"] = _optional(values["category"], "The category", "category")
        values["external_ref"] = _optional(values["external_ref"], "The reference", "externalRef")
        values["photo_url"] = photo_address(values["photo_url"], path="photoUrl")
        if values["ends_on"] is not None and values["ends_on"] < values["starts_on"]:
            raise Refusal(ErrorCode.INVALID, "The last day is before the first day.", "endsOn")
        return values


def _optional(text: str | None, what: str, path: str) -> str | None:
    return None if text is None or not text.strip() else line(text, longest=LONGEST_NAME, what=what, path=path)


def keys(values: dict[str, Any]) -> dict[str, str]:
    """The columns by which people are sorted and searched."""
    return {
        "sort_key": fold(values["name"]),
        "search_key": fold(f"{values['name']} {values['category'] or ''}"),
    }


def defaults(work: Work) -> dict[str, Any]:
    """The values of a new person: employed from today."""
    return dict.fromkeys(("name", "category", "photo_url", "external_ref", "ends_on")) | {"starts_on": work.today}


async def create(work: Work, details: Details) -> Person:
    """Add a person to the roster."""
    work.require(Right.MANAGE_STAFF)
    values = details.checked(stored=defaults(work))
    created = person(await _store(work, staff.insert().values(**values, **keys(values), version=1).returning(*COLUMNS)))
    await work.audit("staff", created.id, "created", audit_details(values))
    await raise_roster_version(work)
    return created


async def update_person(work: Work, staff_id: int, details: Details, *, expected_version: int | None) -> Person:
    """Change a person's details, if they differ from the stored ones. Raises Refusal."""
    work.require(Right.MANAGE_STAFF)
    row = await work.row(select(*COLUMNS).where(staff.c.id == staff_id).with_for_update())
    if row is None or row.erased_at is not None:
        raise Refusal(ErrorCode.NOT_FOUND, "There is no such person.", "id")
    before = person(row)
    stored = {field.name: getattr(before, field.name) for field in fields(Details)}
    values = details.checked(stored=stored)
    if values == stored:
        return before
    if expected_version is not None and expected_version != before.version:
        raise Refusal(
            ErrorCode.VERSION_CONFLICT,
            f"Somebody else has changed this person: they are at version {before.version}, not {expected_version}.",
            "expectedVersion",
        )
    row = await _store(
        work,
        update(staff)
        .where(staff.c.id == staff_id)
        .values(**values, **keys(values), version=before.version + 1)
        .returning(*COLUMNS),
    )
    await work.audit("staff", staff_id, "updated", audit_details(values))
    await raise_roster_version(work)
    return person(row)


async def erase(work: Work, staff_id: int) -> None:
    """Erase a person: name, photo, notes, reasons, times and reference go from every table; positions stay.

    Their statuses stay too, as those of "Unknown", so that past days still add up.
    """
    work.require(Right.MANAGE_STAFF)
    # Days before people, and in order, as every writer locks them: a bulk mark that copies notes ends first.
    marked = select(attendance.c.date).where(attendance.c.staff_id == staff_id)
    days = select(attendance_day.c.date).where(attendance_day.c.date.in_(marked))
    await work.rows(days.order_by(attendance_day.c.date).with_for_update())
    row = await work.row(select(*COLUMNS).where(staff.c.id == staff_id).with_for_update())
    if row is None:
        raise Refusal(ErrorCode.NOT_FOUND, "There is no such person.", "id")
    yesterday = work.today - timedelta(days=1)
    last = min(row.ends_on or yesterday, yesterday)
    blank = {"name": "", "category": None, "photo_url": None, "external_ref": None}
    await work.write(
        update(staff)
        .where(staff.c.id == staff_id)
        .values(
            **blank,
            **keys(blank),
            ends_on=max(last, row.starts_on),
            version=row.staff_version + 1,
            erased_at=work.now,
        )
    )
    told: dict[str, None] = dict.fromkeys((*NOTES, *TIMES, "reason_id"))
    for table in (attendance, attendance_revision):
        await work.write(update(table).where(table.c.staff_id == staff_id).values(told))
    await work.write(
        update(audit).where(audit.c.subject == "staff", audit.c.subject_id == str(staff_id)).values(details={})
    )
    await work.audit("staff", staff_id, "erased", {})
    await raise_roster_version(work)


async def _store(work: Work, statement: Executable) -> Row[Any]:
    try:
        row = await work.row(statement)
    except IntegrityError:
        raise Refusal(
            ErrorCode.DUPLICATE, "Another person already has this external reference.", "externalRef"
        ) from None
    assert row is not None
    return row


def audit_details(values: dict[str, Any]) -> dict[str, Any]:
    """The values as the audit log stores them."""
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}
