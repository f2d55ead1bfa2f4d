"""Begins another epoch after a failover of PostgreSQL, before anything is read from the new primary.

A standby that is promoted begins another timeline. What the old primary had acknowledged, and not passed on, is lost
then, and its positions go to other changes. So every new connection compares the server's timeline with the one that
`installation` names, and raises the epoch when it is another one. Once for a connection is enough: those to the old
primary end with it, and one to a standby, which would outlive its promotion, is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from asyncpg import InterfaceError, PostgresError

from memberstaff import metrics
from memberstaff.notify.throttle import MinuteLog, Throttle

log = structlog.get_logger(__name__)

# Not `pg_control_checkpoint()`: it names the old timeline until the first checkpoint after the promotion.
_TIMELINE = """SELECT CASE WHEN pg_is_in_recovery() THEN 0
ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint END"""

CHECK = f"SELECT ({_TIMELINE}) = timeline AS current, epoch FROM installation"  # noqa: S608 - of constants
"""Whether a session is on the timeline of the epoch, in one round trip."""

_STORED = "SELECT epoch, timeline FROM installation"

# When several connections find the same, the first one raises the epoch, and the others wait for its lock.
_STORE = """UPDATE installation SET timeline = $1, epoch = CASE WHEN timeline IS NULL AND epoch >= $2 THEN epoch
ELSE greatest(epoch + 1, $2 + 1, (1000 * extract(epoch FROM clock_timestamp()))::bigint) END
WHERE timeline IS DISTINCT FROM $1 OR epoch < $2"""

_NOT_TOLD = ("42", "0A")
"""Beginnings of the SQLSTATEs of a server that does not tell its timeline: no right to ask, no such function."""
_NOT_MIGRATED = ("42P01", "42703", "3F000")
"""No such table, column or schema."""


class Refused(ConnectionError):
    """A connection that must not be used; the message says why."""


class Timeline:
    """The history that a process reads: the highest epoch that one of its connections began with.

    `on_epoch` is called when that rises while the process runs; it must neither block nor raise.
    """

    def __init__(self, on_epoch: Callable[[], None]) -> None:
        self.epoch = 0
        self._timeline_of_epoch = 0
        """The highest that a connection has led to."""
        self.followed = False
        """Whether the server tells its timeline, so that a failover begins an epoch."""
        self.rises = 0
        """How often the epoch rose."""
        self.doubted_at = 0.0
        """When another process knew of a later epoch, by `time.monotonic`: connections from before are replaced."""
        self.is_doubted = False
        """Whether the last connection came to nothing, or perhaps to an old primary: of several hosts, another is asked
        first."""
        self.doubt = Throttle(self._doubt)
        """Have every connection replaced, once a second at most."""
        self._on_epoch = on_epoch
        self._log = MinuteLog()

    async def follow(self, connection: Any) -> int:
        """Raise the epoch if asyncpg's connection leads to another timeline; answers the epoch, or 0 without tables.

        Raises Refused for a connection that must not be used: to a standby, or to a history whose end this process has
        seen.
        """
        try:
            timeline = await self._timeline(connection)
            epoch = await self._follow(connection, timeline)
            self._see(epoch)
            self._timeline_of_epoch = max(timeline or 0, self._timeline_of_epoch)
        except (PostgresError, InterfaceError) as error:
            if getattr(error, "sqlstate", None) in _NOT_MIGRATED:
                return 0
            metrics.DATABASE_CONNECTIONS_REFUSED.inc()
            raise Refused(f"PostgreSQL failed while a connection was prepared: {error}") from error
        except Refused as refused:
            metrics.DATABASE_CONNECTIONS_REFUSED.inc()
            self._log.warning("A connection to PostgreSQL was not used", reason=str(refused))
            raise
        self.is_doubted = False
        return epoch

    async def _follow(self, connection: Any, timeline: int | None) -> int:
        # A higher timeline is later than that of the epoch which this process has seen, also if the standby that was
        # promoted had not heard of that epoch, and its clock is behind.
        least = self.epoch if (timeline or 0) > self._timeline_of_epoch else 0
        raised = ""
        # Each conversation is a transaction, in which a pooler leaves the session alone.
        async with connection.transaction(isolation="read_committed"):
            stored = await connection.fetchrow(_STORED)
            before = None if stored is None else stored["timeline"]
            if stored is not None and timeline is not None and (timeline != before or stored["epoch"] < least):
                # Not even if the new primary has no standby yet: boards can be read before it has one.
                await connection.execute("SET LOCAL synchronous_commit TO local")
                raised = await connection.execute(_STORE, timeline, least)
                stored = await connection.fetchrow(_STORED)
        if stored is None:
            return 0
        if raised == "UPDATE 1" and before is not None:
            log.warning(
                "A standby of PostgreSQL was promoted, or a backup restored: another epoch has begun. "
                "What the old primary had not passed on is lost",
                epoch=stored["epoch"],
                timeline=timeline,
                timeline_before=before,
            )
        return int(stored["epoch"])

    def _see(self, epoch: int) -> None:
        if epoch and epoch < self.epoch:
            raise Refused(
                f"Its history has epoch {epoch}, and this server has seen {self.epoch}: it is an old primary, or a "
                "restored backup. If it is the one to go on with, run `memberstaff new-epoch`."
            )
        before, self.epoch = self.epoch, epoch or self.epoch
        if before and before < epoch:
            self.rises += 1
            metrics.EPOCHS_BEGUN.inc()
            log.warning("The database's history is another one; every board starts again", epoch=epoch, before=before)
            self._on_epoch()

    def _doubt(self) -> None:
        self.doubted_at = time.monotonic()
        self.is_doubted = True

    async def _timeline(self, connection: Any) -> int | None:
        """The server's timeline; None if it does not tell. Raises Refused."""
        try:
            async with connection.transaction():
                timeline: int = await connection.fetchval(_TIMELINE)
        except PostgresError as error:
            if not str(error.sqlstate).startswith(_NOT_TOLD):
                raise
            self.followed = False
            self._log.warning(
                "PostgreSQL does not tell its timeline: after a failover, run `memberstaff new-epoch` "
                "before the servers connect; see docs/postgresql.md",
                reason=str(error),
            )
            return None
        if not timeline:
            raise Refused("It is a standby, from which memberstaff does not read.")
        self.followed = True
        return timeline
