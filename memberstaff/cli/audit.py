"""`memberstaff audit`: the audit log, for archives and for programs that watch logins."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from memberstaff.access import COMMAND_LINE
from memberstaff.accounts import directory
from memberstaff.cli.console import CommandError, app, database, run
from memberstaff.db.audit import AuditFilter, Entry, export
from memberstaff.settings import load

COLUMNS = (
    "id",
    "at",
    "by",
    "operator",
    "subject",
    "subject_id",
    "action",
    "details",
    "address",
    "user_agent",
    "device",
    "count",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would calculate. Strangers choose their user agent."""


class Format(StrEnum):
    """Of an export."""

    JSONL = "jsonl"
    CSV = "csv"


Instant = Annotated[str | None, typer.Option(metavar="WHEN", help="2026-01-15, or 2026-01-15T08:30 (local time).")]


@app.command("audit")
def audit_command(
    since: Instant = None,
    until: Instant = None,
    account: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="What this account did, and what was done to it.")
    ] = None,
    action: Annotated[str | None, typer.Option(help="Such as login_failed: see docs/audit.md.")] = None,
    form: Annotated[Format, typer.Option("--format", help="JSON, one object a line; or CSV.")] = Format.JSONL,
) -> None:
    """Write the audit log to stdout, oldest first: logins, refused attempts, and changes of rights, staff and days."""
    zone = load().zone
    bounds = [_instant(name, text, zone) for name, text in (("--since", since), ("--until", until))]

    async def main() -> None:
        async with database() as opened:
            number = None
            if account is not None:
                async with opened.read() as reading:
                    reading.caller = COMMAND_LINE
                    number = (await directory.find(reading, account)).id
            which = AuditFilter(since=bounds[0], until=bounds[1], account=number, action=action)
            write = WRITERS[form]()
            async for entries in export(opened, COMMAND_LINE, which):
                with _written():
                    for entry in entries:
                        write(_cells(entry))
                    sys.stdout.flush()

    run(main)


@contextmanager
def _written() -> Iterator[None]:
    """Explain why stdout takes nothing; any other OSError is the database's. Whoever reads no further says so."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"The log cannot be written: {error.strerror}.") from None


def _instant(option: str, text: str | None, zone: Any) -> datetime | None:
    if text is None:
        return None
    try:
        given = datetime.fromisoformat(text)
        return (given if given.tzinfo is not None else given.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise CommandError(f"{option}: {text!r} is not an instant such as 2026-01-15 or 2026-01-15T08:30.") from None


def _cells(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "by": entry.by_email or entry.by_name,
        "operator": entry.operator,
        "subject": entry.subject.value,
        "subject_id": entry.subject_id or None,
        "action": entry.action,
        "details": entry.details,
        "address": entry.address,
        "user_agent": entry.user_agent,
        "device": entry.device,
        "count": entry.times,
    }


def _jsonl() -> Callable[[dict[str, Any]], None]:
    return lambda cells: print(json.dumps(cells))


def _csv() -> Callable[[dict[str, Any]], None]:
    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    return lambda cells: writer.writerow(_safe_cells(cells))


def _safe_cells(cells: dict[str, Any]) -> Iterator[object]:
    for name in COLUMNS:
        value = json.dumps(cells[name]) if name == "details" else cells[name]
        yield f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


WRITERS = {Format.JSONL: _jsonl, Format.CSV: _csv}
