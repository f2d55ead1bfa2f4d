"""`memberstaff audit`: the log as lines for programs, or as a table for spreadsheets."""

from __future__ import annotations

import csv
import errno
import json
import os
from io import StringIO
from pwd import getpwuid
from typing import Any

import pytest

from memberstaff import origin
from memberstaff.access import COMMAND_LINE, Role
from memberstaff.accounts import directory
from memberstaff.accounts.passwords import PasswordHash
from memberstaff.cli import audit as command
from memberstaff.db import audit
from memberstaff.db.audit import count_refused
from memberstaff.db.database import Database
from memberstaff.origin import Origin
from tests.clock import TurnedClock
from tests.services.command_line import memberstaff, said

DESK = "desk@school.example"


async def desk(database: Database) -> int:
    async with database.write() as work:
        work.caller = COMMAND_LINE
        hashed = PasswordHash("$argon2id$of$nobody")
        return (await directory.add(work, email=DESK, role=Role.MARKER, password_hash=hashed)).id


def lines(*options: str, url: str) -> list[dict[str, Any]]:
    done = memberstaff("audit", *options, url=url)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_the_log_is_written_oldest_first_a_line_each(
    database: Database, database_url: str, clock: TurnedClock
) -> None:
    number = await desk(database)
    clock.turn(hours=1)
    with origin.coming_from(Origin("192.0.2.1", "Firefox")):
        async with database.write() as work:
            for account in (number, number, None):
                await count_refused(work, "login_failed", account_id=account, address="2001:db8:1:2::3")
    created, failed, unknown = lines(url=database_url)
    assert (created["action"], created["subject_id"], created["details"]) == (
        "created",
        str(number),
        {"role": "MARKER", "display_name": "Desk"},
    )
    assert failed == {
        "id": failed["id"],
        "at": "2026-01-12T09:00:00.000Z",
        "by": None,
        "operator": None,
        "subject": "account",
        "subject_id": str(number),
        "action": "login_failed",
        "details": {},
        "address": "2001:db8:1::/48",
        "user_agent": "Firefox",
        "device": None,
        "count": 2,
    }
    assert (unknown["subject_id"], unknown["count"]) == (None, 1)
    for options, found in (
        (("--account", DESK), [created, failed]),
        (("--action", "login_failed"), [failed, unknown]),
        (("--since", "2026-01-12T09:00"), [failed, unknown]),
        (("--until", "2026-01-12T10:00+01:00"), [created]),
        (("--since", "2026-01-13"), []),
    ):
        assert lines(*options, url=database_url) == found


async def test_what_the_command_line_does_is_told_of_its_user(database: Database, database_url: str) -> None:
    await desk(database)
    assert memberstaff("account", "disable", DESK, url=database_url).returncode == 0
    *_, last = lines(url=database_url)
    assert (last["action"], last["by"]) == ("disabled", None)
    assert str(last["operator"]).startswith(getpwuid(os.getuid()).pw_name)


async def test_a_spreadsheet_calculates_nothing_that_a_stranger_sent(database: Database, database_url: str) -> None:
    for agent in ("=HYPERLINK(1)", "+1", "-1", "@x", "Firefox, 1"):
        with origin.coming_from(Origin("192.0.2.1", agent)):
            async with database.write() as work:
                await count_refused(work, agent[:1], account_id=None, address="192.0.2.1")
    done = memberstaff("audit", "--format", "csv", url=database_url)
    rows = list(csv.DictReader(StringIO(done.stdout)))
    assert [row["user_agent"] for row in rows] == ["'=HYPERLINK(1)", "'+1", "'-1", "'@x", "Firefox, 1"]
    assert list(rows[0]) == list(command.COLUMNS)


async def test_pages_are_written_one_after_the_other(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PAGE", 2)
    for number in range(5):
        async with database.write() as work:
            await count_refused(work, f"a{number}", account_id=None, address="192.0.2.1")
    assert [line["action"] for line in lines(url=database_url)] == [f"a{number}" for number in range(5)]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_cannot_be_looked_for_is_said(database_url: str) -> None:
    assert said(memberstaff("audit", "--since", "yesterday", url=database_url)) == (
        "--since: 'yesterday' is not an instant such as 2026-01-15 or 2026-01-15T08:30."
    )
    nobody = memberstaff("audit", "--account", "nobody@school.example", url=database_url)
    assert said(nobody) == "There is no account with this email address."


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_full_disk_is_not_called_the_databases_fault(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk(database)

    def full(_: dict[str, Any]) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(command, "WRITERS", {command.Format.JSONL: lambda: full})
    assert said(memberstaff("audit", url=database_url)) == "The log cannot be written: No space left on device."
