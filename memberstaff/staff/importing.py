"""Importing a roster: many people at once, all or nothing; importing it again changes nothing."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from memberstaff.access import Right
from memberstaff.db.arrays import any_of
from memberstaff.db.installation import raise_roster_version
from memberstaff.db.tables import staff
from memberstaff.db.work import CONVERTED_AT_ONCE, Work
from memberstaff.errors import ErrorCode, Refusal, Refusals
from memberstaff.inputs import fold, sendable
from memberstaff.staff.commands import Details, audit_details, defaults, keys
from memberstaff.staff.model import COLUMNS, Person, person

MOST_ROWS = 20_000
"""In one import."""
STORED_AT_ONCE = 1_000
"""Rows in a statement that writes."""

_LOCK = 5_370_114_628_991_002
"""The advisory lock of imports; any number will do. It is taken before those of the roster."""

COLUMN_NAMES = tuple(each.name for each in fields(Details))

Item = TypeVar("Item")


class ImportAction(StrEnum):
    """What an import does with one of its rows."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    UNCHANGED = "UNCHANGED"


@dataclass(frozen=True, slots=True)
class RowChange:
    """What an import does with the row at this index; `columns` are those that change."""

    row: int
    action: ImportAction
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import did, or would do; `changes` omits the rows that change nothing."""

    created: int
    updated: int
    unchanged: int
    changes: tuple[RowChange, ...] = field(default=(), repr=False, compare=False)


class Candidates:
    """The people that rows may match: by reference those who have one, the others by name and category."""

    def __init__(self, people: Sequence[Person]) -> None:
        self._by_ref = {found.external_ref: found for found in people if found.external_ref is not None}
        self._by_name: dict[tuple[str, str], list[Person]] = defaultdict(list)
        for found in people:
            if found.external_ref is None:
                self._by_name[found.sort_key, fold(found.category or "")].append(found)

    def match(self, values: dict[str, Any]) -> Person | None:
        """The person a row is about; None for a new one. Raises Refusal if it could be several."""
        if values["external_ref"] is not None:
            return self._by_ref.get(values["external_ref"])
        found = self._by_name.get(_identity(values), [])
        if len(found) > 1:
            message = "Several people have this name and category; give each an external reference first."
            raise Refusal(ErrorCode.INVALID, message, "name")
        return found[0] if found else None


async def import_staff(work: Work, rows: Sequence[Details], *, dry_run: bool = False) -> ImportOutcome:
    """Create or update the people in these rows; what a row omits stays as it is.

    Rows with a reference are matched by it, the others by name and category among the people who have none.
    Raises Refusals with every bad row, each at the path ("rows", its index, the field); nothing is stored then.
    """
    work.require(Right.MANAGE_STAFF)
    if len(rows) > MOST_ROWS:
        raise Refusals(Refusal(ErrorCode.LIMIT_EXCEEDED, f"An import may have at most {MOST_ROWS:,} rows.", "rows"))
    if work.dialect == "postgresql" and not dry_run:
        # One at a time: the second of two that bring the same people has to find those of the first, and not create
        # them again; only a reference would stop it.
        await work.row(select(func.pg_advisory_xact_lock(_LOCK)))
    candidates = Candidates(await _find_candidates(work, rows))
    refusals: list[Refusal] = []
    seen: dict[object, int] = {}
    created: list[dict[str, Any]] = []
    updated: list[tuple[Person, dict[str, Any]]] = []
    changes: list[RowChange] = []
    for index, row in enumerate(rows):
        if index % CONVERTED_AT_ONCE == 0:
            await asyncio.sleep(0)  # so that other tasks run
        try:
            before, values = _resolve(work, row, candidates)
            key = before.id if before else values["external_ref"] or _identity(values)
            if key in seen:
                message = f"This is the same person as in row {seen[key] + 1} of the import."
                raise Refusal(ErrorCode.DUPLICATE, message, "name")
            seen[key] = index
        except Refusal as refusal:
            refusals.append(refusal.under("rows", str(index)))
            continue
        columns = _differing(values, defaults(work) if before is None else _stored(before))
        if before is None:
            created.append(values)
            changes.append(RowChange(index, ImportAction.CREATED, values["name"], columns))
        elif columns:
            updated.append((before, values))
            changes.append(RowChange(index, ImportAction.UPDATED, values["name"], columns))
    if refusals:
        raise Refusals(*refusals)
    if (created or updated) and not dry_run:
        await _store(work, created, updated)
    return ImportOutcome(len(created), len(updated), len(rows) - len(changes), tuple(changes))


def _resolve(work: Work, row: Details, candidates: Candidates) -> tuple[Person | None, dict[str, Any]]:
    """The person the row is about, and their new values. Raises Refusal."""
    as_new = row.checked(stored=defaults(work))
    before = candidates.match(as_new)
    return before, as_new if before is None else row.checked(stored=_stored(before))


def _stored(before: Person) -> dict[str, Any]:
    return {name: getattr(before, name) for name in COLUMN_NAMES}


def _differing(values: dict[str, Any], stored: dict[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in COLUMN_NAMES if values[name] != stored[name])


def _identity(values: dict[str, Any]) -> tuple[str, str]:
    return fold(values["name"]), fold(values["category"] or "")


async def _find_candidates(work: Work, rows: Sequence[Details]) -> list[Person]:
    """Everybody whom a row may match, in one statement of constant size."""
    refs: set[str] = set()
    sort_keys: set[str] = set()
    for page in _pages(rows, CONVERTED_AT_ONCE):
        of_page = _names(page)
        refs |= of_page[0]
        sort_keys |= of_page[1]
        await asyncio.sleep(0)
    return await work.objects(
        select(*COLUMNS)
        .where(
            staff.c.erased_at.is_(None),
            or_(
                any_of(staff.c.external_ref, refs),
                staff.c.external_ref.is_(None) & any_of(staff.c.sort_key, sort_keys),
            ),
        )
        .order_by(staff.c.id)
        .with_for_update(key_share=True),
        person,
    )


def _names(rows: Sequence[Details]) -> tuple[set[str], set[str]]:
    """The references and the folded names in the rows, which may be invalid in any way."""
    refs = {sendable(row.external_ref.strip()) for row in rows if isinstance(row.external_ref, str)}
    sort_keys = {sendable(fold(row.name)) for row in rows if isinstance(row.name, str)}
    return {ref for ref in refs if ref}, {key for key in sort_keys if key}


async def _store(work: Work, created: list[dict[str, Any]], updated: list[tuple[Person, dict[str, Any]]]) -> None:
    audited: list[tuple[int, str, dict[str, Any]]] = []
    try:
        for new in _pages(created, STORED_AT_ONCE):
            rows = await work.rows(
                staff.insert().returning(staff.c.id, sort_by_parameter_order=True),
                [{**values, **keys(values), "version": 1} for values in new],
            )
            audited += [(row.id, "created", values) for row, values in zip(rows, new, strict=True)]
        for changed in _pages(updated, STORED_AT_ONCE):
            changes = [
                {**values, **keys(values), "version": before.version + 1, "_id": before.id}
                for before, values in changed
            ]
            await work.write(update(staff).where(staff.c.id == bindparam("_id")), changes)
            audited += [(before.id, "updated", values) for before, values in changed]
    except IntegrityError:
        message = "One of these references has just been given to somebody else. Import again."
        raise Refusals(Refusal(ErrorCode.DUPLICATE, message, "rows")) from None
    for done in _pages(audited, STORED_AT_ONCE):
        await work.audit_all("staff", ((staff_id, action, audit_details(values)) for staff_id, action, values in done))
    await raise_roster_version(work)


def _pages(rows: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The rows in parts, between which other tasks run."""
    return (rows[start : start + size] for start in range(0, len(rows), size))
