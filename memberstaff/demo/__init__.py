"""Plausible demo data: a school, two weeks of attendance, and a morning in progress."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from memberstaff.access import COMMAND_LINE
from memberstaff.accounts import directory
from memberstaff.accounts.passwords import Passwords
from memberstaff.attendance.times import NEVER, Times, after_mark
from memberstaff.changes import Status
from memberstaff.db.database import Database
from memberstaff.db.installation import raise_roster_version
from memberstaff.db.migrate import migrate
from memberstaff.db.tables import account, attendance, attendance_day, attendance_revision, staff
from memberstaff.db.work import Work
from memberstaff.demo import avatar
from memberstaff.demo.logins import Login
from memberstaff.demo.marks import DemoMark, marks
from memberstaff.demo.people import people as demo_people
from memberstaff.errors import ErrorCode, Refusal
from memberstaff.settings import Settings
from memberstaff.staff.commands import keys

HISTORY = timedelta(days=14)
SEED = 1
PEOPLE = 60

__all__ = ["Loaded", "install", "load", "today"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many people and changes were stored."""

    people: int
    marks: int


async def today(database: Database) -> date:
    """Today's date in the organisation's time zone."""
    async with database.read() as reading:
        return reading.today


async def install(settings: Settings, logins: list[Login]) -> None:
    """Prepare the demo's database: tables, accounts, people, and today partly marked; existing data stays."""
    url, pgbouncer = settings.database_url.get_secret_value(), settings.database_pgbouncer
    database = Database(url, zone=settings.zone, pool_size=2, pgbouncer=pgbouncer)
    try:
        await migrate(database.engine)
        await _add_accounts(database, logins)
        on = await today(database)
        async with database.write() as work:
            work.caller = COMMAND_LINE
            if await _is_empty(work):
                await _add_people(work, PEOPLE, on, SEED)
            numbers = await _numbers(work)
            for day in _days(on, settings.working_weekdays):
                if not await work.scalar(select(attendance_day.c.date).where(attendance_day.c.date == day)):
                    await _add_day(work, day, numbers, SEED, on, settings.working_weekdays)
    finally:
        await database.close()


async def load(database: Database, *, people: int, on: date, seed: int, working: AbstractSet[int]) -> Loaded:
    """Fill an empty database: people, two weeks of attendance, and `on` partly marked. Raises Refusal."""
    async with database.write() as work:
        work.caller = COMMAND_LINE
        if not await _is_empty(work):
            raise Refusal(ErrorCode.INVALID, "This database already has people; demo data needs an empty one.")
        await _add_people(work, people, on, seed)
        numbers = await _numbers(work)
        added = 0
        for day in _days(on, working):
            added += await _add_day(work, day, numbers, seed, on, working)
    return Loaded(people, added)


def _days(last: date, working: AbstractSet[int]) -> list[date]:
    """The working days of two weeks, and the last day in any case."""
    days = [last - timedelta(days=back) for back in range(HISTORY.days, 0, -1)]
    return [*(day for day in days if day.weekday() in working), last]


async def _is_empty(work: Work) -> bool:
    return not await work.scalar(select(func.count()).select_from(staff))


async def _numbers(work: Work) -> list[int]:
    return [row.id for row in await work.rows(select(staff.c.id).order_by(staff.c.id))]


async def _add_accounts(database: Database, logins: list[Login]) -> None:
    passwords = Passwords()
    for login in logins:
        async with database.read() as reading:
            existing = await reading.scalar(select(account.c.id).where(account.c.email == login.email))
        if existing is None:
            hashed = await passwords.hash(login.password)
            async with database.write() as work:
                work.caller = COMMAND_LINE
                await directory.add(
                    work, email=login.email, role=login.role, password_hash=hashed, display_name=login.name
                )


async def _add_people(work: Work, number: int, on: date, seed: int) -> None:
    rows = []
    for person in demo_people(number, seed):
        values = {
            "name": person.name,
            "category": person.category,
            "photo_url": f"/avatars/{avatar.key(person.name)}.svg",
            "external_ref": person.external_ref,
            "starts_on": on.replace(month=1, day=1) - timedelta(days=365 * person.tenure),
        }
        rows.append({**values, **keys(values), "version": 1})
    await work.write(staff.insert(), rows)
    await raise_roster_version(work)


async def _add_day(work: Work, day: date, numbers: list[int], seed: int, on: date, working: AbstractSet[int]) -> int:
    until = _until(work, day) if day == on else None
    made = marks(day, numbers, seed, work.zone, until=until)
    by = await work.scalar(select(account.c.id).where(account.c.role == "MARKER").order_by(account.c.id).limit(1))
    await work.write(
        attendance_day.insert().values(date=day, working=day.weekday() in working, position=len(made), day_version=0)
    )
    log = [_revision(day, position, mark, by) for position, mark in enumerate(made, start=1)]
    _add_arrivals(log)
    if log:
        await work.write(attendance_revision.insert(), log)
        last = {row["staff_id"]: row for row in log}
        await work.write(attendance.insert(), [_record(row) for row in last.values()])
    return len(made)


def _until(work: Work, day: date) -> datetime | None:
    """Now for a day in progress, its end for any other."""
    ends = datetime.combine(day, datetime.max.time(), work.zone)
    return min(work.now, ends)


def _revision(day: date, position: int, mark: DemoMark, by: int | None) -> dict[str, Any]:
    return {
        "date": day,
        "position": position,
        "staff_id": mark.staff_id,
        "version": mark.version,
        "status": mark.status.value,
        "note": mark.note,
        "photo_url": None,
        "changed_at": mark.at,
        "changed_by": by,
    }


def _add_arrivals(log: list[dict[str, Any]]) -> None:
    """People came when they were marked so."""
    before: dict[int, tuple[Status, Times]] = {}
    for row in log:
        was, times = before.get(row["staff_id"], (Status.UNMARKED, NEVER))
        status = Status(row["status"])
        after = after_mark(times, was, status, came_at=row["changed_at"])
        before[row["staff_id"]] = status, after
        row.update(after._asdict())


def _record(revision: dict[str, Any]) -> dict[str, Any]:
    """The record after a person's last revision."""
    record = dict(revision)
    record["updated_at"] = record.pop("changed_at")
    record["updated_by"] = record.pop("changed_by")
    return record
