"""The server that is fuzzed, in a process of its own, and the accounts and people that there are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
from psutil import Process
from sqlalchemy import select, update

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.accounts import directory
from memberstaff.attendance.cursor import Cursor
from memberstaff.db.database import Database
from memberstaff.db.migrate import migrate
from memberstaff.db.tables import account, installation, staff
from memberstaff.staff.commands import Details
from memberstaff.staff.importing import import_staff
from schema.ids import global_id
from tests.databases import UTC_ZONE
from tests.fuzz.cases import World
from tests.infrastructure.process import free_port, start, stop
from tests.installation import PASSWORD, SECRET, WEAK, add_accounts, email, open_sessions
from tests.installation import settings as settings_of

CHANNEL, ECHO_KEY = "fuzz", "fuzz"
BYSTANDER = "bystander@school.example"
BYSTANDERS_ID, BYSTANDERS_PEOPLE = 2**40 + 77, range(2**40, 2**40 + 5)
"""Far from what an attacker's mutation of an id comes to: an administrator may rightly disable any account."""
ATTACKED_PEOPLE = 20

SETTINGS = {
    "BROADCAST_CHANNEL": CHANNEL,
    "SECRET_KEY": SECRET,
    "ACCESS_TOKEN_SECONDS": "86400",
    "ECHO_KEY": ECHO_KEY,
    "ECHO_PUBLIC": "true",
    "ECHO_CHANNEL": "attendance",
    "METRICS": "true",
    "LOG_FORMAT": "json",
    # Short, so that sockets without a channel meet it.
    "ECHO_IDLE_SECONDS": "2",
    # Small, so that what memory grows by is not what is kept on purpose.
    "RECENT_CHANGES": "200",
    "RENDERING_CACHE_BYTES": "1000000",
    "RESPONSE_CACHE_BYTES": "2000000",
    "DOCUMENT_CACHE_BYTES": "5000000",
    "BOARD_CACHE_BOARDS": "2",
    "TOKEN_CACHE_TOKENS": "100",
}


class Target:
    """A process that serves HTTP on a port, and what it has written."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
        self.port = free_port()
        self._log = folder / "server.log"
        self._command = [*command, "--port", str(self.port)]
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0

    @property
    def http(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it serves."""
        self._process = start(self._command, log=self._log, ready=self._answers, environment=self._environment)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self._process is not None:
            stop(self._process)

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll() if self._process is not None else None

    @property
    def _of(self) -> Process:
        assert self._process is not None
        return Process(self._process.pid)

    def rss_mib(self) -> float:
        """Resident memory; 0 when it has ended."""
        return 0 if self.exit_code is not None else self._of.memory_info().rss / 2**20

    def descriptors(self) -> int:
        """Open files and sockets; 0 when it has ended."""
        return 0 if self.exit_code is not None else self._of.num_fds()

    def new_lines(self) -> list[str]:
        """What it has logged since the last call, in whole lines."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.decode("utf-8", "backslashreplace").splitlines()

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.http}/health/live", timeout=5).status_code == 200
        except httpx2.HTTPError:
            return False


def memberstaff(database_url: str, redis_url: str, folder: Path) -> Target:
    """`memberstaff serve`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMBERSTAFF_")}
    mine = {**SETTINGS, "DATABASE_URL": database_url, "BROADCAST_URL": redis_url}
    environment |= {f"MEMBERSTAFF_{name}": value for name, value in mine.items()}
    return Target([sys.executable, "-m", "memberstaff", "serve"], folder, environment)


class Office:
    """The database behind the server: who may log in, and who is marked."""

    def __init__(self, database_url: str) -> None:
        self._settings = settings_of(database_url, access_token_seconds=86_400)
        self._database = Database(database_url, zone=UTC_ZONE, pool_size=2)
        self.secrets: dict[str, str] = {}
        """What no answer may hold, by what it is."""

    async def furnish(self) -> None:
        """Migrate, and add accounts and people."""
        await migrate(self._database.engine)
        hashed = await WEAK.hash(PASSWORD)
        async with self._database.write() as work:
            work.caller = COMMAND_LINE
            await add_accounts(work)
            added = await directory.add(work, email=BYSTANDER, role=Role.ADMIN, password_hash=hashed)
            await work.write(update(account).where(account.c.id == added.id).values(id=BYSTANDERS_ID))
            since = date(2024, 1, 1)
            people = [Details(name=f"Person {at:02}", category="Teaching", starts_on=since) for at in range(20)]
            await import_staff(work, people)
            await import_staff(work, [Details(name=f"Quiet {at}", starts_on=since) for at in BYSTANDERS_PEOPLE])
            for number in BYSTANDERS_PEOPLE:
                await work.write(update(staff).where(staff.c.name == f"Quiet {number}").values(id=number))
        self.secrets = {"the secret key": SECRET, "a password's hash": "$argon2"}

    async def tokens(self) -> dict[Role, str]:
        """New sessions of the attackers' accounts, which get back what attackers took from them."""
        async with self._database.write() as work:
            work.caller = COMMAND_LINE
            for role in Role:
                mine = account.c.email == email(role)
                await work.write(update(account).where(mine).values(role=role, disabled_at=None))
            return await open_sessions(work, self._settings)

    async def epoch(self) -> int:
        """Of the log."""
        async with self._database.read() as reading:
            return int(await reading.scalar(select(installation.c.epoch)))

    async def world(self) -> World:
        """What cases are filled with."""
        today = self._database.now().date()
        keys: list[tuple[Any, ...]] = [("Staff", number) for number in range(1, ATTACKED_PEOPLE + 1)]
        keys += [("Attendance", number, today) for number in range(1, 6)]
        keys += [("Account", number) for number in range(1, 4)]
        keys += [("AttendanceDay", today), ("DaySummary", today), ("Viewer", 1), ("AttendanceRevision", 1, today, 1)]
        keys += [("Staff", 2**63), ("Account", -1), ("Attendance", 1), ("Nothing", "x")]
        return World(
            today=today.isoformat(),
            tokens=await self.tokens(),
            refresh_tokens=dict.fromkeys(Role, "none yet"),
            ids=tuple(str(global_id(*key)) for key in keys),
            cursor=str(Cursor(await self.epoch(), today, 0)),
            secret=SECRET,
            echo_key=ECHO_KEY,
            channel=CHANNEL,
            password=PASSWORD,
            emails={role: email(role) for role in Role},
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._database.close()


def is_json(line: str) -> bool:
    """Whether it is a line of our log, and not what something else has printed."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
