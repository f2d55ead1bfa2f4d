"""The command line, as a person uses it: arguments, settings and input go in; output and an exit code come out."""

from __future__ import annotations

import asyncio
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from sqlalchemy import select

from memberstaff.cli.install import settings_page
from memberstaff.db.database import Database
from memberstaff.db.tables import staff
from memberstaff.settings import Settings
from schema.ids import global_id
from tests.clock import TurnedClock
from tests.databases import UTC_ZONE
from tests.front_ends import WATCH
from tests.installation import install
from tests.services.command_line import ROOT, installed, memberstaff, said

ROSTER = ROOT / "tests" / "rosters" / "school.csv"


def test_the_settings_page_is_current() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page()


def test_each_setting_stands_in_one_part_of_the_page() -> None:
    _, to_set, to_leave = settings_page().split("\n## ")
    assert to_set.startswith("What to set\n")
    assert to_leave.startswith("What to leave alone\n")
    parts = [re.findall(r"^\| `MEMBERSTAFF_(\w+)` \|", part, re.MULTILINE) for part in (to_set, to_leave)]
    assert sorted(parts[0] + parts[1]) == sorted(name.upper() for name in Settings.model_fields)
    assert {"DATABASE_URL", "SECRET_KEY", "TIME_ZONE", "TRUSTED_PROXIES", "OIDC_ROLES", "ECHO_KEY"} <= {*parts[0]}
    assert {"DEMO", "DATABASE_POOL_SIZE", "MAX_DEPTH", "PING_SECONDS", "LOGINS_PER_MINUTE"} <= {*parts[1]}


def test_the_settings_page_shows_neither_what_is_set_nor_a_secret_default(monkeypatch: pytest.MonkeyPatch) -> None:
    before = settings_page()
    secret = [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]
    assert secret == ["database_url", "broadcast_url", "secret_key", "accepted_secret_key"]
    for name in secret:
        assert f"\n| `MEMBERSTAFF_{name.upper()}` |  | " in before
        monkeypatch.setenv(f"MEMBERSTAFF_{name.upper()}", "s3cr3t-hunter2")
    assert settings_page() == before


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_the_installed_script_reads_its_input_and_ends_with_an_exit_code(database_url: str) -> None:
    added = installed(
        *("account", "add", "desk@school.example", "--role", "MARKER", "--password-stdin"),
        url=database_url,
        stdin="a long enough password",
    )
    assert (added.returncode, added.stdout, added.stderr) == (0, "desk@school.example can log in as MARKER.\n", "")
    nobody = installed("staff", "erase", "3", url=database_url, stdin="y\n")
    assert said(nobody) == "There is no such person."
    assert nobody.stdout == "This cannot be undone. Erase? [y/N]: "


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_is_logged_is_not_among_what_a_command_prints(database_url: str) -> None:
    await asyncio.to_thread(Path(database_url.partition(":///")[2]).chmod, 0o644)
    told = memberstaff("account", "list", url=database_url)
    assert "The database's file is readable for every user" in told.stderr
    assert "[warning" not in told.stdout


async def test_a_roster_is_imported_once(database_url: str) -> None:
    first = memberstaff("staff", "import", ROSTER, url=database_url)
    assert (first.returncode, first.stdout) == (0, "500 created, 0 updated, 0 unchanged.\n")
    again = memberstaff("staff", "import", ROSTER, url=database_url)
    assert (again.returncode, again.stdout) == (0, "0 created, 0 updated, 500 unchanged.\n")


async def test_a_bad_row_is_named_with_its_line_and_nothing_is_imported(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    file.write_text("name;starts_on\nAna;2026-01-01\n\nBo;2026-02-30\n;2026-01-01\n", encoding="utf-8")
    told = said(memberstaff("staff", "import", file, url=database_url))
    assert "line 4: '2026-02-30' is not a date such as 2026-01-15." in told
    assert "line 5: The name is empty." in told
    assert told.endswith("Nothing was imported.")
    dry = memberstaff("staff", "import", ROSTER, "--dry-run", url=database_url)
    assert dry.stdout == "500 would be created, 0 would be updated, 0 unchanged.\n"


async def test_past_attendance_is_imported_once(database_url: str, tmp_path: Path) -> None:
    assert memberstaff("staff", "import", ROSTER, url=database_url).returncode == 0
    file = tmp_path / "attendance.csv"
    file.write_text(
        "﻿Date,Ref,Name,Status,Note\n2025-11-03,S90001,,on leave,\n2025-11-04,,anne-marie o'brien,Late,Bus\n",
        encoding="utf-8",
    )
    first = memberstaff("attendance", "import", file, url=database_url)
    assert first.stdout == "2 changes made, 0 rows unchanged.\n", first.stderr
    again = memberstaff("attendance", "import", file, url=database_url)
    assert again.stdout == "0 changes made, 2 rows unchanged.\n"
    file.write_text("date,name,status\n2025-11-03,Nobody,late\n2099-01-01,N'Golo Traoré,late\n", encoding="utf-8")
    told = said(memberstaff("attendance", "import", file, url=database_url))
    assert "line 2: There is no such person." in told
    assert "line 3: 2099-01-01 is in the future" in told


async def test_a_null_character_is_the_rows_fault_and_not_the_databases(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "null.csv"
    file.write_bytes(b"date,ref,name,status\n2025-11-03,,A\0na,late\n2025-11-03,S\x001,,late\n")
    told = said(memberstaff("attendance", "import", file, url=database_url))
    assert "line 2: There is no such person." in told
    assert "line 3: There is no such person." in told
    assert "cannot be used" not in told


async def test_a_person_is_erased_by_number_or_id_and_only_once_confirmed(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    file.write_text("name,external_ref\nAmina Diallo,S1\nBo Li,S2\n", encoding="utf-8")
    assert memberstaff("staff", "import", file, url=database_url).returncode == 0
    unsure = memberstaff("staff", "erase", "1", url=database_url, stdin="n\n")
    assert (unsure.returncode, await names(database_url)) == (1, ["Amina Diallo", "Bo Li"])
    sure = memberstaff("staff", "erase", "1", url=database_url, stdin="y\n")
    assert sure.stdout.endswith("Erased. Copies in backups and exported files are not touched.\n")
    assert await names(database_url) == ["", "Bo Li"]
    by_id = memberstaff("staff", "erase", global_id("Staff", 2), "--yes", url=database_url)
    assert (by_id.returncode, await names(database_url)) == (0, ["", ""])
    assert said(memberstaff("staff", "erase", "3", "--yes", url=database_url)) == "There is no such person."


async def names(database_url: str) -> list[str]:
    database = Database(database_url, zone=UTC_ZONE)
    async with database.read() as reading:
        found = [row.name for row in await reading.rows(select(staff.c.name).order_by(staff.c.id))]
    await database.close()
    return found


async def test_a_new_epoch_makes_every_cursor_of_before_start_again(furnished_url: str, clock: TurnedClock) -> None:
    async with install(furnished_url, clock=clock) as installation:
        document = "{ attendanceDay { records { feedCursor } } }"
        before = (await installation.viewer.ask(document))["attendanceDay"]["records"]["feedCursor"]
        done = await asyncio.to_thread(memberstaff, "new-epoch", url=furnished_url)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("A new epoch has begun: ")
        assert done.stdout.endswith("Open boards will reload their day.\n")
        async with installation.socket() as socket:
            await socket.subscribe("1", WATCH, date="2026-01-12", after=before)
            message = await socket.receive()
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "RESTART_REQUIRED"
        after = (await installation.viewer.ask(document))["attendanceDay"]["records"]["feedCursor"]
        assert after != before


async def test_accounts_are_added_listed_and_disabled(database_url: str) -> None:
    password = "a long enough password"
    for email, role in (("ADMIN@School.example", "ADMIN"), ("desk@school.example", "marker")):
        done = memberstaff(
            "account", "add", email, "--role", role, "--password-stdin", url=database_url, stdin=password
        )
        assert done.returncode == 0, done.stderr
    assert "admin@school.example" in memberstaff("account", "list", url=database_url).stdout
    assert memberstaff("account", "disable", "desk@school.example", url=database_url).returncode == 0
    assert "disabled" in memberstaff("account", "list", url=database_url).stdout
    last = said(memberstaff("account", "disable", "admin@school.example", url=database_url))
    assert "last" in last
    short = memberstaff(
        "account", "add", "x@school.example", "--role", "VIEWER", "--password-stdin", url=database_url, stdin="short"
    )
    assert "shorter than 12 characters" in said(short)
    for guessable in ("password1234", "desk-2026-desk"):
        again = ("account", "password", "desk@school.example", "--password-stdin")
        refused = memberstaff(*again, url=database_url, stdin=guessable)
        assert said(refused).startswith("The password is easy to guess: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("serve",), "MEMBERSTAFF_SECRET_KEY is missing"),
        (("serve", "--demo", "--host", "0.0.0.0"), "listens on this machine only"),
        (("serve", "--certificate", "x.pem"), "--certificate and --key must be given together"),
        (("staff", "import", "/nonexistent.csv"), "cannot be read: No such file or directory."),
        (("staff", "erase", "nobody", "--yes"), "'nobody' is not the id of a person."),
        (("schema", "export", "--check", "README.md"), "README.md is out of date"),
        (("migrate", "--url"), "No such option"),
    ],
)
def test_what_goes_wrong_is_said_plainly(arguments: tuple[str, ...], words: str) -> None:
    done = memberstaff(*arguments)
    assert done.returncode in {1, 2}
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_the_version_is_printed() -> None:
    done = memberstaff("--version")
    assert (done.returncode, done.stdout) == (0, f"memberstaff {version('memberstaff')}\n")


def test_an_unmigrated_database_says_what_to_do(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
    assert "Run `memberstaff migrate` first" in said(memberstaff("account", "list", url=url))


@pytest.mark.parametrize("command", [("migrate",), ("account", "list")])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    folder = tmp_path / "missing"
    told = said(memberstaff(*command, url=f"sqlite+aiosqlite:///{folder}/school.db"))
    assert told == f"The database in MEMBERSTAFF_DATABASE_URL cannot be used: {folder} is no folder to write to."


def test_a_database_that_is_away_is_no_traceback() -> None:
    url = "postgresql+asyncpg://nobody:secret@127.0.0.1:1/none"
    told = said(memberstaff("migrate", url=url))
    assert "MEMBERSTAFF_DATABASE_URL cannot be used" in told
    assert "secret" not in told
