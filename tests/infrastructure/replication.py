"""A PostgreSQL with a standby, and an address that leads to whichever is the primary."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from sqlalchemy import URL

from tests.infrastructure.postgres import USER, PostgresServer, Server

REPLICATED = {
    "wal_level": "replica",
    "max_wal_senders": "4",
    "synchronous_commit": "on",
    "wal_receiver_status_interval": "1",
    "wal_retrieve_retry_interval": "100ms",
    "max_wal_size": "256MB",
    "shared_buffers": "32MB",
}
WAIT_SECONDS = 30.0


class ReplicatedPostgres(Server):
    """A primary and its standby; asynchronous until `set_synchronous`.

    The address is a link to the folder with the primary's socket: whoever connects is led to another server at once,
    and whoever is connected stays where they are.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ms-ha-"))
        self._address = self._folder / "primary"
        super().__init__(URL.create("postgresql", USER, database="postgres", query={"host": str(self._address)}))
        self.primary = PostgresServer(REPLICATED)
        self.standby: PostgresServer | None = None

    def start(self) -> None:
        """Start both; after a crash, the primary."""
        self.primary.start()
        self.lead_to(self.primary)
        if self.standby is None:
            self.add_standby()

    def stop(self) -> None:
        """End both, and remove what they have left."""
        if self.standby is not None:
            self.standby.stop()
        self.primary.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def restart(self) -> None:
        """Restart the primary."""
        self.primary.restart()

    def crash(self) -> None:
        """End the primary at once; `start` recovers it."""
        self.primary.crash()

    def answers(self) -> bool:
        """Whether the primary accepts connections."""
        return self.primary.answers()

    @property
    def pid(self) -> int:
        """The primary's process, while it runs."""
        return self.primary.pid

    def add_standby(self) -> None:
        """Copy the primary, and let the copy follow it."""
        assert self.standby is None
        self.standby = standby = PostgresServer({**REPLICATED, "hot_standby": "on"})
        source: list[str | Path] = ["-h", self.primary.folder, "-U", USER, "--checkpoint", "fast", "--no-sync"]
        standby.run_program("pg_basebackup", "-D", standby.data, *source, "-R", "-X", "stream")
        standby.start()
        wait_for(standby, "SELECT status FROM pg_stat_wal_receiver", "streaming")

    def set_synchronous(self, synchronous: bool) -> None:
        """Have each COMMIT wait for the standby, from now on, or not; all that was committed before is there then."""
        names = "*" if synchronous else ""
        self.primary.run(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        self.primary.run("SELECT pg_reload_conf()")
        kind = "sync" if synchronous else "async"
        sent = "flush_lsn >= pg_current_wal_flush_lsn()" if synchronous else "true"
        wait_for(self.primary, f"SELECT bool_and(sync_state = '{kind}' AND {sent}) FROM pg_stat_replication", "True")

    def cut_standby(self) -> None:
        """Let the standby receive nothing more: it has lost its primary, which goes on."""
        assert self.standby is not None
        self.standby.run("ALTER SYSTEM SET primary_conninfo = ''")
        self.standby.run("SELECT pg_reload_conf()")
        wait_for(self.standby, "SELECT count(*) FROM pg_stat_wal_receiver", "0")

    def wait_for_standby(self) -> None:
        """Wait until the standby has all that is committed."""
        assert self.standby is not None
        position = self.primary.run("SELECT pg_current_wal_flush_lsn()::text")
        wait_for(self.standby, f"SELECT pg_last_wal_replay_lsn() >= '{position}'", "True")

    def promote(self) -> PostgresServer:
        """Make the standby the primary; answers the old one, to which the address still leads."""
        assert self.standby is not None
        old, self.primary, self.standby = self.primary, self.standby, None
        self.primary.run("SELECT pg_promote()")
        return old

    def lead_to_primary(self) -> None:
        """Lead whoever connects from now on to the present primary."""
        self.lead_to(self.primary)

    def lead_to(self, server: PostgresServer) -> None:
        """Lead whoever connects from now on to this server."""
        new = self._folder / "new"
        new.symlink_to(server.folder)
        new.rename(self._address)


def wait_for(server: PostgresServer, statement: str, answer: str) -> None:
    """Wait until a server answers so."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (found := server.run(statement)) != answer:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{statement} is {found}, and not {answer}")
        time.sleep(0.02)
