"""Commands for importing rosters and past attendance, and for erasing people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar
from zoneinfo import ZoneInfo

import typer
from rich.progress import Progress

from memberstaff.access import COMMAND_LINE
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.importing import AttendanceRow, import_attendance
from memberstaff.attendance.written_times import CLEARED, BadTime, read_time
from memberstaff.changes import Status
from memberstaff.cli import table
from memberstaff.cli.console import CommandError, app, database, errors, out, run, work
from memberstaff.cli.table import Row
from memberstaff.errors import Refusals
from memberstaff.inputs import UNSET
from memberstaff.settings import load
from memberstaff.staff.commands import Details, erase
from memberstaff.staff.importing import ImportOutcome, import_staff

staff_group = typer.Typer(help="The people whose attendance is recorded.", no_args_is_help=True)
app.add_typer(staff_group, name="staff")
attendance_group = typer.Typer(help="Attendance of past days.", no_args_is_help=True)
app.add_typer(attendance_group, name="attendance")

T = TypeVar("T")
File = Annotated[Path, typer.Argument(metavar="FILE.csv", help="UTF-8, separated by comma, semicolon or tab.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")]

STAFF_COLUMNS = {
    "name": "name",
    "category": "category",
    "photo url": "photo_url",
    "photo": "photo_url",
    "external ref": "external_ref",
    "reference": "external_ref",
    "ref": "external_ref",
    "starts on": "starts_on",
    "ends on": "ends_on",
}
ATTENDANCE_COLUMNS = {
    "date": "date",
    "external ref": "external_ref",
    "reference": "external_ref",
    "ref": "external_ref",
    "name": "name",
    "status": "status",
    "note": "note",
    "arrived at": "arrived_at",
    "arrived": "arrived_at",
    "arrival": "arrived_at",
    "reason": "reason",
    "left at": "left_at",
    "left": "left_at",
    "departure": "left_at",
}


class _BadCell(Exception):
    """A cell that is not valid; the message says why."""


@staff_group.command("import")
def staff_import(file: File, dry_run: DryRun = False) -> None:
    """Create and update people. Columns: name, category, photo_url, external_ref, starts_on, ends_on.

    Rows are matched by external_ref or, without one, by name and category. All or nothing.
    """
    rows = table.read(file, STAFF_COLUMNS, required={"name"})
    people = _converted(file, rows, _details)

    async def main() -> None:
        outcome = ImportOutcome(0, 0, 0)
        try:
            async with work() as writing:
                outcome = await import_staff(writing, people, dry_run=dry_run)
        except Refusals as refused:
            _raise_with_lines(file, rows, refused)
        would = "would be " if dry_run else ""
        changes = f"{outcome.created:,} {would}created, {outcome.updated:,} {would}updated"
        out.print(f"{changes}, {outcome.unchanged:,} unchanged.", soft_wrap=True)

    run(main)


@attendance_group.command("import")
def attendance_import(file: File, dry_run: DryRun = False) -> None:
    """Import past attendance. Columns: date, external_ref or name, status, note, reason, arrived_at, left_at.

    Times are such as 08:05, in the organisation's time zone, or, after midnight, with the date: 2026-01-16 06:00. A
    reason is named as in the list of reasons. An empty cell keeps what is stored, and - removes a reason or a time.
    Every row is checked first: if one is wrong, nothing is stored. If it is interrupted, import the same file again.
    """
    settings = load()
    rows = table.read(file, ATTENDANCE_COLUMNS, required={"date", "status"})
    marks = _converted(file, rows, partial(_mark, zone=settings.zone))

    async def main() -> None:
        calendar = Calendar(settings.working_weekdays)
        stored = 0
        with Progress(console=errors, transient=True) as bar:
            task = bar.add_task("Importing", total=len(marks))

            def advance(committed: int) -> None:
                nonlocal stored
                stored += committed
                bar.advance(task, committed)

            try:
                async with database() as opened:
                    changes = await import_attendance(
                        opened, calendar, COMMAND_LINE, marks, dry_run=dry_run, progress=advance
                    )
            except Refusals as refused:
                _raise_with_lines(file, rows, refused, stored)
            except BaseException:
                if stored:
                    errors.print(_stopped(stored, len(rows)), soft_wrap=True)
                raise
        would = "would be made" if dry_run else "made"
        out.print(f"{changes:,} changes {would}, {len(marks) - changes:,} rows unchanged.")

    run(main)


@staff_group.command("erase")
def staff_erase(
    person: Annotated[str, typer.Argument(metavar="ID", help="The person's id in GraphQL, or their number.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Erase a person: name, photo and notes go from every table and the log; statuses and positions stay."""
    number = staff_number(person)
    if not yes:
        typer.confirm("This cannot be undone. Erase?", abort=True)

    async def main() -> None:
        async with work() as writing:
            await erase(writing, number)
        out.print("Erased. Copies in backups and exported files are not touched.")

    run(main)


def staff_number(person: str) -> int:
    """A person's number, from their GraphQL id or from the number itself."""
    from base64 import urlsafe_b64decode

    if person.isascii() and person.isdigit():
        return int(person)
    try:
        type_name, _, number = urlsafe_b64decode(person + "=" * (-len(person) % 4)).decode().partition(":")
        if type_name == "Staff":
            return int(number)
    except ValueError:
        pass
    raise CommandError(f"{person!r} is not the id of a person.")


def _converted(file: Path, rows: Sequence[Row], convert: Callable[[Row], T]) -> list[T]:
    """All rows converted; raises CommandError, which names each bad row with its line."""
    good: list[T] = []
    bad: list[str] = []
    for row in rows:
        try:
            good.append(convert(row))
        except _BadCell as error:
            bad.append(f"{file}, line {row.line}: {error}")
    if bad:
        raise CommandError("\n".join([*bad, "Nothing was imported."]))
    return good


def _stopped(stored: int, rows: int) -> str:
    return f"{stored:,} of {rows:,} rows are stored. Import the file again: it changes nothing of them."


def _raise_with_lines(file: Path, rows: Sequence[Row], refused: Refusals, stored: int = 0) -> NoReturn:
    lines = []
    for refusal in refused.refusals:
        index = refusal.path[1] if len(refusal.path) > 1 else ""
        line = f"{file}, line {rows[int(index)].line}: " if index.isdigit() else ""
        lines.append(f"{line}{refusal.message}")
    raise CommandError(
        "\n".join([*lines, _stopped(stored, len(rows)) if stored else "Nothing was imported."])
    ) from None


def _details(row: Row) -> Details:
    cells = row.cells
    if "name" not in cells:
        raise _BadCell("The name is empty.")
    return Details(
        name=cells["name"],
        category=cells.get("category", UNSET),
        photo_url=cells.get("photo_url", UNSET),
        external_ref=cells.get("external_ref", UNSET),
        starts_on=_date(cells["starts_on"]) if "starts_on" in cells else UNSET,
        ends_on=_date(cells["ends_on"]) if "ends_on" in cells else UNSET,
    )


def _mark(row: Row, zone: ZoneInfo) -> AttendanceRow:
    cells = row.cells
    if not {"name", "external_ref"} & set(cells):
        raise _BadCell("The external_ref and the name are both empty.")
    if not {"date", "status"} <= set(cells):
        raise _BadCell("The date or the status is empty.")
    status = cells["status"].upper().replace(" ", "_").replace("-", "_")
    if status not in Status.__members__:
        raise _BadCell(f"{cells['status']!r} is not a status: {', '.join(Status)}.")
    on = _date(cells["date"])
    return AttendanceRow(
        date=on,
        external_ref=cells.get("external_ref"),
        name=cells.get("name"),
        status=Status(status),
        note=cells.get("note", UNSET),
        reason=UNSET if "reason" not in cells else None if cells["reason"] == CLEARED else cells["reason"],
        arrived_at=_time(cells["arrived_at"], on, zone) if "arrived_at" in cells else UNSET,
        left_at=_time(cells["left_at"], on, zone) if "left_at" in cells else UNSET,
    )


def _time(text: str, on: date, zone: ZoneInfo) -> datetime | None:
    try:
        return read_time(text, on, zone)
    except BadTime as error:
        raise _BadCell(str(error)) from None


def _date(text: str) -> date:
    try:
        if len(text) == len("2026-01-15"):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise _BadCell(f"{text!r} is not a date such as 2026-01-15.")
