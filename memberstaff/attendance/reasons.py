"""Reasons of marks: a short list that administrators keep. What was chosen once is never deleted, but retired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Text, cast, func, literal_column, select, update
from sqlalchemy.exc import IntegrityError

from memberstaff.access import Right
from memberstaff.attendance.days import is_finished
from memberstaff.changes import Reason
from memberstaff.db.installation import raise_roster_version
from memberstaff.db.tables import installation, reason
from memberstaff.db.work import Reading, Work
from memberstaff.errors import ErrorCode, Refusal, Unavailable
from memberstaff.inputs import UNSET, Unset, fold, line

LONGEST = 100
"""Characters of a name."""
MOST = 100
"""Reasons, retired ones included: everybody who marks is to find theirs."""


@dataclass(frozen=True, slots=True)
class ReasonDetails:
    """What can be said of a reason; `UNSET` keeps the stored value (for a new one, the default)."""

    name: str | Unset = UNSET
    for_viewers: bool | Unset = UNSET
    retired: bool | Unset = UNSET


async def all_reasons(reading: Reading) -> list[Reason]:
    """The reasons that the reader may see, by name."""
    reading.require(Right.READ)
    rows = await reading.rows(select(*COLUMNS).order_by(reason.c.key))
    found = [of_row(row) for row in rows]
    return [each for each in found if each.for_viewers or reading.reader.may(Right.READ_NOTES)]


async def create(work: Work, details: ReasonDetails) -> Reason:
    """Add a reason. Raises Refusal, and Unavailable while processes of an earlier release may serve."""
    await _begin(work)
    if await work.scalar(select(func.count()).select_from(reason)) >= MOST:
        raise Refusal(
            ErrorCode.LIMIT_EXCEEDED, f"There are {MOST} reasons already; rename one that is retired.", "name"
        )
    if details.name is UNSET:
        raise Refusal(ErrorCode.INVALID, "A reason needs a name.", "name")
    values = _values(details)
    new = {"for_viewers": False, "retired": False, **values}
    created = await _stored(work, reason.insert().values(new).returning(*COLUMNS))
    await work.audit("reason", created.id, "created", _told(created))
    return created


async def change(work: Work, reason_id: int, details: ReasonDetails) -> Reason:
    """Rename a reason, show it to viewers or not, retire it or bring it back. Raises as `create` does."""
    await _begin(work)
    row = await work.row(select(*COLUMNS).where(reason.c.id == reason_id))
    if row is None:
        raise Refusal(ErrorCode.NOT_FOUND, "There is no such reason.", "id")
    before, values = of_row(row), _values(details)
    if all(getattr(before, name) == value for name, value in values.items() if name != "key"):
        return before
    statement = update(reason).where(reason.c.id == reason_id).values(values).returning(*COLUMNS)
    changed = await _stored(work, statement)
    await work.audit("reason", reason_id, "updated", _told(changed))
    await raise_roster_version(work)  # boards show it by its name
    return changed


async def find(reading: Reading, name: str) -> Reason:
    """The reason with this name, in any spelling. Raises Refusal."""
    reading.require(Right.READ_NOTES)
    row = await reading.row(select(*COLUMNS).where(reason.c.key == fold(name)))
    if row is None:
        raise Refusal(ErrorCode.NOT_FOUND, f"There is no reason {name!r}.", "reason")
    return of_row(row)


COLUMNS = (reason.c.id, reason.c.name, reason.c.for_viewers, reason.c.retired)
"""What a statement selects for `of_row`."""


def of_row(row: Sequence[Any]) -> Reason:
    """Build a Reason from a row of exactly `COLUMNS`."""
    return Reason(*row)


def wanted(dialect: str, condition: ColumnElement[bool]) -> ColumnElement[str | None]:
    """A scalar subquery: the reasons that match, as JSON for `unpacked`; with it, a statement need not be two."""
    array, one = (
        (func.json_agg, func.json_build_object)
        if dialect == "postgresql"
        else (func.json_group_array, func.json_object)
    )
    values: list[ColumnElement[Any]] = []
    for column in COLUMNS:
        values += literal_column(f"'{column.key}'"), column
    return select(cast(array(one(*values)), Text)).where(condition).scalar_subquery().label("wanted_reasons")


def unpacked(packed: str | None) -> dict[int, Reason]:
    """The reasons in an answer of `wanted`, by number."""
    return {each.id: each for each in _DECODER.decode(packed or "[]")}


_DECODER = msgspec.json.Decoder(list[Reason], strict=False)
"""SQLite writes 0 and 1 for false and true."""


async def _begin(work: Work) -> None:
    work.require(Right.MANAGE_REASONS)
    row = await work.row(select(installation.c.least_revision).with_for_update())
    assert row is not None
    if not is_finished(row):
        raise Unavailable("Reasons can be kept once this upgrade is finished.", applied=False)


def _values(details: ReasonDetails) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if details.name is not UNSET:
        name = line(details.name, longest=LONGEST, what="The name", path="name")
        values |= {"name": name, "key": fold(name)}
    if details.for_viewers is not UNSET:
        values["for_viewers"] = details.for_viewers
    if details.retired is not UNSET:
        values["retired"] = details.retired
    return values


def _told(stored: Reason) -> dict[str, Any]:
    return {"name": stored.name, "for_viewers": stored.for_viewers, "retired": stored.retired}


async def _stored(work: Work, statement: Any) -> Reason:
    try:
        row = await work.row(statement)
    except IntegrityError:
        raise Refusal(ErrorCode.DUPLICATE, "There is a reason of this name already.", "name") from None
    assert row is not None
    return of_row(row)
