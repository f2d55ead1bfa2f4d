"""PostgreSQL, Redis, and a template database with a school of 200 people; every run gets a copy of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.documents import PERSON
from benchmarks.machine import Unable
from benchmarks.processes import Failed, answers_graphql, post
from benchmarks.processes import running as server_running
from benchmarks.tools import ROOT, Tools
from schema.ids import staff_key
from tests.infrastructure import postgres, redis
from tests.infrastructure.process import NotFound, free_port, running

LOGINS = Path(__file__).with_name("logins.py")
PEOPLE = 200
EMAIL, PASSWORD = "bench@school.example", "a long enough password"
CATEGORIES = ("TEACHING", "ADMIN", "SUPPORT", "SECURITY")
STATUSES = ("PRESENT", "ABSENT", "LATE", "ON_LEAVE")
SETTINGS = {
    "MEMBERSTAFF_SECRET_KEY": "for the benchmarks only, and long enough for HS256",
    "MEMBERSTAFF_ACCESS_TOKEN_SECONDS": "86400",
    "MEMBERSTAFF_MAX_SOCKETS_PER_ADDRESS": "20000",
    "MEMBERSTAFF_MAX_EVENT_COST_PER_ACCOUNT": "1000000",
    "MEMBERSTAFF_LOG_LEVEL": "warning",
}
"""What differs from the defaults: thousands of boards on one address are not a school."""

NONE: Mapping[str, str] = MappingProxyType({})

DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
"""The tests switch these off; what is measured here is a server that keeps what it has acknowledged."""


@dataclass
class Environment:
    """What all the servers share."""

    tools: Tools
    postgres: postgres.PostgresServer
    redis: redis.RedisServer
    folder: Path
    server_cores: set[int]
    day: date
    other_day: date
    checkout: Path = ROOT
    """Whose memberstaff runs here."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """More of its environment."""
    template: str = ""
    token: str = ""
    """Of the administrator who marks."""
    subscribers: int = 0
    """How many of them log in, at most."""
    logins: Sequence[str] = ()
    """Their access tokens."""
    staff_id: str = ""
    """Of whoever is marked, as memberstaff's clients see it."""

    @property
    def staff_number(self) -> int:
        """As it stands in the database."""
        return staff_key(self.staff_id)

    @property
    def redis_port(self) -> int:
        """Where it listens."""
        return int(self.redis.url.rpartition(":")[2].partition("/")[0])

    def settings(self, database: str) -> dict[str, str]:
        """Environment variables of a memberstaff on this database."""
        others = {key: value for key, value in os.environ.items() if not key.startswith("MEMBERSTAFF_")}
        here = {"MEMBERSTAFF_DATABASE_URL": database, "MEMBERSTAFF_BROADCAST_URL": self.redis.url}
        return {**others, **SETTINGS, **here, **self.variables}

    def of(self, checkout: Path) -> Environment:
        """The same PostgreSQL and Redis for another checkout's memberstaff, with a template of its own."""
        other = replace(self, checkout=checkout, token="")
        other.seed()
        return other

    @contextmanager
    def database(self) -> Iterator[str]:
        """A copy of the template."""
        url = self.postgres.create_database(template=self.template)
        try:
            yield url
        finally:
            self.postgres.drop_database(url)

    @contextmanager
    def memberstaff(
        self, database: str, more: Mapping[str, str] = NONE, *, workers: int = 1
    ) -> Iterator[tuple[int, int]]:
        """A server on this database, with further settings: its port and its process id."""
        port = free_port()
        with server_running(
            [self._program(), "serve", "--port", str(port), "--workers", str(workers)],
            ready=lambda: self._listeners() >= workers and answers_graphql(port),
            env={**self.settings(database), **more},
            folder=self.checkout,
            log=self.folder / "memberstaff.log",
            cores=self.server_cores,
        ) as process:
            yield port, process

    def run_python(self, program: Path, *arguments: str, database: str) -> str:
        """What a program of ours prints, under the checkout's Python on the server's core. Raises Failed."""
        return self._output([self._program("python"), "-P", program, *arguments], database=database, measured=True)

    def seed(self) -> None:
        """Fill the template database as an administrator would: with the command line and the API. Raises Unable."""
        self.template = self.postgres.create_database()
        self._output([self._program(), "migrate"])
        added = ["account", "add", EMAIL, "--role", "ADMIN", "--password-stdin"]
        self._output([self._program(), *added], given=f"{PASSWORD}\n")
        with self.memberstaff(self.template) as (port, _):
            login = "mutation ($i: LoginInput!) { login(input: $i) { accessToken errors { message } } }"
            self.token = self._ask(port, login, i={"email": EMAIL, "password": PASSWORD})["login"]["accessToken"]
            hire = "mutation ($i: ImportStaffInput!) { importStaff(input: $i) { created errors { message } } }"
            people = [
                {
                    "name": f"Staff Member {number:03}",
                    "category": CATEGORIES[number % 4],
                    "photoUrl": f"https://cdn.example.com/staff/{number:03}/photo.jpg",
                    "startsOn": (self.day - timedelta(days=30)).isoformat(),
                }
                for number in range(PEOPLE)
            ]
            assert self._ask(port, hire, i={"rows": people})["importStaff"]["created"] == PEOPLE
            self._mark_everybody(port)
        if self.subscribers:
            self.logins = self._output([self._program("python"), "-P", LOGINS, str(self.subscribers)]).split()

    def _listeners(self) -> int:
        """How many processes listen to changes: each does before it serves."""
        with self.redis.client() as client:
            return sum(count for _, count in client.pubsub_numsub(*client.pubsub_channels()))

    def _mark_everybody(self, port: int) -> None:
        listed = """query ($date: Date!) { attendanceDay(date: $date) {
          records(first: 200) { edges { node { staffId staffName } } } } }"""
        mark = "mutation ($i: UpdateAttendanceInput!) { updateAttendance(input: $i) { errors { message } } }"
        records = self._ask(port, listed, date=self.day.isoformat())["attendanceDay"]["records"]
        for edge in records["edges"]:
            number = int(edge["node"]["staffName"].split()[-1])
            staff_id = edge["node"]["staffId"]
            if number == PERSON:
                self.staff_id = staff_id
            values = {
                "target": {"staffDate": {"staffId": staff_id, "date": self.day.isoformat()}},
                "status": STATUSES[number % 4],
                "note": f"note for record {number}",
                "photoUrl": f"https://cdn.example.com/attendance/{self.day}/{number:03}.jpg",
            }
            assert self._ask(port, mark, i=values)["updateAttendance"]["errors"] == []

    def _ask(self, port: int, document: str, **variables: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = post(port, json.dumps({"query": document, "variables": variables}), headers)
        if answer.get("errors"):
            raise Failed(f"seeding the database: {answer['errors'][0]['message']}")
        return answer["data"]

    def _output(
        self, command: Sequence[str | Path], given: str = "", *, database: str = "", measured: bool = False
    ) -> str:
        done = subprocess.run(
            command,
            cwd=self.checkout,
            env=self.settings(database or self.template),
            input=given,
            text=True,
            capture_output=True,
            check=False,
            preexec_fn=partial(os.sched_setaffinity, 0, self.server_cores) if measured else None,
        )
        if done.returncode:
            words = " ".join(map(str, command[1:3]))
            raise Failed(f"{self.checkout}: {words} failed:\n{done.stderr[-1000:].strip()}")
        return done.stdout

    def _program(self, name: str = "memberstaff") -> Path:
        """The checkout's own command: what else is in a checkout differs from one to the next."""
        program = self.checkout / ".venv" / "bin" / name
        if not program.exists():
            raise Unable(f"{self.checkout} has no .venv/bin/{name}: run `./dev bench --help` there once.")
        return program


@contextmanager
def running_environment(
    tools: Tools, folder: Path, server_cores: set[int], *, durable: bool, subscribers: int
) -> Iterator[Environment]:
    """An environment with a seeded database and so many logins, as long as the block lasts. Raises Unable."""
    if durable:
        postgres.TUNING.update(dict.fromkeys(DURABLE, "on"))
    today = datetime.now(UTC).date()
    with ExitStack() as stack:
        try:
            database = stack.enter_context(running(postgres.PostgresServer()))
            broker = stack.enter_context(running(redis.RedisServer(folder / "redis")))
        except NotFound as missing:
            raise Unable(str(missing)) from None
        yesterday = today - timedelta(days=1)
        environment = Environment(tools, database, broker, folder, server_cores, today, yesterday)
        environment.subscribers = subscribers
        environment.seed()
        yield environment
